"""Check all that pipeline.yaml says, beyond its being readable, without Azure."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from os.path import isdir, isfile
from pathlib import Path

from azml_tasks.checks.data import column_problems
from azml_tasks.errors import MOST_SUGGESTIONS, Problem, ProjectError, closest
from azml_tasks.needs import needs_problems
from azml_tasks.reading import Project
from azml_tasks.schedule_checks import schedule_problems
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots
from azml_tasks.standin.azml_local.formats.files import files
from azml_tasks.wiring import StepPlan


def project_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the files that are named, with the schedule, and with what the backend needs."""
    needs = needs_problems(project) if project.pipeline.backend == "azure" else []
    return [*file_problems(project), *schedule_problems(project), *needs]


def file_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the files that the pipeline names: scripts, imports, data, conda files.

    How the steps are wired does not matter.
    """
    return list(
        dict.fromkeys((*_snapshots(project), *_data(project), *column_problems(project), *_environment_files(project)))
    )


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


def _data(project: Project) -> Iterator[Problem]:
    found = 0
    for name, dataset in project.pipeline.datasets.items():
        local = dataset.local_path
        if local is None:
            continue
        place = str(project.directory / local)
        # A device or a pipe is no data: reading it would never end.
        if not (files([place]) if "*" in local else isfile(place) or isdir(place)):
            what = "nothing like" if "*" in local else "no"
            close = _meant(project.directory, local) if found < MOST_SUGGESTIONS else ""
            found += 1
            yield project.problem(("datasets", name, "local_path"), f"dataset '{name}': there is {what} {local}{close}")


def _meant(project: Path, local: str) -> str:
    """Say which file or folder may have been meant by a local_path where there is none, as it is to be written."""
    slashed = local.replace("\\", "/")
    if slashed != local and os.sep == "/":
        return f"; write it with slashes: {slashed}"
    if "*" in local:
        return ""
    folder, name = os.path.split(local)
    if (project / local).exists():
        return "; what lies there is neither a file nor a folder"
    try:
        close = closest(name, sorted(os.listdir(project / folder)))
    except OSError:
        return ""
    return f"; did you mean '{os.path.join(folder, close)}'?" if close else ""


def _environment_files(project: Project) -> Iterator[Problem]:
    for name, environment in project.pipeline.environments.items():
        for key in ("conda_file", "dockerfile"):
            file = getattr(environment, key)
            if file is not None and not (project.directory / file).is_file():
                yield project.problem(("environments", name, key), f"environment '{name}': there is no {file}")
