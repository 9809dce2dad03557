"""Artifacts of runs (`azureml/_restclient/artifacts_client.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.service import artifacts
from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.identifiers import now
from tests.service.message import Answer
from tests.service.routing import REGION, routes
from tests.service.state import Document

BASE = "/artifact/v2.0{ws}/artifacts"
OF_RUN = "/history/v1.0{ws}/experiments/{experiment}/runs/{identifier}/artifacts"
"""The same by run, as azureml-mlflow asks (`_restclient/run_artifact`); the experiment is its name or its id."""


@routes.on("POST", REGION, BASE + "/batch/metadata/{origin}/{container}")
def create_empty_artifacts(call: Call, origin: str, container: str) -> Any:
    """Make room for files and say where each is to be put."""
    check(RUN_HISTORY, "BatchArtifactCreateCommand", call.json)
    call.state.storage.add_container(call.workspace.account, artifacts.CONTAINER)
    paths = [item["path"] for item in call.json["paths"]]
    return {
        "artifacts": {path: _document(origin, container, path) for path in paths},
        "artifactContentInformation": {path: _content(call, origin, container, path) for path in paths},
        "errors": {},
    }


@routes.on("POST", REGION, BASE + "/content/{origin}/{container}/{path:path}")
def upload_artifact(call: Call, origin: str, container: str, path: str) -> Any:
    """Write an artifact, or add to it."""
    content = call.request.body
    if call.request.query.get("append", "").lower() == "true":
        content = dict(_find(call, origin, container)).get(path, b"") + content
    artifacts.put(call.state, call.workspace, container, path, content, origin)
    return _document(origin, container, path)


@routes.on("GET", REGION, BASE + "/content/{origin}/{container}/{path:path}")
def download_artifact(call: Call, origin: str, container: str, path: str) -> Answer:
    _require(call, origin, container, path)
    return Answer(200, dict(_find(call, origin, container))[path])


@routes.on("GET", REGION, BASE + "/contentinfo/{origin}/{container}/{path:path}")
def get_content_information(call: Call, origin: str, container: str, path: str) -> Any:
    _require(call, origin, container, path)
    return _content(call, origin, container, path)


@routes.on("GET", REGION, BASE + "/write/{origin}/{container}/{path:path}")
def get_write_address(call: Call, origin: str, container: str, path: str) -> Any:
    return _content(call, origin, container, path)


@routes.on("GET", REGION, BASE + "/prefix/contentinfo/{origin}/{container}/{prefix:path}", polling=True)
def list_content_information(call: Call, origin: str, container: str, prefix: str) -> Any:
    found = _find(call, origin, container, prefix)
    return page(call, [_content(call, origin, container, path) for path, _ in found])


@routes.on("GET", REGION, BASE + "/metadata/{origin}/{container}/{path:path}")
def get_artifact(call: Call, origin: str, container: str, path: str) -> Any:
    _require(call, origin, container, path)
    return _document(origin, container, path)


@routes.on("GET", REGION, BASE + "/{origin}/{container}")
def list_artifacts(call: Call, origin: str, container: str) -> Any:
    found = _find(call, origin, container)
    return page(call, [_document(origin, container, path) for path, _ in found])


@routes.on("POST", REGION, OF_RUN + "/batch/metadata")
def create_empty_artifacts_of_run(call: Call, experiment: str, identifier: str) -> Any:
    return create_empty_artifacts(call, artifacts.ORIGIN, f"dcid.{identifier}")


@routes.on("GET", REGION, OF_RUN)
def list_artifacts_of_run(call: Call, experiment: str, identifier: str) -> Any:
    return list_artifacts(call, artifacts.ORIGIN, f"dcid.{identifier}")


@routes.on("GET", REGION, OF_RUN + "/contentinfo")
def get_content_information_of_run(call: Call, experiment: str, identifier: str) -> Any:
    return get_content_information(call, artifacts.ORIGIN, f"dcid.{identifier}", call.request.query["path"])


def _find(call: Call, origin: str, container: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    return artifacts.find(call.state, call.workspace, container, prefix, origin)


def _require(call: Call, origin: str, container: str, path: str) -> None:
    if path not in dict(_find(call, origin, container)):
        raise missing(f"Artifact {path}")


def _document(origin: str, container: str, path: str) -> Document:
    return {
        "artifactId": f"{origin}/{container}/{path}",
        "origin": origin,
        "container": container,
        "path": path,
        "createdTime": now(),
        "dataPath": None,
    }


def _content(call: Call, origin: str, container: str, path: str) -> Document:
    return {
        "contentUri": artifacts.address(call.workspace, container, path, origin),
        "origin": origin,
        "container": container,
        "path": path,
    }
