"""A schedule on this machine: say when a run is due, for as long as somebody asks.

Nothing runs here. The caller iterates, runs the pipeline at each `Due`, and stops by leaving the loop; Ctrl-C ends
the waiting like any other sleep. One run at a time: a time that goes by during a run is left out, as Azure leaves out
the times that a recurrence misses, and the next `Due` says so.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Protocol

from azml_tasks.model.schedule import BlobChange, Schedule
from azml_tasks.recurrence import default_start, fire_times

# A machine that slept, or whose clock was set, is noticed after this long (seconds).
_LONGEST_WAIT = 30.0
# A file that is still being written is not the blob yet; an upload to Azure shows whole or not at all (seconds).
_SETTLING = 1.0

# What tells a file from its later self without reading it: modification time, size and inode.
Stamp = tuple[int, int, int]


@dataclass(frozen=True)
class Due:
    """A run that is due.

    `at` carries the schedule's zone (UTC for a blob). `missed` is the first of the times that went by since the run
    before, if any did. `blob` is the changed file's path in the datastore.
    """

    at: datetime
    missed: datetime | None = None
    blob: str | None = None


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present, with a tzinfo."""

    def wait(self, seconds: float) -> None:
        """Let about so much time pass."""


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the present, in UTC."""
        return datetime.now(timezone.utc)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


def due(schedule: Schedule, datastores: Path, clock: Clock) -> Iterator[Due]:
    """Yield each run of the schedule when its time has come.

    `datastores` is the folder whose subfolders stand for the datastores. A schedule without a start_time counts from
    now. Ends only when the calendar does.
    """
    if schedule.on_blob_change is not None:
        return _changed_blobs(schedule.on_blob_change, datastores, clock)
    return _fired(schedule, clock)


def _fired(schedule: Schedule, clock: Clock) -> Iterator[Due]:
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
            yield Due(at, missed=missed)
        last = max([now, *times])


def _changed_blobs(watched: BlobChange, datastores: Path, clock: Clock) -> Iterator[Due]:
    """Yield one run for each file that was added or changed, by name, and none for those that are there already."""
    root = datastores / watched.datastore_name
    folder = root / (watched.path_on_datastore or "")
    known = _files(folder)
    while True:
        _wait_until(clock.now() + timedelta(minutes=watched.polling_interval), clock)
        seen = _files(folder)
        if seen.items() - known.items():
            clock.wait(_SETTLING)
            later = _files(folder)
            # What still grows is left for the next look, which then finds it changed.
            seen = {name: stamp for name, stamp in seen.items() if later.get(name) == stamp}
        changed = sorted(name for name, stamp in seen.items() if known.get(name) != stamp)
        known = seen
        for name in changed:
            yield Due(clock.now(), blob=(folder / name).relative_to(root).as_posix())


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
