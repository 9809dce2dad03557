"""The models and datasets that local runs registered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from azml_tasks.local.runs import list_runs
from azml_tasks.local.store.files import read_json, read_lines
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.runs.results.registered import Asset
from azml_tasks.standin.azml_local.formats import registered


def models(project_dir: str | Path) -> list[Asset]:
    """Return all versions of the models, the newest first."""
    layout = ProjectPaths.of(project_dir)
    sources = _sources(layout)
    found = []
    for record in layout.models.glob("*/*/model.json"):
        described, version = read_json(record) or {}, record.parent.name
        if version.isdecimal() and isinstance(described.get("file"), str):
            tags = described.get("tags")
            found.append(
                Asset(
                    record.parent.parent.name,
                    int(version),
                    _seconds(described.get("created_time")),
                    source=sources.get(str(record.parent), ""),
                    tags=tags if isinstance(tags, dict) else {},
                    place=str(record.parent / "files" / Path(described["file"]).name),
                )
            )
    return sorted(found, key=lambda asset: (asset.created or 0, asset.number), reverse=True)


def datasets(project_dir: str | Path) -> list[Asset]:
    """Return all versions of the datasets, the newest first."""
    layout = ProjectPaths.of(project_dir)
    sources = _sources(layout)
    folder = layout.root / "datasets"
    found = []
    for name in registered.names(str(folder)) if folder.is_dir() else ():
        for version, file in registered.versions(registered.folder_of(str(folder), name)):
            described = read_json(Path(file)) or {}
            definition, tags = described.get("definition"), described.get("tags")
            if isinstance(definition, dict):
                paths = definition.get("paths")
                first = str(paths[0]) if isinstance(paths, list) and paths else ""
                place = registered.of_project(first, str(layout.project))
                found.append(
                    Asset(
                        name,
                        version,
                        Path(file).stat().st_mtime,
                        str(definition.get("kind", "")),
                        sources.get(file, "") or _of_output(Path(place), layout),
                        tags if isinstance(tags, dict) else {},
                        place,
                    )
                )
    return sorted(found, key=lambda asset: (asset.created or 0, asset.number), reverse=True)


def _sources(layout: ProjectPaths) -> dict[str, str]:
    """Return which run and step registered what, by its path."""
    return {path: source for record in list_runs(layout.project) for path, source in _by_run(record.places.root)}


def _by_run(run: Path) -> Iterator[tuple[str, str]]:
    for reads in run.glob("steps/*/reads.jsonl"):
        for line in read_lines(reads):
            yield str(line.get("path", "")), f"{run.name} {reads.parent.name}"


def _of_output(place: Path, layout: ProjectPaths) -> str:
    """Return the run and the step of an output folder that was registered; empty for other paths."""
    try:
        run, _, step, *_ = place.relative_to(layout.runs).parts
    except ValueError:
        return ""
    return f"{run} {step}"


def _seconds(time: object) -> float | None:
    try:
        return datetime.fromisoformat(str(time)).timestamp()
    except ValueError:
        return None
