"""Check where a dataset's local data are: not around the project's own runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.standin.azml_local.formats.files import expression, fixed_folder, is_pattern

if TYPE_CHECKING:
    from azml_tasks.errors import Problem
    from azml_tasks.model import Dataset
    from azml_tasks.reading import Project

_RUNS = (".azml", "runs")


def holds_runs(project_dir: str | Path, local_path: str) -> bool:
    """Return whether a local path names a folder in which the project's own runs are, or a pattern that their files
    fit.

    Such a folder may be the whole disk, and it changes with every run.
    """
    place = os.path.normpath(Path(project_dir, local_path))
    pattern: list[str] = []
    if is_pattern(place) and not os.path.exists(place):
        folder = fixed_folder(place)
        pattern = os.path.relpath(place, folder).split(os.sep)
        place = folder
    runs = os.path.realpath(Path(project_dir, *_RUNS))
    try:
        inner = os.path.relpath(runs, os.path.realpath(place)).split(os.sep)
    except ValueError:  # on another drive of Windows
        return False
    return inner[0] != os.pardir and (not pattern or _leads_into(pattern, inner))


def _leads_into(pattern: Sequence[str], folders: Sequence[str]) -> bool:
    """Return whether `**` leads a pattern into folders that are in each other; the first is beside its first part."""
    for place, part in enumerate(pattern):
        if "**" in part:
            return "/".join(folders[place:]).startswith(part.partition("*")[0])
        if place < len(folders) and not expression(part).fullmatch(folders[place]):
            return False
    return False


def is_no_place_of_data(project_dir: str | Path, dataset: Dataset) -> bool:
    """Return whether the project's own runs are among the data of a dataset that steps read.

    A file dataset may be a folder around them, since what lies in .azml does not count, but not the whole disk.
    """
    local = dataset.local_path or ""
    place = os.path.realpath(Path(project_dir, local))
    if dataset.type == "file" and os.path.isdir(place) and os.path.dirname(place) != place:
        return ".azml" in Path(os.path.normpath(local)).parts and holds_runs(project_dir, local)
    return holds_runs(project_dir, local)


def place_sentence(project_dir: str | Path, dataset: Dataset) -> str:
    """Return what is wrong with where the data of a dataset are, without a look at them; empty if they may be there."""
    local = dataset.local_path
    if local is None or not is_no_place_of_data(project_dir, dataset):
        return ""
    return f"the project's own runs (.azml) are in {local}; select a file, or a folder that contains only data"


def place_problem(project: Project, name: str) -> Problem | None:
    """Return that with its place in pipeline.yaml; None if the data may be there."""
    wrong = place_sentence(project.directory, project.pipeline.datasets[name])
    return project.problem(("datasets", name, "local_path"), f"dataset '{name}': {wrong}") if wrong else None
