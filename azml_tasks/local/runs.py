"""Find, list and cancel the runs of a project."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from azml_tasks.errors import RunError, UsageError
from azml_tasks.local.store.paths import RUN_ID, ProjectPaths, RunPaths
from azml_tasks.local.store.process import is_held
from azml_tasks.local.store.records import LocalRunRecord, read_run
from azml_tasks.text import listed


def list_runs(
    project_dir: str | Path, experiment: str = "", most: int | None = None, damaged: list[str] | None = None
) -> list[LocalRunRecord]:
    """Return the records of the runs of an experiment, or of all, the newest first, with `most` no more than that.

    Of the others no file is read. `damaged` gets the ids of the runs that are left out because their records are
    damaged or of another release. Raises RunError when the folder of the runs cannot be read.
    """
    layout = ProjectPaths.of(project_dir)
    records = _records(layout, run_ids(layout), damaged)
    return list(islice((record for record in records if experiment in ("", record.experiment)), most))


def find_run(project_dir: str | Path, wanted: str | None = None, damaged: list[str] | None = None) -> LocalRunRecord:
    """Return the newest run, or the one whose id is `wanted` or begins with it; `damaged` is as of `list_runs`.

    Raises UsageError if `wanted` matches no run, or several; RunError if there are no runs, or they cannot be read.
    """
    layout = ProjectPaths.of(project_dir)
    ids = run_ids(layout)
    found = [wanted] if wanted in ids else [run_id for run_id in ids if run_id.startswith(wanted or "")]
    if wanted and len(found) > 1:
        raise UsageError(f"several runs start with '{wanted}': {listed(found[:3])}{' ...' if len(found) > 3 else ''}")
    record = next(_records(layout, found, damaged), None)
    if record is not None:
        return record
    if wanted and found:
        raise RunError(_without_record(layout.run(found[0])))
    if wanted:
        raise UsageError(f"no run '{wanted}'; `invoke runs.list` lists the runs")
    raise RunError("no runs yet; start one with `invoke run`")


def _without_record(run: RunPaths) -> str:
    """Return why a run has no record that can be read."""
    if os.path.lexists(run.record):
        return f"the record of the run '{run.root.name}' is damaged or from another release"
    if os.path.lexists(run.steps):
        return f"the run '{run.root.name}' was deleted in part; `invoke runs.prune` deletes the rest"
    if is_held(run):
        return f"the run '{run.root.name}' is starting; no step has started yet"
    return f"the run '{run.root.name}' was interrupted while it started, before its first step; it has no logs"


def _records(layout: ProjectPaths, ids: Iterable[str], damaged: list[str] | None) -> Iterator[LocalRunRecord]:
    for place in map(layout.run, ids):
        record = read_run(place)
        if record is not None:
            yield record
        elif damaged is not None and RUN_ID.fullmatch(place.root.name) and place.record.is_file():
            damaged.append(place.root.name)


def run_ids(layout: ProjectPaths) -> list[str]:
    """Return the names in the folder of the runs, the newest first; raises RunError if it cannot be read."""
    try:
        return sorted(os.listdir(layout.runs), reverse=True)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"the runs cannot be read: {error.strerror}: {error.filename}") from error


def cancel_run(project_dir: str | Path, wanted: str | None = None) -> LocalRunRecord:
    """Stop the steps of a run, like Ctrl-C in its terminal, and return the run's record.

    Raises like find_run, and RunError if the run has ended, or its process cannot be reached.
    """
    record = find_run(project_dir, wanted)
    record.check_cancellable()
    if record.process is None or not record.has_runner_here:
        raise RunError(f"the run {record.id} is running in another container or on another machine; cancel it there")
    os.kill(record.process.pid, signal.SIGTERM)
    return record
