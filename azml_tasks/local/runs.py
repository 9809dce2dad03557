"""The runs of a project: made, found, listed, and cleared away."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azml_tasks.errors import RunError, listed
from azml_tasks.local.destinations import registered_folders
from azml_tasks.local.files import read_json, remove_tree, write_json
from azml_tasks.local.layout import Layout
from azml_tasks.local.record import RunRecord, read_run

_MOST_TRIES = 100


def new_run(layout: Layout, experiment: str, parameters: Mapping[str, Any]) -> RunRecord:
    """Make the folder of a new run, which no other run has, and return its record, not yet written.

    Its id is the time in UTC, with 1/65536 of a second, so that ids sort as the runs began.

    Raises OSError.
    """
    layout.root.mkdir(parents=True, exist_ok=True)
    ignore = layout.root / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    for _ in range(_MOST_TRIES):
        now = time.time()
        run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 65536):04x}"
        places = layout.run(run_id)
        try:
            places.root.mkdir(parents=True)
        except FileExistsError:
            continue
        return RunRecord(run_id, experiment, "running", now, parameters=parameters, places=places)
    raise RunError("no new run could be made: its folder is there already, however often it is tried")


def list_runs(project_dir: str | Path) -> list[RunRecord]:
    """Return the records of all runs, the newest first."""
    layout = Layout.of(project_dir)
    records = (read_run(layout.run(run_id)) for run_id in _ids(layout))
    return [record for record in records if record is not None]


def find_run(project_dir: str | Path, wanted: str | None = None) -> RunRecord:
    """Return the newest run, or the one whose id begins with `wanted`.

    Raises RunError when there is none, or more than one.
    """
    layout = Layout.of(project_dir)
    found = [run_id for run_id in _ids(layout) if run_id.startswith(wanted or "")]
    if wanted and len(found) > 1 and wanted not in found:
        raise RunError(f"several runs begin with '{wanted}': {listed(found[:3])}{' ...' if len(found) > 3 else ''}")
    for run_id in found:
        record = read_run(layout.run(run_id))
        if record is not None:
            return record
    if wanted:
        raise RunError(f"there is no run '{wanted}'; `invoke runs.list` shows those there are")
    raise RunError("nothing has been run here yet; `invoke run` does")


def prune(project_dir: str | Path, keep: int = 5, dry: bool = False) -> list[str]:
    """Clear away all but the newest runs and return the ids of those that are wholly gone.

    Runs that still go on stay. Of a run that is cleared, steps stay whose results a kept run or the next one reuses,
    or that a registered dataset is made of.

    Raises OSError.
    """
    layout = Layout.of(project_dir)
    records = list_runs(layout.project)
    kept = [record for place, record in enumerate(records) if place < keep or record.status == "running"]
    needed = {(step.producer, step.places.root.name) for record in kept for step in record.steps if step.producer}
    needed |= {*_latest_results(layout), *_registered(layout)}
    old = [record for record in records if record not in kept]
    if not dry:
        for record in old:
            _clear(record, {folder for run_id, folder in needed if run_id == record.id})
        if not any(record.status == "running" for record in kept):
            remove_tree(layout.objects)  # Made again from the project's files when a run needs them.
            _forget_cleared_results(layout)
    in_part = {run_id for run_id, _ in needed}
    return [record.id for record in old if record.id not in in_part]


def _ids(layout: Layout) -> list[str]:
    try:
        return sorted(os.listdir(layout.runs), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _latest_results(layout: Layout) -> Iterator[tuple[str, str]]:
    for file in layout.reuse.glob("*.json"):
        for result in (read_json(file) or {}).get("results", [])[:1]:
            yield result["run_id"], file.stem


def _registered(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield the run and the step's folder of every registered folder that is an output of a run."""
    for path in registered_folders(layout):
        with contextlib.suppress(ValueError):
            parts = path.relative_to(layout.runs).parts
            if len(parts) > 2:
                yield parts[0], parts[2]


def _clear(record: RunRecord, needed: set[str]) -> None:
    if not needed:
        remove_tree(record.places.root)
        return
    for folder in record.places.steps.iterdir():
        if folder.name not in needed:
            remove_tree(folder)
        else:
            remove_tree(folder / "work")


def _forget_cleared_results(layout: Layout) -> None:
    for file in layout.reuse.glob("*.json"):
        values = read_json(file) or {}
        known = values.get("results", [])
        kept = [result for result in known if (layout.run(result["run_id"]).steps / file.stem).is_dir()]
        if kept != known:
            write_json(file, {**values, "results": kept})
