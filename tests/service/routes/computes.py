"""Compute targets, at ARM (create, update, delete) and at the region's host (get, list)."""

from __future__ import annotations

import re
from typing import Any

from tests.service.call import Call, missing
from tests.service.identifiers import now
from tests.service.message import Answer, Refusal, reply
from tests.service.routing import ARM, LOCATION, REGION, routes
from tests.service.state import Compute, Document, Workspace

_VERSION = "api-version=2020-02-02"


@routes.on("GET", ARM, "{ws}/computes")
@routes.on("GET", REGION, "/rp/workspaces{ws}/computes")
def list_computes(call: Call) -> Any:
    return {"value": [compute.document for compute in call.workspace.computes.values()]}


@routes.on("GET", ARM, "{ws}/computes/{name}")
@routes.on("GET", REGION, "/rp/workspaces{ws}/computes/{name}")
def get_compute(call: Call, name: str) -> Any:
    return _find(call.workspace, name).document


@routes.on("PUT", ARM, "{ws}/computes/{name}")
def put_compute(call: Call, name: str) -> Answer:
    """Create or change a compute; done at once, which the operation that is answered with says."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,22}[A-Za-z0-9]", name):
        raise Refusal(400, "BadRequest", f"The compute's name is invalid: {name}")
    body = call.json
    if body["properties"].get("computeType") not in ("AmlCompute", "ComputeInstance"):
        raise Refusal(400, "BadRequest", "The stand-in knows AmlCompute and ComputeInstance only.")
    document = compute_document(call.workspace, name, body)
    call.workspace.computes[name] = Compute(name, document)
    return _begun(call, document, 201)


@routes.on("PATCH", ARM, "{ws}/computes/{name}")
def patch_compute(call: Call, name: str) -> Answer:
    compute = _find(call.workspace, name)
    settings = call.json["properties"].get("properties", {})
    compute.document["properties"]["properties"].update(settings)
    compute.document["properties"]["modifiedOn"] = now()
    return _begun(call, compute.document, 200)


@routes.on("DELETE", ARM, "{ws}/computes/{name}")
def delete_compute(call: Call, name: str) -> Answer:
    del call.workspace.computes[_find(call.workspace, name).name]
    return _begun(call, {}, 202)


@routes.on(
    "GET",
    ARM,
    "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
    "/computeOperationsStatus/{operation}",
    polling=True,
)
def get_operation(call: Call, location: str, operation: str) -> Any:
    if operation not in call.state.operations:
        raise missing(f"Operation {operation}")
    return call.state.operations[operation]


def _find(workspace: Workspace, name: str) -> Compute:
    for key, compute in workspace.computes.items():
        if key.lower() == name.lower():
            return compute
    raise Refusal(404, "ComputeNotFound", f"Compute with name {name} was not found.")


def _begun(call: Call, document: Document, status: int) -> Answer:
    operation = call.state.identifiers.new("operation")
    call.state.operations[operation] = {"id": operation, "name": operation, "status": "Succeeded"}
    address = (
        f"https://{ARM}/subscriptions/{call.workspace.subscription}/providers/Microsoft.MachineLearningServices"
        f"/locations/{LOCATION}/computeOperationsStatus/{operation}?{_VERSION}"
    )
    return reply(document, status, Azure_AsyncOperation=address)


def compute_document(workspace: Workspace, name: str, body: Document) -> Document:
    """Write a compute as ARM does, from what was sent."""
    sent = body["properties"]
    settings = dict(sent.get("properties") or {})
    defaults = {"maxNodeCount": 1, "minNodeCount": 0, "nodeIdleTimeBeforeScaleDown": "PT120S"}
    priority = str(settings.get("vmPriority", "dedicated"))
    settings["vmPriority"] = {"dedicated": "Dedicated", "lowpriority": "LowPriority"}[priority.lower()]
    settings["scaleSettings"] = {**defaults, **(settings.get("scaleSettings") or {})}
    scale = settings["scaleSettings"]
    nodes = scale["minNodeCount"]
    state = {
        "subnet": None,
        "allocationState": "Steady",
        "allocationStateTransitionTime": now(),
        "currentNodeCount": nodes,
        "targetNodeCount": nodes,
        "errors": None,
        "nodeStateCounts": {
            "idleNodeCount": nodes,
            "runningNodeCount": 0,
            "preparingNodeCount": 0,
            "unusableNodeCount": 0,
            "leavingNodeCount": 0,
            "preemptedNodeCount": 0,
        },
        "remoteLoginPortPublicAccess": "NotSpecified",
    }
    return {
        "id": f"{workspace.scope}/computes/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/computes",
        "location": body.get("location", workspace.location),
        "tags": body.get("tags"),
        "properties": {
            "computeType": sent["computeType"],
            "computeLocation": sent.get("computeLocation", workspace.location),
            "description": sent.get("description"),
            "createdOn": now(),
            "modifiedOn": now(),
            "resourceId": None,
            "provisioningState": "Succeeded",
            "provisioningErrors": None,
            "isAttachedCompute": False,
            "properties": {**state, **settings},
        },
    }
