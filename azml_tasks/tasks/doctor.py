"""The task that says what is still lacking."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.errors import printable
from azml_tasks.tasks.settings import load, stated
from azml_tasks.tasks.task import TARGET, task

if TYPE_CHECKING:
    from azml_tasks.diagnosis import Finding
    from azml_tasks.reading import Project

_MARKS = {"good": "ok  ", "note": "note", "bad": "BAD "}


@task(help={"target": TARGET})
def doctor(context: Context, target: str = "") -> None:
    """Say what this machine, the file and the workspace lack, and what mends it."""
    verdicts = set()
    for finding in _findings(context, target):
        verdicts.add(finding.verdict)
        print(printable(f"{_MARKS[finding.verdict]} {finding.message}"), flush=True)
        if finding.remedy:
            print(f"     -> {finding.remedy}")
    if "bad" in verdicts:
        raise Exit(code=2)


def _findings(context: Context, target: str) -> Iterator[Finding]:
    """Look at everything; with a file that cannot be used, at what does not depend on it."""
    from azml_tasks.diagnosis import Finding, examine, examine_machine
    from azml_tasks.errors import ProjectError

    try:
        project = load(context, target, with_files=True)
    except ProjectError as error:
        yield from examine_machine(stated(context, target) == "azure")
        yield from (Finding("bad", line) for line in str(error).splitlines())
        return
    yield from examine(project)
    yield from _environments(project)
    yield from _workspace(project)


def _environments(project: Project) -> Iterator[Finding]:
    """Name the environments that `register-env` could not make on this machine, when the target runs here."""
    if project.pipeline.backend != "local":
        return
    from azml_tasks.diagnosis import Finding
    from azml_tasks.errors import ProjectError
    from azml_tasks.local.registration import missing_pythons

    # A conda file that cannot be read is told with the file.
    with contextlib.suppress(ProjectError):
        yield from (Finding("note", str(problem)) for problem in missing_pythons(project))


def _workspace(project: Project) -> Iterator[Finding]:
    """Look at the workspace, when the target runs there."""
    if project.pipeline.backend != "azure":
        return
    from azml_tasks.azure.diagnosis import examine_workspace

    yield from examine_workspace(project)
