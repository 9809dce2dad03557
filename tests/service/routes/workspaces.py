"""Workspaces at ARM and at the region, resource groups, and the discovery of the other services."""

from __future__ import annotations

import re
from typing import Any

from tests.service.call import Call, missing
from tests.service.identifiers import stable_id
from tests.service.message import Answer, reply
from tests.service.routing import ARM, REGION, routes
from tests.service.state import Workspace

from .login import TENANT

PROVIDER = "Microsoft.MachineLearningServices"


def workspace_document(workspace: Workspace) -> dict[str, Any]:
    """Write a workspace as ARM does (`azureml._base_sdk_common.workspace.models.Workspace`)."""
    group = f"/subscriptions/{workspace.subscription}/resourceGroups/{workspace.group}/providers"
    return {
        "id": workspace.scope,
        "name": workspace.name,
        "type": f"{PROVIDER}/workspaces",
        "location": workspace.location,
        "tags": workspace.tags,
        "identity": {"type": "SystemAssigned", "tenantId": TENANT, "principalId": stable_id(workspace.id)},
        "sku": {"name": "Basic", "tier": "Basic"},
        "properties": {
            "workspaceId": workspace.id,
            "friendlyName": workspace.friendly_name,
            "description": "",
            "creationTime": "2026-01-05T08:00:00.0000000Z",
            "provisioningState": "Succeeded",
            "discoveryUrl": f"https://{REGION}/discovery/workspaces/{workspace.id}",
            "storageAccount": f"{group}/Microsoft.Storage/storageAccounts/{workspace.account}",
            "keyVault": f"{group}/Microsoft.KeyVault/vaults/kv{workspace.id[:8]}",
            "applicationInsights": f"{group}/Microsoft.insights/components/ai{workspace.id[:8]}",
            "containerRegistry": None,
            "hbiWorkspace": False,
            "systemDatastoresAuthMode": "accessKey",
            "v1LegacyMode": False,
        },
    }


@routes.on("GET", ARM, "{ws}")
@routes.on("GET", REGION, "/rp/workspaces{ws}")
def get_workspace(call: Call) -> Any:
    return workspace_document(call.workspace)


@routes.on("GET", ARM, "/subscriptions/{subscription}/resources")
def list_resources(call: Call) -> Any:
    """List a subscription's workspaces; the filter's other kinds of resource are none here."""
    wanted = call.request.query.get("$filter", "")
    group = re.search(r"resourceGroup eq '([^']*)'", wanted)
    found = [
        workspace_document(workspace)
        for key, workspace in call.state.workspaces.items()
        if key[0] == call.scope["subscription"].lower() and (group is None or key[1] == group[1].lower())
    ]
    return {"value": found if f"resourceType eq '{PROVIDER}/workspaces'" in wanted else []}


@routes.on("GET", ARM, "/subscriptions/{subscription}/resourceGroups/{group}/providers/" + PROVIDER + "/workspaces")
def list_workspaces(call: Call) -> Any:
    wanted = (call.scope["subscription"].lower(), call.scope["group"].lower())
    found = (workspace for key, workspace in call.state.workspaces.items() if key[:2] == wanted)
    return {"value": [workspace_document(workspace) for workspace in found]}


@routes.on("DELETE", ARM, "{ws}")
def delete_workspace(call: Call) -> Any:
    del call.state.workspaces[call.workspace.key]


@routes.on("GET", REGION, "/discovery/workspaces/{identifier}", public=True)
def discover(call: Call, identifier: str) -> Any:
    if all(workspace.id != identifier for workspace in call.state.workspaces.values()):
        raise missing(f"Workspace {identifier}")
    names = (
        "api apiserver artifact assetstore catalog compute data datastore experimentation environment "
        "execution history hyperdrive inferencing jasmine metrics modelmanagement modelregistry onboarding "
        "pipelines rp registry sdk snapshot content ui"
    )
    return {**dict.fromkeys(names.split(), f"https://{REGION}"), "studio": "https://ml.azure.com"}


@routes.on("GET", ARM, "/subscriptions/{subscription}/resourcegroups/{group}")
def get_group(call: Call) -> Any:
    subscription, group = call.scope["subscription"], call.scope["group"]
    location = call.state.groups.get((subscription.lower(), group.lower()))
    if location is None:
        call.refuse(
            {"error": {"code": "ResourceGroupNotFound", "message": f"Resource group '{group}' could not be found."}},
            404,
        )
    return _group_document(subscription, group, location)


@routes.on("PUT", ARM, "/subscriptions/{subscription}/resourcegroups/{group}")
def put_group(call: Call) -> Answer:
    subscription, group = call.scope["subscription"], call.scope["group"]
    location = call.json["location"]
    call.state.groups[(subscription.lower(), group.lower())] = location
    return reply(_group_document(subscription, group, location), 201)


def _group_document(subscription: str, group: str, location: str) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}",
        "name": group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": location,
        "properties": {"provisioningState": "Succeeded"},
    }
