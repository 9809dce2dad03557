"""Environments: definitions with versions (`azureml/_restclient/environment_client.py`)."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.message import Refusal
from tests.service.routing import REGION, routes
from tests.service.state import Document, Workspace

KEYS = {
    "name": "name",
    "python": "python",
    "environmentvariables": "environmentVariables",
    "docker": "docker",
    "spark": "spark",
    "inferencingstackversion": "inferencingStackVersion",
    "r": "r",
}
CURATED: dict[str, Document] = {
    name: {
        "name": name,
        "version": "1",
        "python": {
            "interpreterPath": "python",
            "userManagedDependencies": False,
            "condaDependencies": {
                "channels": ["conda-forge"],
                "dependencies": ["python=3.8", {"pip": [f"azureml-defaults=={release}"]}],
                "name": "project_environment",
            },
        },
        "environmentVariables": {},
        "docker": {"baseImage": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04", "enabled": True},
        "spark": None,
        "inferencingStackVersion": None,
    }
    for name, release in (("AzureML-sklearn-1.0-ubuntu20.04-py38-cpu", "1.61.0"), ("AzureML-Minimal", "1.61.0"))
}


@routes.on("GET", REGION, "/environment/v1.0{ws}/environments/{name}")
def get_environment(call: Call, name: str) -> Any:
    return _latest(call.workspace, name)


@routes.on("GET", REGION, "/environment/v1.0{ws}/environments/{name}/versions/{version}")
def get_environment_version(call: Call, name: str, version: str) -> Any:
    versions = _versions(call.workspace, name)
    if version not in versions:
        raise missing(f"Environment {name} with version {version}")
    return versions[version]


@routes.on("GET", REGION, "/environment/v1.0{ws}/environments/")
@routes.on("GET", REGION, "/environment/v1.0{ws}/environments")
def list_environments(call: Call) -> Any:
    own = [_latest(call.workspace, name) for name in call.workspace.environments]
    return {"value": own + list(CURATED.values()), "continuationToken": None}


@routes.on("PUT", REGION, "/environment/v1.0{ws}/environments/{name}")
def register_environment(call: Call, name: str) -> Any:
    """Make the next version; what is the same as the latest one stays that version."""
    definition = _definition(call.json, name)
    versions = call.workspace.environments.setdefault(name, {})
    if versions and _without_version(_latest(call.workspace, name)) == definition:
        return _latest(call.workspace, name)
    numbers = [int(version) for version in versions if version.isdecimal()]
    return _store(versions, definition, str(max(numbers, default=0) + 1))


@routes.on("PUT", REGION, "/environment/v1.0{ws}/environments/{name}/versions/{version}")
def register_environment_version(call: Call, name: str, version: str) -> Any:
    definition = _definition(call.json, name)
    return _store(call.workspace.environments.setdefault(name, {}), definition, version)


def _definition(body: Document, name: str) -> Document:
    unknown = [key for key in body if key.lower() not in KEYS]
    if unknown:
        raise Refusal(400, "BadArgument", f"An environment has no {', '.join(unknown)}.")
    if name.lower().startswith(("azureml-", "microsoft")):
        raise Refusal(400, "BadArgument", f"The prefix of the environment's name '{name}' is reserved.")
    definition = {KEYS[key.lower()]: value for key, value in body.items()}
    if not isinstance(definition.get("python"), dict):
        raise Refusal(400, "BadArgument", "An environment needs its python section.")
    return definition


def _store(versions: dict[str, Document], definition: Document, version: str) -> Document:
    versions.pop(version, None)
    versions[version] = {**definition, "version": version}
    return versions[version]


def _without_version(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "version"}


def _versions(workspace: Workspace, name: str) -> dict[str, Document]:
    curated = {CURATED[name]["version"]: CURATED[name]} if name in CURATED else {}
    versions = workspace.environments.get(name) or curated
    if not versions:
        raise missing(f"Environment {name}")
    return versions


def _latest(workspace: Workspace, name: str) -> Document:
    return list(_versions(workspace, name).values())[-1]
