"""The snapshots of a plan's steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, SnapshotError
from azml_tasks.wiring import Plan

Locate = Callable[[tuple[str | int, ...], str], Problem]


def take_snapshots(plan: Plan, directory: Path, located: Locate | None = None) -> dict[str, Snapshot]:
    """Return the snapshot of each step.

    `located` makes a problem of a place in the file and a sentence. Raises ProjectError with everything that is wrong
    in any of the snapshots.
    """
    builder = SnapshotBuilder(directory)
    snapshots: dict[str, Snapshot] = {}
    problems: list[Problem] = []
    for key, step in ((step.key, step.step) for step in plan.steps):
        whole = step.snapshot == "directory"
        try:
            snapshots[key] = builder.build(step.script_directory, step.script_name, step.include, whole)
        except SnapshotError as error:
            for finding in error.findings:
                wrong = finding.problem
                if finding.key and located:
                    path = ("steps", key, *finding.key)
                    wrong = located(path, f"step '{key}': {wrong.file}: {wrong.message}")
                problems.append(wrong)
    if problems:
        raise ProjectError(dict.fromkeys(problems))
    return snapshots
