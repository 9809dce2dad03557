"""A published script as the one step of a project, and what is said about it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from azml_tasks.checks.files import check_project
from azml_tasks.errors import ProjectError
from azml_tasks.reading import load_project


def write_project(folder: Path, files: Mapping[str, bytes], step: Mapping[str, object]) -> Path:
    """Write a project with the files and one step; return its pipeline.yaml. The keys of the step are in its lines."""
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    datasets = step.get("input_datasets", {})
    assert isinstance(datasets, Mapping)
    keys = "".join(f"    {key}: {json.dumps(value)}\n" for key, value in step.items())
    declared = json.dumps({name: {"local_path": "data.csv"} for name in datasets.values()})
    (folder / "data.csv").write_text("a\n1\n", encoding="utf-8")
    file = folder / "pipeline.yaml"
    file.write_text(f"backend: local\ndatasets: {declared}\nsteps:\n  step:\n{keys}", encoding="utf-8")
    return file


def said_of(file: Path) -> list[str]:
    """Return the problems and the notes of a project, notes marked as such."""
    try:
        report = check_project(load_project(file, variables={}))
    except ProjectError as error:
        return list(map(str, error.problems))
    return [*map(str, report.problems), *(f"note: {note}" for note in report.notes)]
