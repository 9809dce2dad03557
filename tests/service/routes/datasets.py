"""Datasets: registered ones with versions, and saved definitions without a name.

Sources: `azureml/data/abstract_dataset.py`, `azureml/data/_dataset_rest_helper.py`,
`azureml/_restclient/operations/dataset_operations.py`.
"""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.identifiers import now, stable_id
from tests.service.message import Refusal
from tests.service.routing import ARM, REGION, routes
from tests.service.state import Dataset, DatasetVersion, Document, SavedDataset, Workspace

BASE = "/dataset/v1.0{ws}"


@routes.on("GET", REGION, BASE + "/datasets")
def list_datasets(call: Call) -> Any:
    found = [_document(dataset, dataset.latest) for dataset in call.workspace.datasets.values()]
    return page(call, found)


@routes.on("GET", ARM, "{ws}/data/{name}")
def get_data_asset(call: Call, name: str) -> Any:
    """Return a data asset of v2; the service of v1 alone has none."""
    raise missing(f"data container with name: {name}")


@routes.on("POST", REGION, BASE + "/datasets")
def register_dataset(call: Call) -> Any:
    """Register a new dataset or version; the definition of the latest version again makes none.

    How Azure compares definitions is not known; here it is by their text, the strictest that it can be.
    """
    body = call.json
    check(RUN_HISTORY, "DatasetDto", body)
    workspace, name, sent = call.workspace, body["name"], body["latest"]
    dataset = workspace.datasets.get(name)
    if dataset is not None and call.request.query.get("ifExistsOk", "true").lower() != "true":
        raise Refusal(409, "UserError", f"There is already a dataset registered under name {name}.")
    _refuse_registered_twice(workspace, sent.get("savedDatasetId"))
    if dataset is None:
        dataset = workspace.datasets[name] = Dataset(name, workspace.identifiers.new("dataset"))
    saved = SavedDataset(
        sent.get("savedDatasetId") or workspace.identifiers.new("saved dataset"),
        body["datasetType"],
        sent["dataflow"],
        sent.get("properties") or {},
    )
    if not dataset.versions or dataset.latest.saved.text != saved.text:
        workspace.saved_datasets[saved.id] = saved
        number = len(dataset.versions) + 1
        dataset.versions.append(DatasetVersion(number, saved, body.get("tags") or {}, body.get("description")))
    return _document(dataset, dataset.latest)


@routes.on("GET", REGION, BASE + "/datasets/query/name={name}")
def get_dataset_by_name(call: Call, name: str) -> Any:
    dataset = call.workspace.datasets.get(name)
    if dataset is None:
        raise missing(f"Dataset {name}")
    wanted = call.request.query.get("versionId")
    for version in dataset.versions:
        if str(version.version) == wanted or (wanted is None and version is dataset.latest):
            return _document(dataset, version)
    raise missing(f"Dataset {name}, version {wanted}")


@routes.on("GET", REGION, BASE + "/datasets/query/savedDatasetId={identifier}")
def get_datasets_by_saved_id(call: Call, identifier: str) -> Any:
    found = [
        _document(dataset, version)
        for dataset in call.workspace.datasets.values()
        for version in dataset.versions
        if version.saved.id == identifier
    ]
    return page(call, found)


@routes.on("PUT", REGION, BASE + "/datasets/{identifier}")
def update_dataset(call: Call, identifier: str) -> Any:
    """Change the description and tags of a version."""
    check(RUN_HISTORY, "DatasetDto", call.json)
    for dataset in call.workspace.datasets.values():
        for version in dataset.versions:
            if dataset.id == identifier and str(version.version) == call.json["latest"].get("versionId"):
                version.tags, version.description = call.json.get("tags") or {}, call.json.get("description")
                return _document(dataset, version)
    raise missing(f"Dataset {identifier}")


@routes.on("DELETE", REGION, BASE + "/datasets/{name}")
def unregister_dataset(call: Call, name: str) -> Any:
    if call.workspace.datasets.pop(name, None) is None:
        raise missing(f"Dataset {name}")


@routes.on("POST", REGION, BASE + "/saveddatasets")
def ensure_saved(call: Call) -> Any:
    """Keep a definition; the same one gets the same id."""
    check(RUN_HISTORY, "SavedDatasetDto", call.json)
    body = call.json
    identifier = stable_id(call.workspace.id + body["datasetType"] + body["dataflowJson"])
    saved = SavedDataset(identifier, body["datasetType"], body["dataflowJson"], body.get("properties") or {})
    call.workspace.saved_datasets[identifier] = saved
    return _saved_document(saved)


@routes.on("GET", REGION, BASE + "/saveddatasets/{identifier}")
def get_saved_dataset(call: Call, identifier: str) -> Any:
    return _saved_document(_saved(call.workspace, identifier))


@routes.on("GET", REGION, "/data/v1.0{ws}/dataversion/{name}/versions/{version}")
def get_dataflow(call: Call, name: str, version: str) -> Any:
    """Give the YAML of a definition, which the SDK asks for by `unregistered-<saved id>`."""
    prefix = "unregistered-"
    if not name.startswith(prefix):
        raise missing(f"Data asset {name}")
    saved = _saved(call.workspace, name.removeprefix(prefix))
    return {
        "legacyDataflow": saved.text,
        "legacyDataflowType": "RsDataflow",
        "dataVersion": {"name": name, "version": version, "dataType": "MLTable", "dataUri": None},
    }


def _saved(workspace: Workspace, identifier: str) -> SavedDataset:
    if identifier not in workspace.saved_datasets:
        raise missing(f"Dataset with id {identifier}")
    return workspace.saved_datasets[identifier]


def _refuse_registered_twice(workspace: Workspace, identifier: str | None) -> None:
    for dataset in workspace.datasets.values():
        for version in dataset.versions:
            if identifier is not None and version.saved.id == identifier:
                raise Refusal(
                    400,
                    "UserError",
                    f"The dataset has been registered as {dataset.name}:{version.version} (name:version).",
                )


def _document(dataset: Dataset, version: DatasetVersion) -> Document:
    return {
        "datasetId": dataset.id,
        "name": dataset.name,
        "datasetType": version.saved.kind,
        "description": version.description,
        "tags": version.tags,
        "isVisible": True,
        "createdTime": version.created,
        "modifiedTime": now(),
        "etag": '"0"',
        "datasetState": {"state": "active"},
        "latest": {
            "datasetId": dataset.id,
            "versionId": str(version.version),
            "datasetDefinitionState": {"state": "active"},
            "dataflow": version.saved.dataflow,
            "properties": version.saved.properties,
            "savedDatasetId": version.saved.id,
            "createdTime": version.created,
            "modifiedTime": now(),
        },
    }


def _saved_document(saved: SavedDataset) -> Document:
    return {
        "id": saved.id,
        "datasetType": saved.kind,
        "properties": dict(saved.properties),
        "dataflowJson": saved.dataflow,
    }
