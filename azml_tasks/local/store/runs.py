"""Create and mark the folders of runs, check that they are inside the project, and collect what they reuse."""

from __future__ import annotations

import calendar
import contextlib
import os
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from azml_tasks.errors import AzmlError, RunError
from azml_tasks.local.store.files import append_json, remove_tree
from azml_tasks.local.store.paths import ProjectPaths, RunPaths
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord, read_run

_MOST_TRIES = 100
# For how long (seconds) records of reused steps are collected before they are written.
_TOGETHER = 0.1


class LinkError(AzmlError):
    """A link in .azml leads out of the project."""


def new_run(layout: ProjectPaths, experiment: str, parameters: Mapping[str, Any]) -> LocalRunRecord:
    """Make the folder of a new run, which no other run has, and return its record, not yet written.

    Its id is the time in UTC, with 1/65536 of a second, so that ids sort as the runs began; if the clock was set back,
    the first time after the newest run.

    Raises OSError.
    """
    layout.root.mkdir(exist_ok=True)
    ignore = layout.root / ".gitignore"
    if not os.path.lexists(ignore):
        ignore.write_text("*\n")
    for _ in range(_MOST_TRIES):
        now = time.time()
        run_id = _id_at(now)
        newest = max(filter(_ID.fullmatch, _names_in(layout.runs)), default="")
        if newest > run_id:
            run_id = _after(newest) or run_id
        places = layout.run(run_id)
        try:
            places.root.mkdir(parents=True)
        except FileExistsError:
            if not os.path.lexists(places.root):  # but what it is to be made in, a link to nothing
                raise
            continue
        return LocalRunRecord(run_id, experiment, "running", now, parameters=parameters, places=places)
    raise RunError("could not create a folder for the run: every name that was tried already exists")


_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


def _after(run_id: str) -> str:
    """Return the id that follows; nothing for one that is no time."""
    try:
        seconds = calendar.timegm(time.strptime(run_id[:15], "%Y%m%d-%H%M%S"))
    except ValueError:
        return ""
    return _id_at(seconds + (int(run_id[16:], 16) + 1) / 65536)


def _id_at(moment: float) -> str:
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(moment))}-{int(moment % 1 * 65536):04x}"


def _names_in(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def mark_unfinished(run: RunPaths) -> None:
    """Mark a run as one whose steps may have left copies of their inputs.

    Raises OSError.
    """
    mark = _mark(run)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()


def mark_finished(run: RunPaths) -> None:
    """Take away the mark of a run whose steps have all been cleared.

    Raises OSError.
    """
    _mark(run).unlink(missing_ok=True)


def _mark(run: RunPaths) -> Path:
    return ProjectPaths.holding(run).unfinished / run.root.name


def clear_unfinished(layout: ProjectPaths) -> None:
    """Delete downloads and mounts of steps in runs whose runner was killed.

    Raises OSError.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for run in map(layout.run, os.listdir(layout.unfinished)):
            record = read_run(run)
            if record is None or record.status != "running":
                for step in run.steps.glob("*") if not run.steps.is_symlink() else ():
                    remove_tree(step / "temporary")
                mark_finished(run)


def refuse_links(layout: ProjectPaths) -> None:
    """Check that nothing is written or deleted outside of the project by a link in .azml.

    Raises LinkError.
    """
    link = layout.links_out()
    if link is not None:
        place = link.relative_to(layout.project).as_posix()
        raise LinkError(
            f"{place} is a link to outside the project; runs write and delete files there, so delete the link"
        )


class ReusedRecords:
    """The records of a run's reused steps, in one file, which is faster than one for each.

    Once a script may look for them, each has its own file, too.
    """

    def __init__(self, run: RunPaths) -> None:
        self._run = run
        self._records: list[LocalStepRecord] = []
        self._written = 0
        self._due = 0.0
        self._have_files = False

    def add(self, record: LocalStepRecord) -> None:
        """Write a record: at once, or together with those that follow it in a tenth of a second.

        Raises OSError.
        """
        if self._have_files:
            record.save(self._run)
            return
        self._records.append(record)
        if time.monotonic() >= self._due:
            self.write()

    def write(self) -> None:
        """Write the records that are not written yet; raises OSError."""
        new = self._records[self._written :]
        if new:
            append_json(self._run.reused, *(record.values() for record in new))
            self._written = len(self._records)
            self._due = time.monotonic() + _TOGETHER

    def give_files(self) -> None:
        """Give each record its own file, and those that are added from now on; raises OSError."""
        self.write()
        self._have_files = True
        for record in self._records:
            record.save(self._run)
