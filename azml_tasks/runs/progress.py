"""Progress of a run: plain lines, or live lines on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TextIO

from azml_tasks.runs.records import (
    Event,
    Remark,
    RunFinished,
    RunStarted,
    RunStatus,
    RunStopping,
    StepFinished,
    StepOutput,
    StepRecord,
    StepReused,
    StepSkipped,
    StepStarted,
    StepStatus,
    StepWaiting,
    Tick,
)
from azml_tasks.terminal import Color, fitted, obeys_escapes, painted, shows_colors, width_of
from azml_tasks.text import printable, seconds_text

# Seconds between updates of the live lines on a terminal.
TICK = 0.5
# Seconds between the lines about steps that are still running, elsewhere.
_STILL_RUNNING = 30.0
_NARROW = 20
_MOST_RUNNING = 8
_MOST_METRICS = 12
_COLORS: Mapping[RunStatus | StepStatus, Color] = {
    "completed": "green",
    "reused": "cyan",
    "failed": "red",
    "cancelled": "yellow",
    "interrupted": "yellow",
    "skipped": "yellow",
    "waiting": "dim",
}


def progress_on(
    stream: TextIO | None = None, environment: Mapping[str, str] = os.environ, target: str | None = ""
) -> Progress:
    """Return the display for the stream, by default standard output: live lines on a terminal, unless CI is set.

    `target` is that of the command, for the commands that are printed; None for a program without our tasks.
    """
    stream = stream or sys.stdout
    has_colors = shows_colors(stream, environment)
    if obeys_escapes(stream, environment) and not environment.get("CI"):
        return LiveProgress(stream, has_colors, target)
    return Progress(stream, has_colors, target)


class Progress:
    """Print lines for each event. `tick` is the time between Tick events in seconds."""

    tick: float = _STILL_RUNNING

    def __init__(self, stream: TextIO, has_colors: bool = False, target: str | None = "") -> None:
        self._stream = stream
        self._target = target
        self._has_colors = has_colors
        self._is_read = True
        self._running: dict[str, tuple[StepRecord, float]] = {}
        self._unended: dict[str, str] = {}

    def __call__(self, event: Event) -> None:
        """Print an event."""
        lines = [*self._output(event), *self._lines(event)]
        self._follow(event)
        if lines:
            self._write("".join(f"{line}\n" for line in lines))

    def _lines(self, event: Event) -> Iterator[str]:
        if isinstance(event, StepStarted):
            yield self._of_step(event.step, "started", event.step.reason)
        elif isinstance(event, Tick):
            for step, since in self._running.values():
                said = printable(step.last_line())
                running = f"running for {seconds_text(time.monotonic() - since)}"
                yield self._of_step(step, running + (f": {said}" if said else ""))
        else:
            yield from self._lines_of(event)

    def _lines_of(self, event: Event) -> Iterator[str]:
        """Yield the lines that are the same everywhere."""
        if isinstance(event, (StepWaiting, StepFinished, StepReused, StepSkipped)):
            yield self._finished(event.step)
        elif isinstance(event, RunStarted):
            run, steps = event.run, "1 step" if len(event.steps) == 1 else f"{len(event.steps)} steps"
            yield printable(f"run {run.id} of experiment {run.experiment}: {steps} {run.where}")
            if run.url:
                yield printable(run.url)
            yield from map(self._finished, event.given)
        elif isinstance(event, Remark):
            yield f"{self._in('note:', 'yellow')} {printable(event.text)}"
        elif isinstance(event, RunStopping):
            yield self._in(printable(f"{event.reason}; waiting for the running steps to end"), "yellow")
        elif isinstance(event, RunFinished):
            yield from self._summary(event)

    def _output(self, event: Event) -> Iterator[str]:
        """Yield the lines of a step's log that have become complete, each with the step's name."""
        if isinstance(event, StepOutput):
            *lines, rest = (self._unended.pop(event.step.key, "") + event.text).split("\n")
            self._unended[event.step.key] = rest
        elif isinstance(event, StepFinished):
            rest = self._unended.pop(event.step.key, "")
            lines = [rest] if rest else []
        else:
            return
        name = self._in(f"{printable(event.step.key)} |", "dim")
        # Of a line that was overwritten, as a progress bar is, the last state counts.
        yield from (f"{name} {printable(line.rstrip().rpartition(chr(13))[2])}" for line in lines)

    def _finished(self, step: StepRecord) -> str:
        if step.status == "reused":
            return self._of_step(step, step.reason)
        if step.status in ("waiting", "skipped"):
            return self._of_step(step, step.status, step.reason)
        after = f" after {seconds_text(step.seconds)}" if step.seconds is not None else ""
        return self._of_step(step, f"{step.status}{after}" + (f": {step.message}" if step.message else ""))

    def _of_step(self, step: StepRecord, text: str, reason: str = "") -> str:
        """Return the line of a step: its status in color, and the reason dimmed."""
        color = _COLORS.get(step.status)
        line = f"{self._in(printable(step.key), 'bold')}: {self._in(printable(text), *([color] if color else []))}"
        return line + (self._in(printable(f"; {reason}"), "dim") if reason else "")

    def _summary(self, event: RunFinished) -> Iterator[str]:
        """Yield how the run ended, the metrics of a completed run, and the next commands."""
        run = event.run
        colors = [color] if (color := _COLORS.get(run.status)) else []
        ended = self._in(printable(run.status), *colors)
        yield f"run {run.id} {ended} after {seconds_text(run.seconds or 0)}"
        if run.status != "completed":
            return
        logged = [*((f"{step.key}: ", step.metrics()) for step in run.steps), ("", run.metrics())]
        lines: list[str] = []
        if any(metrics for _, metrics in logged):
            from azml_tasks.runs.metrics import Metrics
            from azml_tasks.runs.summary import metric_lines

            lines = [f"  {of}{line}" for of, metrics in logged for line in metric_lines(Metrics.of(metrics))]
        more = len(lines) - _MOST_METRICS
        for line in lines if more < 2 else lines[:_MOST_METRICS]:
            yield printable(line)
        left = f" ({more} more metrics)" if more > 1 else ""
        if self._target is None:
            return
        target = f" --target {self._target}" if self._target else ""
        yield self._in(f"details: `invoke runs.show --run {run.id}{target}`{left}", "dim")
        yield self._in(f"as a page: `invoke runs.report --open --run {run.id}{target}`", "dim")

    def _in(self, text: str, *colors: Color) -> str:
        return painted(text, *colors) if self._has_colors else text

    def _follow(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._running[event.step.key] = (event.step, time.monotonic())
        elif isinstance(event, (StepFinished, StepReused, StepSkipped)):
            self._running.pop(event.step.key, None)

    def _write(self, text: str) -> None:
        if not self._is_read:
            return
        encoding = self._stream.encoding or "utf-8"
        try:
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
        except OSError:
            # The reader or the terminal is gone, or the disk is full; the run continues, and its records have the rest.
            self._is_read = False


class LiveProgress(Progress):
    """Print a line for each finished step and, below, one for each running step with the last line of its log."""

    tick = TICK

    def __init__(self, stream: TextIO, has_colors: bool = False, target: str | None = "") -> None:
        super().__init__(stream, has_colors, target)
        self._reasons: dict[str, str] = {}
        self._to_go = 0
        self._drawn = 0

    def __call__(self, event: Event) -> None:
        lines = [*self._output(event), *self._lines(event)]
        self._follow(event)
        live = list(self._live_lines())
        # To the first of the live lines, which are erased with all that is below.
        up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
        erased = f"\r{up}\x1b[J" if self._drawn else ""
        self._drawn = len(live)
        self._write(erased + "".join(f"{line}\n" for line in lines) + "\n".join(live))

    def _lines(self, event: Event) -> Iterator[str]:
        if isinstance(event, StepStarted):
            self._reasons[event.step.key] = event.step.reason
        elif isinstance(event, StepFinished):
            reason = self._reasons.pop(event.step.key, "")
            yield self._finished(event.step) + (self._in(printable(f"; {reason}"), "dim") if reason else "")
        elif not isinstance(event, Tick):
            yield from self._lines_of(event)

    def _follow(self, event: Event) -> None:
        super()._follow(event)
        if isinstance(event, RunStarted):
            self._to_go = len(event.steps)
        elif isinstance(event, (StepFinished, StepReused, StepSkipped)):
            self._to_go -= 1

    def _live_lines(self) -> Iterator[str]:
        """Yield a line for each running step, and one on the others; none is as wide as the terminal."""
        if not self._running:
            return
        size = shutil.get_terminal_size()
        # A full line makes some terminals wrap, and lines above the screen cannot be erased.
        columns, most = max(_NARROW, size.columns - 1), max(1, min(_MOST_RUNNING, size.lines - 3))
        shown = list(self._running.values())[:most]
        keys = [printable(step.key) for step, _ in shown]
        widest = min(max(map(width_of, keys)), columns // 3)
        for key, (step, since) in zip(keys, shown, strict=True):
            name = fitted(key, widest)
            time_taken = seconds_text(time.monotonic() - since)
            said = printable(step.last_line()) or self._reasons.get(step.key, "")
            start = f"{name}{' ' * (widest - width_of(name))}  {time_taken:>9}  "
            rest = fitted(said, columns - width_of(start))
            yield self._in(start, "bold") + self._in(rest, "dim")
        others = [f"{len(self._running) - len(shown)} more running"] if len(self._running) > len(shown) else []
        waiting = self._to_go - len(self._running)
        others += [f"{waiting} waiting"] if waiting > 0 else []
        if others:
            yield self._in(", ".join(others), "dim")
