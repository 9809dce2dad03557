"""The runs of a project: made, found, listed, and cleared away."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from azml_tasks.errors import AzmlError, RunError, UsageError, listed, some_listed
from azml_tasks.local.destinations import registered_folders
from azml_tasks.local.files import read_json, remove_tree
from azml_tasks.local.layout import Layout, RunPlaces, folder_name
from azml_tasks.local.record import RunRecord, read_run
from azml_tasks.local.reuse.results import store_of

_MOST_TRIES = 100
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
# What has no record, or is half-written, may be of a run that has just begun; after this long (seconds) it is not.
_SETTLED = 3600.0


class LinkError(AzmlError):
    """A link in .azml leads out of the project."""


def new_run(layout: Layout, experiment: str, parameters: Mapping[str, Any]) -> RunRecord:
    """Make the folder of a new run, which no other run has, and return its record, not yet written.

    Its id is the time in UTC, with 1/65536 of a second, so that ids sort as the runs began.

    Raises OSError.
    """
    layout.root.mkdir(exist_ok=True)
    ignore = layout.root / ".gitignore"
    if not os.path.lexists(ignore):
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


def mark_unfinished(run: RunPlaces) -> None:
    """Mark a run as one whose steps may have left copies of their inputs.

    Raises OSError.
    """
    mark = _mark(run)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def mark_finished(run: RunPlaces) -> None:
    """Take away the mark of a run whose steps have all been cleared.

    Raises OSError.
    """
    _mark(run).unlink(missing_ok=True)


def _mark(run: RunPlaces) -> Path:
    return Layout.holding(run).unfinished / run.root.name


def clear_unfinished(layout: Layout) -> None:
    """Delete what steps downloaded and mounted in runs whose runner was killed before it could.

    Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for run in map(layout.run, os.listdir(layout.unfinished)):
            record = read_run(run)
            if record is None or record.status != "running":
                for step in run.steps.glob("*") if not run.steps.is_symlink() else ():
                    remove_tree(step / "temporary")
                mark_finished(run)


def refuse_links(layout: Layout) -> None:
    """See that nothing is written or deleted outside of the project by a link in .azml.

    Raises LinkError.
    """
    link = layout.links_out()
    if link is not None:
        place = link.relative_to(layout.project).as_posix()
        raise LinkError(
            f"{place} is a link that leads out of the project, where runs write and delete; delete the link"
        )


def list_runs(project_dir: str | Path) -> list[RunRecord]:
    """Return the records of all runs, the newest first.

    Raises RunError when their folder cannot be read.
    """
    layout = Layout.of(project_dir)
    records = (read_run(layout.run(run_id)) for run_id in _ids(layout))
    return [record for record in records if record is not None]


def passed_over(project_dir: str | Path) -> str:
    """Return a sentence that names the runs whose records are damaged or of another release; empty for none.

    Raises RunError when the folder of runs cannot be read.
    """
    layout = Layout.of(project_dir)
    places = (layout.run(run_id) for run_id in _ids(layout) if _ID.fullmatch(run_id))
    damaged = [place.root.name for place in places if place.record.is_file() and read_run(place) is None]
    if not damaged:
        return ""
    are, records = ("is", "its record is") if len(damaged) == 1 else ("are", "their records are")
    return f"{some_listed(damaged)} {are} passed over: {records} damaged, or of another release"


def find_run(project_dir: str | Path, wanted: str | None = None) -> RunRecord:
    """Return the newest run, or the one whose id is `wanted` or begins with it.

    Raises UsageError when `wanted` is none, or more than one; RunError when nothing has been run, or what was cannot be
    read.
    """
    layout = Layout.of(project_dir)
    ids = _ids(layout)
    found = [wanted] if wanted in ids else [run_id for run_id in ids if run_id.startswith(wanted or "")]
    if wanted and len(found) > 1:
        raise UsageError(f"several runs begin with '{wanted}': {listed(found[:3])}{' ...' if len(found) > 3 else ''}")
    for run_id in found:
        record = read_run(layout.run(run_id))
        if record is not None:
            return record
    if wanted in ids:
        raise RunError(f"the record of the run '{wanted}' is damaged, or of another release")
    if wanted:
        raise UsageError(f"there is no run '{wanted}'; `invoke runs.list` shows those there are")
    raise RunError("nothing has been run here yet; `invoke run` does")


def prune(project_dir: str | Path, keep: int = 5, dry: bool = False) -> list[str]:
    """Clear away all but the newest runs and return the ids of those that are wholly gone.

    Runs that still go on stay. Of a run that is cleared, steps stay whose results a kept run or the next one reuses,
    or that a registered dataset is made of. What killed runs left half-written goes, too.

    Raises RunError for what cannot be deleted.
    """
    try:
        return _prune(project_dir, keep, dry)
    except OSError as error:
        raise RunError(f"not everything could be cleared: {error.strerror}: {error.filename}") from error


def _prune(project_dir: str | Path, keep: int, dry: bool) -> list[str]:
    layout = Layout.of(project_dir)
    refuse_links(layout)
    records = list_runs(layout.project)
    kept = [record for place, record in enumerate(records) if place < keep or record.status == "running"]
    going_on = any(record.status == "running" for record in kept)
    needed = {(step.producer, step.places.root.name) for record in kept for step in record.steps if step.producer}
    # A run that goes on may yet reuse any result that is known, the next one begins with the latest.
    needed |= {*_results(layout, most=None if going_on else 1), *_registered(layout)}
    old = [record.id for record in records if record not in kept] + _remains(layout)
    if not dry:
        clear_unfinished(layout)
        if not going_on:
            # First, so that no run which begins now reuses what is about to go.
            _forget_results(layout, needed, frozenset(old))
        for run_id in old:
            _clear(layout.run(run_id), {folder for needed_id, folder in needed if needed_id == run_id})
        if not going_on:
            _clear_leftovers(layout)
    in_part = {run_id for run_id, _ in needed}
    return [run_id for run_id in old if run_id not in in_part]


def _ids(layout: Layout) -> list[str]:
    try:
        return sorted(os.listdir(layout.runs), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"the runs cannot be read: {error.strerror}: {error.filename}") from error


def _results(layout: Layout, most: int | None) -> Iterator[tuple[str, str]]:
    """Yield the run and the step's folder of the newest results of each step."""
    for step, results in store_of(layout).results.items():
        for result in results[:most]:
            yield result["run_id"], folder_name(step)


def _registered(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield the run and the step's folder of every registered folder that is an output of a run."""
    for path in registered_folders(layout):
        with contextlib.suppress(ValueError):
            parts = path.relative_to(layout.runs).parts
            if len(parts) > 2:
                yield parts[0], parts[2]


def _remains(layout: Layout) -> list[str]:
    """Return the ids of runs that were killed, or deleted in part, and have no record."""
    places = (layout.run(run_id) for run_id in _ids(layout) if _ID.fullmatch(run_id))
    return [place.root.name for place in places if read_json(place.record) is None and _is_settled(place.root)]


def _is_settled(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime + _SETTLED < time.time()
    return False


def _clear(run: RunPlaces, needed: set[str]) -> None:
    if not needed:
        remove_tree(run.root)
        return
    if run.steps.is_symlink():
        run.steps.unlink()
    for folder in run.steps.glob("*"):
        if folder.name not in needed:
            remove_tree(folder)
        else:
            remove_tree(folder / "work")
            remove_tree(folder / "temporary")


def _clear_leftovers(layout: Layout) -> None:
    # Made again from the project's files when a run needs them, such as one that begins now and fills the folder.
    shutil.rmtree(layout.objects, ignore_errors=True)
    for partial in layout.root.glob("*.partial"):
        if _is_settled(partial):
            partial.unlink(missing_ok=True)
    remove_tree(layout.old_reuse)


def _forget_results(layout: Layout, needed: Set[tuple[str, str]], old: Set[str]) -> None:
    """Forget the results that are about to be cleared, and those that are gone already."""

    def is_kept(step: str, result: Mapping[str, Any]) -> bool:
        run_id, folder = result["run_id"], folder_name(step)
        return (run_id not in old or (run_id, folder) in needed) and (layout.run(run_id).steps / folder).is_dir()

    store = store_of(layout)
    if not all(is_kept(step, result) for step, results in store.results.items() for result in results):
        store.filter(is_kept)
