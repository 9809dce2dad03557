"""Environments: their definitions, and their versions in the workspace."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks import conda, model
from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.changes import Change, Outcome
from azml_tasks.azure.failures import MissingError, is_missing
from azml_tasks.errors import did_you_mean, listed
from azml_tasks.reading.environment import environment_text
from azml_tasks.wiring import DatasetInput, Plan, TableInput

if TYPE_CHECKING:
    from azureml.core import Environment, Workspace

# The SDK's own choice, which moves with its release; registered with any of them it is still "none asked for".
_DEFAULT_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/openmpi[\d.]+-ubuntu[\d.]+(:.*)?")


def environment_definition(plan: Plan, name: str, directory: Path) -> Environment:
    """Return the environment that the file declares as `name`, made without a request.

    With a base image or a Dockerfile and no packages, the image's own Python runs the steps, as in the SDK's
    `Environment.from_docker_image`. Raises ProjectError for a file that cannot be read.
    """
    return definition_of(name, plan.pipeline.environments[name], directory, packages_needed(plan, name))


def packages_needed(plan: Plan, name: str) -> tuple[str, ...]:
    """Return the pip packages that the run itself needs in the environment, by what its steps read."""
    inputs = [
        item
        for step in plan.steps
        if plan.pipeline.env_of(step.step) == name
        for item in step.inputs
        if isinstance(item, (DatasetInput, TableInput))
    ]
    tables = [item for item in inputs if isinstance(item, TableInput) or item.mode == "direct"]
    return (conda.RUN, *((conda.FILES,) if inputs else ()), *((conda.TABLES,) if tables else ()))


def definition_of(
    name: str, declared: model.Environment, directory: Path, needed: Iterable[str] = (conda.RUN,)
) -> Environment:
    """Return an environment made of the declaration, without a request."""
    with service_calls(f"defining the environment '{name}'"):
        from azureml.core import Environment

        environment = Environment(name)
        # The SDK would set EXAMPLE_ENV_VAR.
        environment.environment_variables = dict(declared.environment_variables)
        environment.python.conda_dependencies = _dependencies(conda.conda_specification(declared, directory, needed))
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
        reason = f"{listed(changed)} changed" if changed else ""
        if dry:
            return wanted, Change("environment", wanted.name, outcome, reason, dry=True)
        made = wanted.register(ws)
        detail = f"version {made.version}: {reason}" if reason else f"version {made.version}"
        return made, Change("environment", wanted.name, outcome, detail)


def differences(registered: Environment, wanted: Environment) -> list[str]:
    """Name what of an environment differs, of all that the file can say."""
    before, after = _parts(registered), _parts(wanted)
    if _is_default(after["the base image"]) and _is_default(before["the base image"]):
        before["the base image"] = after["the base image"]
    return [name for name, value in after.items() if before[name] != value]


def _parts(environment: Environment) -> dict[str, Any]:
    own_python = bool(environment.python.user_managed_dependencies)
    dependencies = None if own_python else environment.python.conda_dependencies
    specification: Mapping[str, Any] = dependencies.as_dict() if dependencies is not None else {}
    python = conda.python_requirement(specification)
    return {
        "whose Python it runs": own_python,
        "the Python version": python,
        "the pip packages": sorted(conda.pip_packages(specification)),
        "the conda packages": sorted({*conda.conda_packages(specification)} - {python}),
        "the channels": list(specification.get("channels") or ()),
        "the base image": environment.docker.base_image or "",
        "the Dockerfile": environment.docker.base_dockerfile or "",
        "the environment variables": dict(environment.environment_variables or {}),
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
    return f"the workspace '{ws.name}' has no environment '{name}', nor has the file{did_you_mean(name, there)}"


def _dependencies(specification: Mapping[str, Any]) -> Any:
    from azureml.core.conda_dependencies import CondaDependencies

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "conda.yml")
        file.write_text(json.dumps(specification), encoding="utf-8")  # JSON is YAML
        return CondaDependencies(conda_dependencies_file_path=str(file))
