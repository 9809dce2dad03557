"""Run a pipeline on its schedule on this machine, in the foreground."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.backend import DueRun, FinishedRun
from azml_tasks.local.run.failure import failure_text
from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.model.schedule import BlobChange, Schedule
from azml_tasks.reading.overrides import shown_settings
from azml_tasks.runs.origin import Origin
from azml_tasks.runs.records import Listener
from azml_tasks.schedule.recurrence import Clock, default_start, fire_times

if TYPE_CHECKING:
    from azml_tasks.reading import Project

# A machine that slept, or whose clock was set, is noticed after this long (seconds).
_LONGEST_WAIT = 30.0
# A file that is still being written is not the blob yet; an upload to Azure shows whole or not at all (seconds).
_SETTLING = 1.0

# Detects changes to a file without reading it: modification time, size and inode.
Stamp = tuple[int, int, int]


def due_runs(schedule: Schedule, datastores: Path, clock: Clock) -> Iterator[DueRun]:
    """Yield each run of the schedule when its time has come.

    `datastores` is the folder whose subfolders stand for the datastores. A schedule without a start_time counts from
    now. Ends only when the calendar does.
    """
    if schedule.on_blob_change is not None:
        return _changed_blobs(schedule.on_blob_change, datastores, clock)
    return _fired(schedule, clock)


def _fired(schedule: Schedule, clock: Clock) -> Iterator[DueRun]:
    last = clock.now()
    start = schedule.start or default_start(schedule, last)
    anchored = schedule.model_copy(update={"start_time": start.isoformat()})
    while times := fire_times(anchored, after=last, count=1):
        now = clock.now()
        missed = times[0] if times[0] <= now else None
        if missed:
            times = fire_times(anchored, after=now, count=1)
        for at in times:
            _wait_until(at, clock)
            yield DueRun(at, missed=missed)
        last = max([now, *times])


def _changed_blobs(watched: BlobChange, datastores: Path, clock: Clock) -> Iterator[DueRun]:
    """Yield one run for each file that was added or changed, by name, except for existing files."""
    root = datastores / watched.datastore_name
    folder = root / (watched.path_on_datastore or "")
    known = _files(folder)
    while True:
        _wait_until(clock.now() + timedelta(minutes=watched.polling_interval), clock)
        seen = _files(folder)
        if seen.items() - known.items():
            clock.wait(_SETTLING)
            later = _files(folder)
            # A growing file is left for the next check, which will find it changed.
            seen = {name: stamp for name, stamp in seen.items() if later.get(name) == stamp}
        changed = sorted(name for name, stamp in seen.items() if known.get(name) != stamp)
        known = seen
        for name in changed:
            yield DueRun(clock.now(), blob=(folder / name).relative_to(root).as_posix())


def _files(folder: Path) -> dict[str, Stamp]:
    """Return the files of a folder, without its subfolders, as Azure looks, and without hidden ones."""
    try:
        names = [name for name in os.listdir(folder) if not name.startswith(".")]
    except FileNotFoundError:
        # It may come yet, as the container's folders do with their first blob.
        return {}
    stamps = {name: _stamp(folder / name) for name in names}
    return {name: stamp for name, stamp in stamps.items() if stamp}


def _stamp(file: Path) -> Stamp | None:
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _wait_until(moment: datetime, clock: Clock) -> None:
    while (left := (moment - clock.now()).total_seconds()) > 0:
        clock.wait(min(left, _LONGEST_WAIT))


def run_when_due(
    project: Project, schedule: Schedule, clock: Clock, *, on_event: Listener, tick: float | None, most: int | None
) -> Iterator[DueRun | FinishedRun]:
    """Yield each run when it is due, and again with its record when it has ended.

    Ends after `most` runs, None for no end, and when a run is cancelled. The blob that changed is given to the run by
    the schedule's `data_path_parameter_name`.
    """
    layout = ProjectPaths.of(project.directory)
    for moment in islice(due_runs(schedule, layout.datastores, clock), most):
        yield moment
        settings = _settings(schedule, moment)
        changed = project.with_settings(settings)
        record = run_pipeline(
            changed.plan,
            project.directory,
            parameters=changed.pipeline.pipeline_parameters,
            on_event=on_event,
            tick=tick,
            origin=Origin(project.target or "", ("invoke", "schedules.run"), shown_settings(settings)),
            located=project.problem,
        )
        failure = "" if record.status == "completed" else failure_text(record, changed)
        yield FinishedRun(moment, record, failure)
        if record.status == "cancelled":
            return


def _settings(schedule: Schedule, moment: DueRun) -> list[str]:
    parameter = schedule.on_blob_change.data_path_parameter_name if schedule.on_blob_change else None
    return [f"{parameter}={moment.blob}"] if parameter and moment.blob else []
