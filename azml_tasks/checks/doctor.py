"""Check this machine and pipeline.yaml, and suggest fixes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import metadata
from typing import Literal

from azml_tasks.checks.data import data_notes
from azml_tasks.checks.files import check_project, environment_notes
from azml_tasks.checks.retirement.notes import retirement_notes
from azml_tasks.packages import OLDEST_CLIENT, SDK_PYTHON, install_command
from azml_tasks.reading import Project, stated_backends
from azml_tasks.reading.values import REMEDY, literal_secrets
from azml_tasks.text import listed

_NOT_LOCALLY = "local runs do not need it"
SDK = ("azureml-core", "azureml-pipeline-core", "azureml-pipeline-steps")
END_OF_SUPPORT = (
    "Azure ML's SDK v1 has been out of support since 30 June 2026: existing pipelines still run; to move to "
    "v2, see `invoke migrate --help`"
)


@dataclass(frozen=True)
class Finding:
    """One check result; `remedy` is a command or a sentence."""

    verdict: Literal["good", "note", "bad"]
    message: str
    remedy: str = ""


def unfinished_move(source: str, dest: str) -> Finding:
    """Return the finding that the schedule of a target has not yet replaced that of another one."""
    message = f"the schedule is being moved from {source} to {dest}, and may be enabled on both"
    return Finding("bad", message, f"invoke migrate --from {source} --to {dest}")


def schedule_finding(name: str, *, is_asked: bool, times: Sequence[datetime | None], command: str) -> Finding | None:
    """Return whether the schedule of the file is enabled as it says.

    `times` are the next times of the enabled schedules of this name, None where one is not known.
    """
    if is_asked and not times:
        return Finding("note", f"the schedule '{name}' is not enabled", command)
    if times and not is_asked:
        return Finding("note", f"the schedule '{name}' is enabled, but the file has `enabled: false`", command)
    if not times:
        return None
    known = listed(f"{time:%a %Y-%m-%d %H:%M %Z}" for time in times if time)
    return Finding("good", f"the schedule '{name}' is enabled" + (f", next on {known}" if known else ""))


def examine(project: Project, today: date, in_this_python: Collection[str] = ()) -> Iterator[Finding]:
    """Check Python, the packages, the file and what it refers to, without Azure; the steps as in `check_project`."""
    yield from examine_machine(project.pipeline.backend, stated_backends(project.file).values())
    yield from _file(project, in_this_python)
    for note in retirement_notes(project, today):
        yield Finding("note", str(note.problem))
    yield from _secrets(project)
    yield from _variables(project)


def examine_machine(backend: str | None, others: Iterable[object] = ()) -> Iterator[Finding]:
    """Check Python and the packages, independently of the rest of the file.

    `backend` is what it sets; if local, the packages are those that the targets with `others` need, of v1 if none is
    set.
    """
    yield from _python()
    later = {"azure", "azure-v2"} & {other for other in others if isinstance(other, str)} or {"azure"}
    needed = {backend} if backend in ("azure", "azure-v2") else later
    if "azure" in needed:
        yield from _sdk(backend == "azure")
    if "azure-v2" in needed:
        yield from _client(backend == "azure-v2")


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("good", f"Python {version}, azml-tasks {_version('azml-tasks')}")


def _sdk(for_azure: bool) -> Iterator[Finding]:
    """Check the three packages of the SDK and whether they are compatible."""
    found = {name: _version(name) for name in SDK}
    missing = [name for name, version in found.items() if version is None]
    verdict: Literal["note", "bad"] = "bad" if for_azure else "note"
    if sys.version_info[:2] > SDK_PYTHON:
        message = f"the Azure ML SDK v1 does not support this Python; {_NOT_LOCALLY}"
        yield Finding(verdict, message, "use Python 3.11 for the tasks on Azure")
    elif missing:
        message = f"the Azure ML SDK is not installed ({listed(missing)}); {_NOT_LOCALLY}"
        yield Finding(verdict, message, install_command("azure"))
    else:
        yield Finding("good", f"Azure ML SDK: {', '.join(f'{name} {version}' for name, version in found.items())}")
        yield from _mismatches()
    yield Finding("note", END_OF_SUPPORT)


def _client(for_azure: bool) -> Iterator[Finding]:
    """Check Microsoft's client for Azure ML v2."""
    version = _version("azure-ai-ml")
    install = install_command("azure-v2")
    if version is None:
        message = "Microsoft's client for Azure ML v2 (azure-ai-ml) is not installed"
        yield Finding("bad", message, install) if for_azure else Finding("note", f"{message}; {_NOT_LOCALLY}", install)
    elif tuple(map(int, version.split(".")[:2])) < OLDEST_CLIENT:
        oldest = ".".join(map(str, OLDEST_CLIENT))
        yield Finding("bad", f"azure-ai-ml {version} is too old; {oldest} or later is required", install)
    else:
        yield Finding("good", f"Microsoft's client for Azure ML v2: azure-ai-ml {version}")


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


def _file(project: Project, in_this_python: Collection[str]) -> Iterator[Finding]:
    report = check_project(project, in_this_python=in_this_python)
    for problem in report.problems:
        yield Finding("bad", str(problem))
    notes = [*report.notes, *data_notes(project), *environment_notes(project), *report.remarks]
    for note in dict.fromkeys(notes):
        yield Finding("note", str(note))
    if not report.problems:
        where = f"target {project.target}" if project.target else "no target"
        yield Finding("good", f"{project.file.name} is valid ({where}, backend {project.pipeline.backend})")


def _secrets(project: Project) -> Iterator[Finding]:
    for found in literal_secrets(project.pipeline):
        yield Finding("note", str(project.problem(found.path, found.message)), REMEDY)


def _variables(project: Project) -> Iterator[Finding]:
    """List the variables that Azure needs and that are not set."""
    is_local = project.pipeline.backend == "local"
    verdict: Literal["note", "bad"] = "note" if is_local else "bad"
    remedy = "to use Azure ML, set" if is_local else "set"
    names = {missing.variable: missing.line for missing in project.values.missing}
    for name, datastore in project.pipeline.datastores.items():
        for key, variable in datastore.secret_variables.items():
            if not project.variables.get(variable):
                names[variable] = project.values.line(("datastores", name, key))
    for variable, line in sorted(names.items(), key=lambda item: item[1]):
        yield Finding(verdict, f"{project.file.name}:{line}: {remedy} {variable} in the environment or in .env")
