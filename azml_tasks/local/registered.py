"""The models and datasets that local runs registered."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from azml_tasks.local.runs import list_runs
from azml_tasks.local.store.files import read_json, read_lines
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.runs.results.registered import Asset
from azml_tasks.standin.azml_local.formats import registered


def models(project_dir: str | Path) -> list[Asset]:
    """Return all versions of the models, the newest first."""
    layout = ProjectPaths.of(project_dir)
    sources = _Sources(layout)
    found = []
    for record in layout.models.glob("*/*/model.json"):
        described, version = _read(record), record.parent.name
        if version.isdecimal() and isinstance(described.get("file"), str):
            tags = described.get("tags")
            found.append(
                Asset(
                    record.parent.parent.name,
                    int(version),
                    _seconds(described.get("created_time")),
                    source=sources.of(str(record.parent)),
                    tags=tags if isinstance(tags, dict) else {},
                    place=str(record.parent / "files" / Path(described["file"]).name),
                )
            )
    return sorted(found, key=lambda asset: (asset.created or 0, asset.number), reverse=True)


def datasets(project_dir: str | Path) -> list[Asset]:
    """Return all versions of the datasets, the newest first."""
    layout = ProjectPaths.of(project_dir)
    sources = _Sources(layout)
    folder = layout.root / "datasets"
    found = []
    for name in os.listdir(folder) if folder.is_dir() else ():
        for version, file in registered.versions(str(folder / name)):
            described = _read(Path(file))
            definition, tags = described.get("definition"), described.get("tags")
            if isinstance(definition, dict):
                paths = definition.get("paths")
                first = str(paths[0]) if isinstance(paths, list) and paths else ""
                place = registered.of_project(first, str(layout.project))
                found.append(
                    Asset(
                        unquote(name),
                        version,
                        Path(file).stat().st_mtime,
                        str(definition.get("kind", "")),
                        sources.of(file) or sources.of_output(Path(place)),
                        tags if isinstance(tags, dict) else {},
                        place,
                    )
                )
    return sorted(found, key=lambda asset: (asset.created or 0, asset.number), reverse=True)


class _Sources:
    """Which run and step registered what, with the key of the step."""

    def __init__(self, layout: ProjectPaths) -> None:
        self._layout = layout
        self._steps: dict[tuple[str, str], str] = {}
        self._by_path: dict[str, str] = {}
        for record in list_runs(layout.project):
            self._steps |= {(record.id, step.places.root.name): step.key for step in record.steps}
            for reads in record.places.root.glob("steps/*/reads.jsonl"):
                for line in read_lines(reads):
                    self._by_path[str(line.get("path", ""))] = self._named(record.id, reads.parent.name)

    def _named(self, run_id: str, folder: str) -> str:
        return f"{run_id} {self._steps.get((run_id, folder), folder)}"

    def of(self, path: str) -> str:
        """Return the run and the step that registered what is recorded at a path; empty if unknown."""
        return self._by_path.get(path, "")

    def of_output(self, place: Path) -> str:
        """Return the run and the step of an output folder that was registered; empty for other paths."""
        try:
            run, _, step, *_ = place.relative_to(self._layout.runs).parts
        except ValueError:
            return ""
        return self._named(run, step)


def _read(path: Path) -> dict[str, Any]:
    """Return the content of a record; empty if it cannot be read."""
    try:
        found = read_json(path)
    except OSError:
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(time: object) -> float | None:
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None
