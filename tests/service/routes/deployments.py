"""Creating a workspace: an ARM template deployment, done at once, and what the SDK asks around it."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.message import Answer, reply
from tests.service.routing import ARM, routes
from tests.service.state import Document

from .workspaces import PROVIDER

GROUP = "/subscriptions/{subscription}/resourcegroups/{group}"
DEPLOYMENT = GROUP + "/providers/Microsoft.Resources/deployments/{name}"


@routes.on("PUT", ARM, DEPLOYMENT)
def deploy(call: Call, name: str) -> Answer:
    resources = call.json["properties"]["template"]["resources"]
    for resource in resources:
        if resource["type"] == f"{PROVIDER}/workspaces":
            workspace = call.state.add_workspace(
                call.scope["subscription"], call.scope["group"], resource["name"], resource["location"]
            )
            workspace.tags = dict(resource.get("tags") or {})
            workspace.friendly_name = resource["properties"].get("friendlyName") or resource["name"]
    document = {
        "id": f"/subscriptions/{call.scope['subscription']}/resourceGroups/{call.scope['group']}"
        f"/providers/Microsoft.Resources/deployments/{name}",
        "name": name,
        "properties": {"provisioningState": "Succeeded", "mode": "Incremental"},
    }
    call.state.operations[name] = {"document": document, "resources": resources}
    return reply(document, 200)


@routes.on("GET", ARM, DEPLOYMENT)
def get_deployment(call: Call, name: str) -> Any:
    return _find(call, name)["document"]


@routes.on("GET", ARM, GROUP + "/deployments/{name}/operations")
def list_deployment_operations(call: Call, name: str) -> Any:
    resources = _find(call, name)["resources"]
    return {
        "value": [
            {
                "id": f"{name}/{number}",
                "operationId": str(number),
                "properties": {
                    "provisioningState": "Succeeded",
                    "duration": "PT1S",
                    "targetResource": {"resourceType": resource["type"], "resourceName": resource["name"]},
                },
            }
            for number, resource in enumerate(resources)
        ]
    }


@routes.on("GET", ARM, "/subscriptions/{subscription}/providers/Microsoft.Resources/deployments/")
def list_subscription_deployments(call: Call) -> Any:
    return {"value": []}


@routes.on("GET", ARM, "/subscriptions/{subscription}/providers/{namespace}")
def get_provider(call: Call, namespace: str) -> Any:
    return {
        "id": f"/subscriptions/{call.scope['subscription']}/providers/{namespace}",
        "namespace": namespace,
        "registrationState": "Registered",
        "resourceTypes": [
            {"resourceType": "workspaces", "locations": ["East US"], "apiVersions": ["2022-05-01"]},
            {"resourceType": "components", "locations": ["East US"], "apiVersions": ["2020-02-02"]},
        ],
    }


def _find(call: Call, name: str) -> Document:
    if name not in call.state.operations:
        raise missing(f"Deployment {name}")
    return call.state.operations[name]
