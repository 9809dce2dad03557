"""Versioned assets: environments, data, code, components."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.service.call import Call, missing
from tests.service.identifiers import now, stable_id
from tests.service.message import Answer, Refusal, reply
from tests.service.routes.datasets import BASE as BASE_OF_V1
from tests.service.routes.datasets import get_dataset_by_name
from tests.service_v2.contract import DATA_MODELS, check
from tests.service_v2.routing import ARM, REGION, routes, state_of
from tests.service_v2.state import Document

_MODELS = {
    "environments": "EnvironmentVersion",
    "data": "DataVersionBase",
    "codes": "CodeVersion",
    "components": "ComponentVersion",
    "models": "ModelVersion",
}
# What a second PUT of a version may change; the rest is fixed once it is there (unknown, from memory of the service's
# message "... is immutable").
_CHANGING = ("description", "tags", "properties", "isArchived", "stage")


def version_document(call: Call, kind: str, name: str, version: str, body: Mapping[str, Any]) -> Document:
    return {
        "id": f"{call.workspace.scope}/{kind}/{name}/versions/{version}",
        "name": version,
        "type": f"Microsoft.MachineLearningServices/workspaces/{kind}/versions",
        "properties": {**({"flavors": {}} if kind == "models" else {}), **body["properties"]},
        "systemData": {"createdAt": body["created"], "createdBy": "stand-in", "createdByType": "Application"},
    }


def _container(call: Call, kind: str, name: str) -> Document:
    versions = state_of(call).versions(kind, name)
    if not versions:
        raise missing(f"{kind} container with name: {name}")
    latest = list(versions)[-1]
    first = next(iter(versions.values()))
    properties: Document = {
        "description": None,
        "tags": {},
        "properties": {},
        "isArchived": False,
        "latestVersion": latest,
        "nextVersion": str(int(latest) + 1) if latest.isdecimal() else None,
    }
    if kind == "data":
        properties["dataType"] = first["properties"]["dataType"]
    return {"id": f"{call.workspace.scope}/{kind}/{name}", "name": name, "properties": properties}


def _read_containers(kind: str) -> None:
    @routes.on("GET", ARM, f"{{ws}}/{kind}/{{name}}")
    def get_container(call: Call, name: str) -> Any:
        return _container(call, kind, name)

    @routes.on("GET", ARM, f"{{ws}}/{kind}")
    def list_containers(call: Call) -> Any:
        names = [name for name, versions in state_of(call).assets[kind].items() if versions]
        return {"value": [_container(call, kind, name) for name in names]}


def _read_versions(kind: str) -> None:
    @routes.on("GET", ARM, f"{{ws}}/{kind}/{{name}}/versions")
    def list_versions(call: Call, name: str) -> Any:
        """List versions; code is looked for by its hash, whatever name is asked for (not known of the service)."""
        query = call.request.query
        if kind == "codes" and query.get("hash"):
            return {"value": list(_codes_of(call, query["hash"]))}
        view = query.get("listViewType", "ActiveOnly")
        found = [
            version_document(call, kind, name, version, body)
            for version, body in state_of(call).versions(kind, name).items()
            if view == "All" or bool(body["properties"].get("isArchived")) == (view == "ArchivedOnly")
        ]
        if not found and kind in ("environments", "data"):
            raise missing(f"{kind} container with name: {name}")
        if query.get("$orderBy", "").startswith("createdtime desc"):
            found.reverse()
        return {"value": found[: int(query.get("$top") or 100)]}

    @routes.on("GET", ARM, f"{{ws}}/{kind}/{{name}}/versions/{{version}}")
    def get_version(call: Call, name: str, version: str) -> Any:
        body = state_of(call).versions(kind, name).get(version)
        if body is None:
            raise missing(f"{kind} {name}:{version}")
        return version_document(call, kind, name, version, body)


def _write_versions(kind: str) -> None:
    @routes.on("PUT", ARM, f"{{ws}}/{kind}/{{name}}/versions/{{version}}")
    def put_version(call: Call, name: str, version: str) -> Answer:
        check(_MODELS[kind], call.json)
        if kind == "data" and name in call.workspace.datasets:
            _refuse_dataset(call, name, version)
        versions = state_of(call).assets[kind].setdefault(name, {})
        before = versions.get(version)
        sent = json.loads(json.dumps(call.json["properties"]))
        if before is not None and _fixed(before["properties"]) != _fixed(sent):
            raise Refusal(
                409, "UserError", f"{kind} {name}:{version} already exists, and its definition cannot be changed."
            )
        versions[version] = {"properties": sent, "created": before["created"] if before else now()}
        document = version_document(call, kind, name, version, versions[version])
        return reply(document, 200 if before else 201)


def _fixed(properties: Mapping[str, Any]) -> str:
    """Return what cannot be changed; absent and empty are the same."""
    kept = {key: value for key, value in properties.items() if key not in _CHANGING and value not in (None, {}, [])}
    return json.dumps(kept, sort_keys=True)


def _refuse_dataset(call: Call, name: str, version: str) -> None:
    """Take an asset under a v1 dataset's name, as the service does, and note it: that broke the dataset (hi-ml#636)."""
    call.service.broken.append(f"the data asset {name}:{version} breaks the v1 dataset of its name")


for _kind in _MODELS:
    _read_containers(_kind)
    _read_versions(_kind)
    _write_versions(_kind)


def _codes_of(call: Call, digest: str) -> list[Document]:
    found = []
    for name, versions in state_of(call).assets["codes"].items():
        for version, body in versions.items():
            if (body["properties"].get("properties") or {}).get("hash_sha256") == digest:
                found.append(version_document(call, "codes", name, version, body))
    return found


@routes.on("POST", ARM, "{ws}/codes/{name}/versions/{version}/startPendingUpload")
def start_pending_upload(call: Call, name: str, version: str) -> Any:
    """Make room for code: a container of its own, and a signed address."""
    check("PendingUploadRequestDto", call.json)
    state = state_of(call)
    container = stable_id(f"{call.workspace.id}/{name}/{version}/{len(state.pending)}")
    state.pending[container] = name
    account = call.workspace.account
    call.state.storage.add_container(account, container)
    address = f"https://{account}.blob.core.windows.net/{container}"
    return {
        "pendingUploadId": container,
        "pendingUploadType": "TemporaryBlobReference",
        "blobReferenceForConsumption": {
            "blobUri": address,
            "storageAccountArmId": f"/subscriptions/{call.workspace.subscription}/resourceGroups/"
            f"{call.workspace.group}/providers/Microsoft.Storage/storageAccounts/{account}",
            "credential": {"credentialType": "SAS", "sasUri": f"{address}?sv=2021-08-06&sr=c&sig=stand-in"},
        },
    }


DATA = "/data/v1.0{ws}"


@routes.on("POST", REGION, DATA + "/datacontainer")
def make_data_container(call: Call) -> Any:
    """Make room for a data asset; whether versions need that is not known, and here they do."""
    sent = check("DataContainer", call.json, DATA_MODELS)
    versions = state_of(call).assets["data"]
    if sent.name in versions:
        raise Refusal(409, "UserError", f"The data container {sent.name} exists.")
    versions[sent.name] = {}
    return {"dataContainer": call.json}


@routes.on("POST", REGION, DATA + "/dataversion/{name}/versions")
def make_data_version(call: Call, name: str) -> Any:
    """Make a version of a data asset, as a job does with its token (not known of the service)."""
    if call.service.refuses_data_of_jobs:
        raise Refusal(403, "UserError", "The token of a job is not for data.")
    sent = check("DataVersion", call.json, DATA_MODELS)
    versions = state_of(call).assets["data"].get(name)
    if versions is None:
        raise missing(f"data container with name: {name}")
    if sent.version_id in versions:
        raise Refusal(409, "UserError", f"data {name}:{sent.version_id} already exists.")
    if name in call.workspace.datasets:
        _refuse_dataset(call, name, sent.version_id)
    kind = {"UriFolder": "uri_folder", "UriFile": "uri_file", "MLTable": "mltable"}[sent.data_type]
    tags = sent.mutable_props.tags if sent.mutable_props else {}
    versions[sent.version_id] = {
        "properties": {"dataType": kind, "dataUri": sent.data_uri, "tags": tags},
        "created": now(),
    }
    return {"dataVersion": call.json}


@routes.on("GET", REGION, DATA + "/dataversion/{name}/versions")
def list_data_versions(call: Call, name: str) -> Any:
    versions = state_of(call).versions("data", name)
    if not versions:
        raise missing(f"data container with name: {name}")
    found = [
        {
            "dataVersion": {
                "dataContainerName": name,
                "dataType": body["properties"]["dataType"],
                "dataUri": body["properties"]["dataUri"],
                "versionId": version,
                "mutableProps": {"tags": body["properties"].get("tags") or {}},
            }
        }
        for version, body in versions.items()
    ]
    return {"value": found, "continuationToken": None, "nextLink": None}


@routes.on("GET", REGION, BASE_OF_V1 + "/datasets/query/name={name}")
def get_dataset(call: Call, name: str) -> Any:
    """Return a dataset of v1; whether it also returns data assets is not known."""
    if "datasets are data" in call.service.quirks and state_of(call).versions("data", name):
        return {"datasetId": stable_id(name), "name": name}
    return get_dataset_by_name(call, name)


@routes.on("GET", "azuremlschemasprod.azureedge.net", "/latest/{name}", public=True)
def get_schema(call: Call, name: str) -> Any:
    """Have no schema of an MLTable, which the client passes over."""
    raise missing(name)
