"""Describe what the record of a local run's step has of what it logged with MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from azml_tasks.local.runs import find_run
from tests.mlflow.files import files_in


def described_record(project: Path, step: str) -> list[dict[str, Any]]:
    """Return the step's own run and its children, as its record has them."""
    record = find_run(project)[step]
    root = record.places.root
    folders = [root, *sorted((root / "children").iterdir(), key=lambda folder: int(folder.name))]
    runs = [record, *record.children()]
    return [_described(run, folder) for run, folder in zip(runs, folders, strict=True)]


def _described(run: Any, folder: Path) -> dict[str, Any]:
    is_step = callable(run.metrics)
    metrics: dict[str, list[list[Any]]] = {}
    for line in run.metrics() if is_step else run.metrics:
        value = float(str(line["value"]).replace("Infinity", "inf"))
        metrics.setdefault(line["name"], []).append([line["step"], repr(value)])
    params = run.parameters() if is_step else run.parameters
    tags = run.recorded_tags() if is_step else run.tags
    return {
        "params": dict(params),
        "metrics": {name: sorted(values) for name, values in metrics.items()},
        "tags": {name: value for name, value in tags.items() if not name.startswith("mlflow.")},
        "artifacts": files_in(folder / "artifacts"),
    }
