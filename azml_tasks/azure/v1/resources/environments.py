"""Environments: their definitions, and their versions in the workspace."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks import model
from azml_tasks.azure.errors import MissingError, is_missing
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.backend import Change, Outcome
from azml_tasks.lock.lockfile import current_lock
from azml_tasks.plan import Plan
from azml_tasks.reading.environment import conda
from azml_tasks.reading.environment.conda import environment_text, packages_needed
from azml_tasks.runs.changes.differences import (
    ABSENT,
    Difference,
    changed_entries,
    changed_packages,
    difference,
    stated_difference,
)
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azureml.core import Environment, Workspace

# The SDK's default, which changes with its release; any of them counts as no base image.
_DEFAULT_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/openmpi[\d.]+-ubuntu[\d.]+(:.*)?")


def environment_definition(plan: Plan, name: str, directory: Path) -> Environment:
    """Return the environment `name` of the file, built without a request.

    With a base image or a Dockerfile and no packages, the image's own Python runs the steps, as in the SDK's
    `Environment.from_docker_image`. A lock replaces the pip packages. Raises ProjectError for a file that cannot be
    read.
    """
    lock = current_lock(plan, name, directory)
    needed = packages_needed(plan, name)
    return definition_of(name, plan.pipeline.environments[name], directory, needed, lock.pins if lock else ())


def definition_of(
    name: str,
    declared: model.Environment,
    directory: Path,
    needed: Iterable[str] = (conda.RUN,),
    pins: Iterable[str] = (),
) -> Environment:
    """Return an environment built from the declaration, without a request; `pins` replace its pip packages."""
    with service_calls(f"defining the environment '{name}'"):
        from azureml.core import Environment

        environment = Environment(name)
        # The SDK would set EXAMPLE_ENV_VAR.
        environment.environment_variables = dict(declared.environment_variables)
        specification = conda.conda_specification(declared, directory, needed, pins)
        environment.python.conda_dependencies = _dependencies(specification)
        environment.python.user_managed_dependencies = conda.has_own_python(declared)
        if declared.base_image:
            environment.docker.base_image = declared.base_image
        if declared.dockerfile:
            environment.docker.base_image = None
            environment.docker.base_dockerfile = environment_text(directory, declared.dockerfile)
        return environment


def pinned_environment(ws: Workspace, plan: Plan, name: str, directory: Path) -> Environment:
    """Return the environment with its version, registered first where its definition is new.

    A name that the file does not declare is looked up: `name`, `name@version`, or a curated one. Raises
    ProjectError, MissingError, ServiceError.
    """
    if name not in plan.pipeline.environments:
        return find_environment(ws, name)
    return register_environment(ws, environment_definition(plan, name, directory))[0]


def find_environment(ws: Workspace, name: str) -> Environment:
    """Return an environment of the workspace: `name` for its newest version, or `name@version`.

    Raises MissingError.
    """
    base, _, version = name.partition("@")
    with service_calls(f"looking up the environment '{name}'"):
        from azureml.core import Environment

        found = _registered(ws, base, None if version in ("", "latest") else version)
        if found is None:
            raise MissingError(_what_there_is(ws, base, version, Environment.list(ws)))
        return found


def register_environment(ws: Workspace, wanted: Environment, dry: bool = False) -> tuple[Environment, Change]:
    """Make the newest version of an environment the wanted one; a version is added when they differ and only then.

    Returns it with its version; with `dry`, and a difference, the wanted one without.
    """
    with service_calls(f"registering the environment '{wanted.name}'"):
        registered = _registered(ws, wanted.name)
        changed = differences(registered, wanted) if registered is not None else []
        if registered is not None and not changed:
            return registered, Change("environment", wanted.name, "unchanged", f"version {registered.version}")
        outcome: Outcome = "created" if registered is None else "updated"
        made = wanted if dry else wanted.register(ws)
        before = f"version {registered.version} -> " if registered is not None else "version "
        detail = f"{before}{made.version}" if not dry else f"{before}a new one" if registered is not None else ""
        return made, Change("environment", wanted.name, outcome, detail, dry, differences=tuple(changed))


def differences(registered: Environment, wanted: Environment) -> list[Difference]:
    """Return the differences of an environment, among everything that the file can declare."""
    before, after = _parts(registered), _parts(wanted)
    if _is_default(after["base_image"]) and _is_default(before["base_image"]):
        before["base_image"] = after["base_image"]
    found: list[Difference] = []
    for name in (name for name, value in after.items() if before[name] != value):
        was, now = before[name], after[name]
        if name.endswith("_packages"):
            packages = changed_packages(name.replace("_packages", " package"), was, now)
            found += packages or [stated_difference(f"{name} changed", "environment", name)]
        elif name == "environment_variables":
            found += changed_entries("variable", was, now)
        elif name in ("dockerfile", "own_python"):
            text = "the Dockerfile changed" if name == "dockerfile" else "whose Python it runs changed"
            found.append(stated_difference(text, "environment", name))
        else:
            found.append(difference("environment", name, was or ABSENT, now or ABSENT))
    return found


def _parts(environment: Environment) -> dict[str, Any]:
    own_python = bool(environment.python.user_managed_dependencies)
    dependencies = None if own_python else environment.python.conda_dependencies
    specification: Mapping[str, Any] = dependencies.as_dict() if dependencies is not None else {}
    python = conda.python_requirement(specification)
    return {
        "own_python": own_python,
        "python_version": (python or "").removeprefix("python").lstrip("="),
        "pip_packages": sorted(conda.pip_packages(specification)),
        "conda_packages": sorted({*conda.conda_packages(specification)} - {python}),
        "channels": list(specification.get("channels") or ()),
        "base_image": environment.docker.base_image or "",
        "dockerfile": environment.docker.base_dockerfile or "",
        "environment_variables": dict(environment.environment_variables or {}),
    }


def _is_default(image: str) -> bool:
    return bool(_DEFAULT_IMAGE.fullmatch(image))


def _registered(ws: Workspace, name: str, version: str | None = None) -> Environment | None:
    from azureml.core import Environment

    try:
        return Environment.get(ws, name, version)
    except Exception as error:  # the SDK raises no narrower one here (environment_client.py)
        if is_missing(error):
            return None
        raise


def _what_there_is(ws: Workspace, name: str, version: str, there: Iterable[str]) -> str:
    if name in there:
        return f"the environment '{name}' has no version {version} in the workspace '{ws.name}'"
    return f"no environment '{name}' in the file or the workspace '{ws.name}'{did_you_mean(name, there)}"


def _dependencies(specification: Mapping[str, Any]) -> Any:
    from azureml.core.conda_dependencies import CondaDependencies

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "conda.yml")
        file.write_text(json.dumps(specification), encoding="utf-8")  # JSON is YAML
        return CondaDependencies(conda_dependencies_file_path=str(file))
