"""Check all that pipeline.yaml says, beyond its being readable, without Azure."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from azml_tasks.checks.contract import disagreements
from azml_tasks.checks.data import column_problems, missing_data
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.needs import needs_problems
from azml_tasks.reading import Project
from azml_tasks.reading.environment import files_of
from azml_tasks.schedule_checks import schedule_problems
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring import StepPlan


@dataclass(frozen=True)
class ProjectReport:
    """What is wrong with a project, and remarks on what its steps pass to their scripts."""

    problems: list[Problem]
    notes: list[Problem]


def check_project(project: Project) -> ProjectReport:
    """Check the files that are named, what the scripts are passed, the schedule, and what the backend needs."""
    builder = SnapshotBuilder(project.directory, hash_file=_readable)
    with _no_collection():
        snapshots, problems = _snapshots(project, builder)
        found = [
            (project.problem(wrong.path, wrong.message), wrong.certain)
            for step in project.plan.steps
            if step.key in snapshots
            for wrong in disagreements(step, snapshots[step.key], builder)
        ]
    problems += _other_files(project)
    problems += [problem for problem, certain in found if certain]
    needs = needs_problems(project) if project.pipeline.backend == "azure" else []
    notes = [problem for problem, certain in found if not certain]
    return ProjectReport([*dict.fromkeys((*problems, *schedule_problems(project), *needs))], [*dict.fromkeys(notes)])


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep the garbage collector from going through the syntax trees, again and again while they become more."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def project_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the project; see `check_project`."""
    return check_project(project).problems


def file_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the files that the pipeline names: scripts, imports, data, conda files.

    How the steps are wired does not matter.
    """
    _, problems = _snapshots(project, SnapshotBuilder(project.directory, hash_file=_readable))
    return list(dict.fromkeys((*problems, *_other_files(project))))


def _other_files(project: Project) -> Iterator[Problem]:
    yield from missing_data(project)
    yield from column_problems(project)
    yield from _environment_files(project)


def _snapshots(project: Project, builder: SnapshotBuilder) -> tuple[dict[str, Snapshot], list[Problem]]:
    """Return the snapshots, none when one is wrong, and all that is wrong with any."""
    steps = (StepPlan(key, step, (), (), (), ()) for key, step in project.pipeline.steps.items())
    try:
        return take_snapshots(builder, steps, project.problem), []
    except ProjectError as error:
        return {}, list(error.problems)


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
    """Return remarks on the environments that stop nothing: secrets by name, Pythons that a local run cannot use."""
    files = files_of(project)
    return [*files.secret_variables(), *(files.old_pythons() if project.pipeline.backend == "local" else ())]
