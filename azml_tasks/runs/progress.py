"""Show a run while it goes on: a line that is redrawn on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from azml_tasks.durations import seconds_text
from azml_tasks.errors import printable
from azml_tasks.runs.events import (
    Event,
    Remark,
    RunFinished,
    RunStarted,
    RunStopping,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from azml_tasks.runs.records import StepRecord

# How often the running line of a terminal is drawn again (seconds).
TICK = 0.5
_NARROW = 20


def progress_on(stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> Progress:
    """Return what suits the stream, by default standard output: a terminal is drawn on, unless CI is set."""
    stream = stream or sys.stdout
    is_live = stream.isatty() and not environment.get("CI") and environment.get("TERM") != "dumb"
    return LiveProgress(stream) if is_live else Progress(stream)


class Progress:
    """A line for everything that happens. `tick` is how often (seconds) it wants to be told that time has passed."""

    tick: float | None = None

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_read = True

    def __call__(self, event: Event) -> None:
        """Show an event."""
        line = printable(self._line(event))
        if line:
            self._write(line + "\n")

    def _line(self, event: Event) -> str:
        if isinstance(event, StepStarted):
            return f"{event.step.key}: {_with_reason('started', event.step)}"
        return line_of(event)

    def _write(self, text: str) -> None:
        if not self._is_read:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except OSError:
            # Whoever read along has left, or the terminal, or there is no room for more; the run goes on, and its
            # records tell the rest.
            self._is_read = False


class LiveProgress(Progress):
    """A line for every step that is over, and below them one that says what runs."""

    tick = TICK

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._running: dict[str, float] = {}
        self._to_go = 0
        self._drawn = 0

    def __call__(self, event: Event) -> None:
        self._follow(event)
        line = printable(self._line(event))
        status = self._status()
        text = "\r" + line.ljust(self._drawn) + "\n" if line else ""
        # Padding clears what the last status leaves over, on every terminal that knows a carriage return.
        left_over = 0 if line else max(0, self._drawn - len(status))
        text += ("" if line else "\r") + status + " " * left_over + "\b" * left_over
        self._drawn = len(status)
        self._write(text)

    def _line(self, event: Event) -> str:
        return line_of(event)

    def _follow(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._to_go = len(event.steps)
        elif isinstance(event, StepStarted):
            self._running[event.step.key] = time.monotonic()
        elif isinstance(event, (StepFinished, StepReused, StepSkipped)):
            self._running.pop(event.step.key, None)
            self._to_go -= 1

    def _status(self) -> str:
        if not self._running:
            return ""
        now = time.monotonic()
        running = ", ".join(f"{key} {seconds_text(now - since)}" for key, since in self._running.items())
        waiting = self._to_go - len(self._running)
        text = f"running: {running}" + (f"; {waiting} to go" if waiting else "")
        # One less than the width: a full line makes some terminals wrap.
        width = max(_NARROW, shutil.get_terminal_size().columns - 1)
        return text if len(text) <= width else f"{text[: width - 3]}..."


def line_of(event: Event) -> str:
    """Return the line that an event leaves, empty when it leaves none; a run's page and what it stands on have more."""
    if isinstance(event, (StepWaiting, StepFinished, StepReused, StepSkipped)):
        return f"{event.step.key}: {_of_step(event.step)}"
    if isinstance(event, RunStarted):
        run, steps = event.run, "1 step" if len(event.steps) == 1 else f"{len(event.steps)} steps"
        lines = [f"run {run.id} of experiment {run.experiment}: {steps} {run.where}", run.url]
        lines += (f"{step.key}: {_of_step(step)}" for step in event.given)
        return "\n".join(filter(None, lines))
    if isinstance(event, Remark):
        return f"note: {event.text}"
    if isinstance(event, RunStopping):
        return f"{event.reason}; waiting for its steps to end"
    if isinstance(event, RunFinished):
        return f"run {event.run.id} {event.run.status} after {seconds_text(event.run.seconds or 0)}"
    return ""


def _of_step(step: StepRecord) -> str:
    if step.status == "reused":
        return step.reason
    if step.status in ("waiting", "skipped"):
        return _with_reason(step.status, step)
    after = f" after {seconds_text(step.seconds)}" if step.seconds is not None else ""
    return f"{step.status}{after}" + (f": {step.message}" if step.message else "")


def _with_reason(word: str, step: StepRecord) -> str:
    return f"{word}; {step.reason}" if step.reason else word
