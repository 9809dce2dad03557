"""What this machine and this file still lack; each finding with what mends it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import Literal

import azml_tasks
from azml_tasks.checks import environment_notes, project_problems
from azml_tasks.errors import listed
from azml_tasks.needs import install_command
from azml_tasks.reading import Project
from azml_tasks.reading.literal_secrets import literal_secrets
from azml_tasks.reading.values import REMEDY

SDK = ("azureml-core", "azureml-pipeline-core", "azureml-pipeline-steps")
# The newest Python that Microsoft publishes the SDK for.
SDK_PYTHON = (3, 11)
END_OF_SUPPORT = (
    "Azure ML's SDK v1 has been out of support since 30 June 2026: what exists goes on running, "
    "new services are for SDK v2"
)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `remedy` is a command or a sentence."""

    verdict: Literal["good", "note", "bad"]
    message: str
    remedy: str = ""


def examine(project: Project) -> Iterator[Finding]:
    """Look at the Python, the packages, the file and what it names, all without Azure."""
    yield from examine_machine(project.pipeline.backend == "azure")
    yield from _file(project)
    yield from _secrets(project)
    yield from _variables(project)


def examine_machine(for_azure: bool) -> Iterator[Finding]:
    """Look at the Python and the packages, whatever the file says."""
    yield from _python()
    yield from _sdk(for_azure)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("good", f"Python {version}, azml-tasks {azml_tasks.__version__}")


def _sdk(for_azure: bool) -> Iterator[Finding]:
    """Look at the three packages of the SDK and whether they fit together."""
    found = {name: _version(name) for name in SDK}
    missing = [name for name, version in found.items() if version is None]
    verdict: Literal["note", "bad"] = "bad" if for_azure else "note"
    if sys.version_info[:2] > SDK_PYTHON:
        message = "the Azure ML SDK v1 does not exist for this Python; local runs need none"
        yield Finding(verdict, message, "use Python 3.11 for the tasks that talk to Azure")
    elif missing:
        message = f"the Azure ML SDK is not installed ({listed(missing)}); local runs need none"
        yield Finding(verdict, message, install_command())
    else:
        yield Finding("good", f"Azure ML SDK: {', '.join(f'{name} {version}' for name, version in found.items())}")
        yield from _mismatches()
    yield Finding("note", END_OF_SUPPORT)


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _mismatches() -> Iterator[Finding]:
    """Find requirements between the SDK's own packages that the installed versions do not meet."""
    if importlib.util.find_spec("packaging") is None:
        return
    from packaging.requirements import Requirement

    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] or ""
        if not name.startswith("azureml-"):
            continue
        for text in distribution.requires or []:
            requirement = Requirement(text)
            version = _version(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if not requirement.name.startswith("azureml-") or not wanted or version is None:
                continue
            if not requirement.specifier.contains(version, prereleases=True):
                message = (
                    f"{name} {distribution.version} needs {requirement.name}{requirement.specifier}, found {version}"
                )
                yield Finding("bad", message, 'pip install --upgrade "azml-tasks[azure]"')


def _file(project: Project) -> Iterator[Finding]:
    problems = project_problems(project)
    for problem in problems:
        yield Finding("bad", str(problem))
    for note in environment_notes(project):
        yield Finding("note", str(note))
    if not problems:
        where = f"target {project.target}" if project.target else "no target"
        yield Finding("good", f"{project.file.name} is fine ({where}, backend {project.pipeline.backend})")


def _secrets(project: Project) -> Iterator[Finding]:
    for found in literal_secrets(project.pipeline):
        yield Finding("note", str(project.problem(found.path, found.message)), REMEDY)


def _variables(project: Project) -> Iterator[Finding]:
    """Name the variables that Azure will need and that are not set."""
    verdict: Literal["note", "bad"] = "bad" if project.pipeline.backend == "azure" else "note"
    names = {missing.variable: missing.line for missing in project.values.missing}
    for name, datastore in project.pipeline.datastores.items():
        for key, variable in datastore.secret_variables.items():
            if not project.variables.get(variable):
                names[variable] = project.values.line(("datastores", name, key))
    for variable, line in sorted(names.items(), key=lambda item: item[1]):
        message = f"{project.file.name}:{line} needs {variable}, which is set neither in the environment nor in .env"
        yield Finding(verdict, message, f"export {variable}=..., or a line {variable}=... in .env")
