"""Registered models and the assets behind them (`azureml/core/model.py`)."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.identifiers import now
from tests.service.message import Answer
from tests.service.routing import REGION, routes
from tests.service.state import Document, Model, Workspace

BASE = "/modelmanagement/v1.0{ws}"


@routes.on("POST", REGION, BASE + "/assets")
def create_asset(call: Call) -> Any:
    check(RUN_HISTORY, "Asset", call.json)
    identifier = call.workspace.identifiers.new("asset").replace("-", "")
    call.workspace.assets[identifier] = {**call.json, "id": identifier, "createdTime": now()}
    return call.workspace.assets[identifier]


@routes.on("GET", REGION, BASE + "/assets/{identifier}")
def get_asset(call: Call, identifier: str) -> Any:
    if identifier not in call.workspace.assets:
        raise missing(f"Asset {identifier}")
    return call.workspace.assets[identifier]


@routes.on("POST", REGION, BASE + "/models")
def register_model(call: Call) -> Any:
    """Register the next version of a model."""
    check(RUN_HISTORY, "Model", call.json)
    name = call.json["name"]
    version = 1 + max((model.version for model in call.workspace.models if model.name == name), default=0)
    document = {
        **call.json,
        "id": f"{name}:{version}",
        "version": version,
        "createdTime": now(),
        "modifiedTime": now(),
        "createdBy": {"userName": "stand-in"},
    }
    call.workspace.models.append(Model(name, version, document))
    return document


@routes.on("GET", REGION, BASE + "/models")
def list_models(call: Call) -> Any:
    """List models, newest version first, by name, tags, properties, run."""
    query = call.request.query
    found = [
        model
        for model in reversed(call.workspace.models)
        if query.get("name", model.name) == model.name
        and query.get("runId", model.document.get("runId")) == model.document.get("runId")
        and _has(model.document.get("kvTags"), query.get("tags"))
        and _has(model.document.get("properties"), query.get("properties"))
    ]
    if query.get("latestVersionOnly") == "true":
        newest = {model.name: model for model in reversed(found)}
        found = [model for model in found if newest[model.name] is model]
    return page(call, [model.document for model in found], "count")


@routes.on("GET", REGION, BASE + "/models/{identifier}")
def get_model(call: Call, identifier: str) -> Any:
    return _find(call.workspace, identifier).document


@routes.on("PATCH", REGION, BASE + "/models/{identifier}")
def patch_model(call: Call, identifier: str) -> Any:
    """Change what a model says about itself, by JSON patch operations on its top level or its tags."""
    document = _find(call.workspace, identifier).document
    for operation in call.json:
        *above, last = operation["path"].strip("/").split("/")
        target = document
        for name in above:
            target = target.setdefault(name, {})
        if operation["op"] == "remove":
            target.pop(last, None)
        else:
            target[last] = operation["value"]
    document["modifiedTime"] = now()
    return document


@routes.on("DELETE", REGION, BASE + "/models/{identifier}")
def delete_model(call: Call, identifier: str) -> Answer:
    call.workspace.models.remove(_find(call.workspace, identifier))
    return Answer(200)


def _find(workspace: Workspace, identifier: str) -> Model:
    for model in workspace.models:
        if model.document["id"] == identifier:
            return model
    raise missing(f"Model {identifier}")


def _has(pairs: Document | None, wanted: str | None) -> bool:
    """Say whether all of 'name=value,name' are there."""
    for item in (wanted or "").split(","):
        name, equals, value = item.partition("=")
        if name and (name not in (pairs or {}) or (equals and (pairs or {})[name] != value)):
            return False
    return True
