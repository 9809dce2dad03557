"""Datastores at Azure Resource Manager, the stores that v1 has, and the workspace as v2 reads it."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.message import Answer, Refusal, reply
from tests.service.routes.workspaces import workspace_document
from tests.service.state import Datastore, Document, Workspace, storage_document
from tests.service_v2.contract import check
from tests.service_v2.routing import ARM, REGION, routes

_CREDENTIALS = {"AccountKey": ("key", False), "Sas": ("sasToken", True)}


@routes.on("GET", ARM, "{ws}")
def get_workspace(call: Call) -> Any:
    document = workspace_document(call.workspace)
    document["properties"]["mlFlowTrackingUri"] = f"azureml://{REGION}/mlflow/v1.0{call.workspace.scope}"
    return document


@routes.on("GET", REGION, "/registrymanagement/v1.0/registries/{registry}/discovery")
def discover_registry(call: Call, registry: str) -> Any:
    place = {"subscriptionId": "00000000-0000-4000-8000-00000000aaaa", "resourceGroup": "registries"}
    return {"registryName": registry, "primaryRegionResourceProviderUri": f"https://{REGION}/", **place}


REGISTRY = (
    "/mferp/managementfrontend/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.MachineLearningServices/registries/{registry}/environments"
)


@routes.on("GET", REGION, REGISTRY + "/{name}")
@routes.on("GET", REGION, REGISTRY + "/{name}/versions/{version}")
def get_curated(call: Call, name: str, version: str = "", **place: str) -> Any:
    """Return an environment of Microsoft's registry, which has every name that is not said to be gone."""
    if {name, f"{name}@{version}"} & call.service.gone:
        raise missing(f"environment {name}")
    return {"id": f"azureml://registries/azureml/environments/{name}", "name": name, "properties": {}}


@routes.on("GET", ARM, "{ws}/datastores")
def list_datastores(call: Call) -> Any:
    stores = call.workspace.datastores.values()
    if call.request.query.get("isDefault", "").lower() == "true":
        stores = [call.workspace.datastores[call.workspace.default_datastore]]
    return {"value": [_document(call.workspace, store) for store in stores]}


@routes.on("GET", ARM, "{ws}/datastores/{name}")
def get_datastore(call: Call, name: str) -> Any:
    return _document(call.workspace, _find(call, name))


@routes.on("PUT", ARM, "{ws}/datastores/{name}")
def put_datastore(call: Call, name: str) -> Answer:
    check("Datastore", call.json)
    sent = call.json["properties"]
    kind = sent["credentials"]["credentialsType"]
    secrets = sent["credentials"].get("secrets") or {}
    key = secrets.get(_CREDENTIALS[kind][0]) if kind in _CREDENTIALS else None
    document = storage_document(name, "AzureBlob", sent["accountName"], sent["containerName"], key)
    document["azureStorageSection"].update(credentialType=kind, isSas=kind == "Sas")
    document.update(description=sent.get("description"), tags=sent.get("tags") or {})
    was_there = name in call.workspace.datastores
    call.workspace.datastores[name] = Datastore(name, document)
    call.state.storage.add_container(sent["accountName"], sent["containerName"])
    return reply(_document(call.workspace, call.workspace.datastores[name]), 200 if was_there else 201)


@routes.on("DELETE", ARM, "{ws}/datastores/{name}")
def delete_datastore(call: Call, name: str) -> Answer:
    if call.workspace.datastores.pop(name, None) is None:
        return Answer(204)
    return Answer(200)


@routes.on("POST", ARM, "{ws}/datastores/{name}/listSecrets")
def list_secrets(call: Call, name: str) -> Any:
    store = _find(call, name)
    if store.credential is None:
        raise Refusal(400, "UserError", "The datastore has no secrets.")
    if store.document["azureStorageSection"].get("isSas"):
        return {"secretsType": "Sas", "sasToken": store.credential}
    return {"secretsType": "AccountKey", "key": store.credential}


def _find(call: Call, name: str) -> Datastore:
    store = call.workspace.datastores.get(name)
    if store is None:
        raise Refusal(404, "UserError", f"Could not find datastore: {name}")
    return store


def _document(workspace: Workspace, store: Datastore) -> Document:
    section = store.document["azureStorageSection"]
    is_file = store.document["dataStoreType"] == "AzureFile"
    kind = section["credentialType"] if store.credential is not None else "None"
    properties = {
        "datastoreType": "AzureFile" if is_file else "AzureBlob",
        "accountName": store.account,
        "fileShareName" if is_file else "containerName": store.container,
        "endpoint": "core.windows.net",
        "protocol": "https",
        "serviceDataAccessAuthIdentity": "None",
        "credentials": {"credentialsType": kind},
        "description": store.document.get("description"),
        "tags": store.document.get("tags") or {},
        "properties": {},
        "isDefault": store.name == workspace.default_datastore,
    }
    return {"id": f"{workspace.scope}/datastores/{store.name}", "name": store.name, "properties": properties}
