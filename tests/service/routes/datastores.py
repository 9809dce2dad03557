"""Datastores (`azureml/_restclient/operations/data_stores_operations.py`)."""

from __future__ import annotations

import re
from typing import Any

from tests.service.call import Call
from tests.service.contract import RUN_HISTORY, check
from tests.service.message import Refusal
from tests.service.native import AGENT
from tests.service.routing import REGION, routes
from tests.service.state import Datastore, Document, Workspace

BASE = "/datastore/v1.0{ws}"
_SECRETS = ("credential", "accountKey", "sasToken")


@routes.on("GET", REGION, BASE + "/datastores")
def list_datastores(call: Call) -> Any:
    """List all; with credentials when asked, as the SDK does (it cannot build a file store without)."""
    secret = call.request.query.get("includeSecret", "").lower() == "true"
    found = [store.document for store in call.workspace.datastores.values()]
    return {
        "value": found if secret else [_without_secrets(document) for document in found],
        "continuationToken": None,
    }


@routes.on("GET", REGION, BASE + "/datastores/{name}")
def get_datastore(call: Call, name: str) -> Any:
    store = _find(call.workspace, name)
    if AGENT in call.request.headers.get("user-agent", ""):
        return call.service.native.stand_in(call.state, call.workspace, store.name, store.document)
    return store.document


@routes.on("POST", REGION, BASE + "/datastores")
def create_datastore(call: Call) -> Any:
    document = _checked(call.json)
    name = document["name"]
    if name in call.workspace.datastores:
        raise Refusal(400, "UserError", f"Another datastore with the same name already exists: {name}")
    _store(call, document)


@routes.on("PUT", REGION, BASE + "/datastores/{name}")
def update_datastore(call: Call, name: str) -> Any:
    _find(call.workspace, name)
    _store(call, _checked(call.json))


@routes.on("DELETE", REGION, BASE + "/datastores/{name}")
def delete_datastore(call: Call, name: str) -> Any:
    store = _find(call.workspace, name)
    if store.system:
        raise Refusal(400, "UserError", f"The datastore {name} belongs to the workspace.")
    del call.workspace.datastores[store.name]


@routes.on("GET", REGION, BASE + "/default")
def get_default(call: Call) -> Any:
    return call.workspace.datastores[call.workspace.default_datastore].document


@routes.on("PUT", REGION, BASE + "/default/{name}")
def set_default(call: Call, name: str) -> Any:
    call.workspace.default_datastore = _find(call.workspace, name).name


def _find(workspace: Workspace, name: str) -> Datastore:
    store = workspace.datastores.get(name.lower())
    if store is None:
        raise Refusal(404, "UserError", f"Could not find datastore: {name}")
    return store


def _checked(document: Document) -> Document:
    check(RUN_HISTORY, "DataStore", document)
    name = document["name"].lower()
    if not re.fullmatch(r"[a-z0-9_]{1,255}", name):
        raise Refusal(400, "UserError", f"A datastore's name has letters, digits and underscores only: {name}")
    if "azureStorageSection" not in document:
        raise Refusal(400, "UserError", "The stand-in knows blob and file stores only.")
    return {**document, "name": name}


def _store(call: Call, document: Document) -> None:
    section = {"endpoint": "core.windows.net", "protocol": "https", **document["azureStorageSection"]}
    kind, credential = section.get("credentialType", "None"), section.get("credential")
    section["isSas"] = kind == "Sas"
    section["sasToken" if kind == "Sas" else "accountKey"] = credential
    stored = {**document, "hasBeenValidated": True, "tags": {}, "azureStorageSection": section}
    call.workspace.datastores[document["name"]] = Datastore(document["name"], stored)
    if call.request.query.get("createIfNotExists", "").lower() == "true":
        call.state.storage.add_container(section["accountName"], section["containerName"])


def _without_secrets(document: Document) -> Document:
    section = {key: value for key, value in document["azureStorageSection"].items() if key not in _SECRETS}
    return {**document, "azureStorageSection": section}
