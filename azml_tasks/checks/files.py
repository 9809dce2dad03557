"""Check all that pipeline.yaml says, beyond its being readable, without Azure."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from azml_tasks.checks.data import column_problems, missing_data
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.needs import needs_problems
from azml_tasks.reading import Project
from azml_tasks.reading.environment import files_of
from azml_tasks.schedule_checks import schedule_problems
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots
from azml_tasks.wiring import StepPlan


def project_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the files that are named, with the schedule, and with what the backend needs."""
    needs = needs_problems(project) if project.pipeline.backend == "azure" else []
    return list(dict.fromkeys((*file_problems(project), *schedule_problems(project), *needs)))


def file_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the files that the pipeline names: scripts, imports, data, conda files.

    How the steps are wired does not matter.
    """
    data = (*missing_data(project), *column_problems(project))
    return list(dict.fromkeys((*_snapshots(project), *data, *_environment_files(project))))


def _snapshots(project: Project) -> Iterator[Problem]:
    builder = SnapshotBuilder(project.directory, hash_file=_readable)
    steps = (StepPlan(key, step, (), (), (), ()) for key, step in project.pipeline.steps.items())
    try:
        take_snapshots(builder, steps, project.problem)
    except ProjectError as error:
        yield from error.problems


def _readable(path: str) -> str:
    """Make sure that a file can be read, whose content does not matter for a check.

    Raises OSError.
    """
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return ""


def _environment_files(project: Project) -> Iterator[Problem]:
    for name, environment in project.pipeline.environments.items():
        for key in ("conda_file", "dockerfile"):
            file = getattr(environment, key)
            if file is not None and not (project.directory / file).is_file():
                yield project.problem(("environments", name, key), f"environment '{name}': there is no {file}")
    files = files_of(project)
    yield from files.faults()
    if project.pipeline.backend == "local":
        yield from files.missing()


def environment_notes(project: Project) -> list[Problem]:
    """Return remarks on the environments that stop nothing: Pythons that a local run cannot use."""
    return list(files_of(project).old_pythons()) if project.pipeline.backend == "local" else []
