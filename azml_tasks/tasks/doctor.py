"""The task that says what is still lacking."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.tasks.settings import load
from azml_tasks.tasks.task import TARGET, task

if TYPE_CHECKING:
    from azml_tasks.diagnosis import Finding
    from azml_tasks.reading import Project

_MARKS = {"good": "ok  ", "note": "note", "bad": "BAD "}


@task(help={"target": TARGET})
def doctor(context: Context, target: str = "") -> None:
    """Say what this machine, the file and the workspace still lack, and what mends it."""
    from azml_tasks.diagnosis import examine

    project = load(context, target)
    findings = []
    for finding in (*examine(project), *_workspace(project)):
        findings.append(finding)
        print(f"{_MARKS[finding.verdict]} {finding.message}")
        if finding.remedy:
            print(f"     -> {finding.remedy}")
    if any(finding.verdict == "bad" for finding in findings):
        raise Exit(code=2)


def _workspace(project: Project) -> Iterator[Finding]:
    """Look at the workspace, when the target runs there."""
    if project.pipeline.backend != "azure":
        return
    from azml_tasks.azure.diagnosis import examine_workspace

    yield from examine_workspace(project)
