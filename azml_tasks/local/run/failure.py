"""Messages for failed steps and runs."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.errors import RunError
from azml_tasks.local.store.files import open_file
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.runs.records import GOING_ON, skipped_text, step_failure
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.reading import Project

_TAIL_BYTES = 64 * 1024
_MOST_LINES = 40
_LINES_WITHOUT_TRACEBACK = 10
_LONGEST_LINE = 1_000
_HEADER = "Traceback (most recent call last):"
_CHAINED = ("another exception occurred:", "direct cause of the following exception:")
_FRAME = r'(?m)^(\s*File ")([^"]+)(", line \d+)'


def log_tail(log: Path) -> str:
    """Return the end of a log, reading only a fixed part; empty if there is none."""
    try:
        with open_file(log) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            data = file.read()
    except OSError:
        return ""
    if size > _TAIL_BYTES:
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "replace")


def traceback_hint(shown: str, step: str) -> str:
    """Return what to do about the error that a traceback ends with; an empty text if that is not known."""
    if f"[Errno {errno.EROFS}]" in shown.rstrip().rpartition("\n")[2]:
        return (
            "a step's inputs are read-only, as on Azure: write to one of its output folders, "
            "or set `mode: download` on the dataset, so that the step gets its own copy"
        )
    if "because active experiment ID does not match environment run ID" in shown:
        return (
            "a step logs to the run's experiment, on Azure ML too: remove mlflow.set_experiment(), or set its name as "
            "experiment_name in pipeline.yaml"
        )
    if shown.endswith("bdb.BdbQuit"):
        return f"a step has no terminal for a breakpoint; stop there with `invoke run --only {shlex.quote(step)} --pdb`"
    return ""


_OURS = f"{os.sep}azml_local{os.sep}reads{os.sep}"


def shown_part(tail: str) -> str:
    """Return the last traceback of a log with its causes, or its last lines if there is none.

    Long lines are shortened in the middle.
    """
    start = tail.rfind(_HEADER)
    if start < 0:
        return _cut(tail.rstrip().splitlines()[-_LINES_WITHOUT_TRACEBACK:])
    while tail[:start].rstrip().endswith(_CHAINED):
        start = tail.rfind(_HEADER, 0, start)
    lines = _without_our_frames(tail[start:].rstrip().splitlines())
    if len(lines) > _MOST_LINES:
        lines = [lines[0], "  ...", *lines[2 - _MOST_LINES :]]
    return _cut(lines)


def _without_our_frames(lines: list[str]) -> list[str]:
    """Return a traceback without the frames in which the stand-in records what the script reads."""
    kept, is_ours = [], False
    for line in lines:
        if line.startswith('  File "'):
            is_ours = _OURS in line
        elif not line.startswith("    "):
            is_ours = False
        if not is_ours:
            kept.append(line)
    return kept


def _cut(lines: list[str]) -> str:
    half = _LONGEST_LINE // 2
    return "\n".join(f"{line[:half]} ... {line[-half:]}" if len(line) > _LONGEST_LINE else line for line in lines)


def with_source_paths(text: str, work: Path, files: Mapping[str, Path], project: Path) -> str:
    """Return a traceback that names the project's files in place of their staged copies."""

    def source(match: re.Match[str]) -> str:
        path = os.path.relpath(match[2], work).replace(os.sep, "/")
        if path not in files:
            return match[0]
        return f"{match[1]}{os.path.relpath(files[path], project)}{match[3]}"

    return re.sub(_FRAME, source, text)


def exit_message(exit_code: int) -> str:
    """Describe how a process ended."""
    if exit_code >= 0:
        return f"exit status {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    if name == "SIGKILL":
        return "killed (SIGKILL); possibly out of memory"
    return f"ended by {name}"


def raise_for_status(run: LocalRunRecord, project: Project | None = None) -> None:
    """Raise RunError with all details, unless the run completed; `project` as for `failure_text`."""
    if run.status != "completed":
        raise RunError(failure_text(run, project))


def failure_text(run: LocalRunRecord, project: Project | None = None) -> str:
    """Return the message for a run that did not complete: failures, skipped steps, how to continue.

    With the project, also what `validate` notes on the failed steps.
    """
    failed = [step for step in run.steps if step.status == "failed"]
    parts, alike = [], dict[tuple[str, ...], str]()
    for step in failed:
        # The paths in an error may be in the step's own folder.
        error = (step.message, step.detail.replace(str(step.places.root), ""), step.hint)
        parts.append(_step_text(step, alike.setdefault(error, step.key)))
    if project and failed:
        from azml_tasks.checks.files import step_notes

        # Files that can no longer be read are not why it failed.
        with contextlib.suppress(OSError):
            parts += [f"{note.place}: note: {note.text}" for note in step_notes(project, [step.key for step in failed])]
    cancelled = [step.key for step in run.steps if step.status in ("cancelled", "interrupted")]
    if run.status == "cancelled":
        while_running = f" while {_were('running', cancelled)}" if cancelled else ""
        by_whom = f" by {run.stopped_by}" if run.stopped_by else ""
        parts.append(f"run {run.id} was stopped{by_whom}{while_running}")
    elif cancelled:
        parts.append(f"run {run.id} was interrupted while {_were('running', cancelled)}")
    return "\n".join(filter(None, [*parts, skipped_text(run), GOING_ON]))


def _step_text(step: LocalStepRecord, first: str) -> str:
    """Describe a failed step; `first` is the key of the first one that failed in the same way, whose error is shown."""
    if first != step.key and step.detail:
        lines = [f"step '{step.key}' failed like '{first}'"]
    else:
        lines = [step_failure(step, step.message, step.detail), *filter(None, [step.hint])]
    if step.places.log.exists():
        lines.append(f"log: {_from_here(step.places.log)}")
    return "\n".join(lines)


def _were(what: str, keys: list[str]) -> str:
    return f"{listed(keys)} {'was' if len(keys) == 1 else 'were'} {what}"


def _from_here(path: Path) -> str:
    """Return the path relative to the current folder if it is inside, else the absolute path."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith(os.pardir) else str(path)
