"""Tell in lines what a run on Azure does."""

from __future__ import annotations

import sys
from typing import TextIO

from azml_tasks.azure.events import (
    Event,
    RunFinished,
    RunStarted,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
)
from azml_tasks.azure.records import StepRecord
from azml_tasks.durations import seconds_text


def narrate(event: Event, stream: TextIO | None = None) -> None:
    """Print the line of an event; whoever reads along may leave."""
    stream = stream or sys.stdout
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(line_of(event).encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        pass


def line_of(event: Event) -> str:
    """Return the line of an event; that of a started run ends with its page in the portal, on a line of its own."""
    if isinstance(event, RunStarted):
        steps = "1 step" if len(event.steps) == 1 else f"{len(event.steps)} steps"
        return f"run {event.run.id} of experiment {event.run.experiment}: {steps} on Azure ML\n{event.run.url}"
    if isinstance(event, RunFinished):
        return f"run {event.run.id} {event.run.status} after {seconds_text(event.run.seconds or 0)}"
    return f"{event.step.key}: {_of_step(event)}"


def _of_step(event: StepStarted | StepWaiting | StepReused | StepFinished | StepSkipped) -> str:
    step = event.step
    if isinstance(event, StepWaiting):
        return f"waiting; {step.reason}" if step.reason else "waiting"
    if isinstance(event, StepStarted):
        return "started"
    if isinstance(event, StepReused):
        return step.reason
    if isinstance(event, StepSkipped):
        return "skipped"
    return _ended(step)


def _ended(step: StepRecord) -> str:
    after = f"{step.status} after {seconds_text(step.seconds)}" if step.seconds is not None else step.status
    return f"{after}: {step.message}" if step.message else after
