"""What a run tells while it goes on, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from azml_tasks.runs.records import RunRecord, StepRecord


@dataclass(frozen=True)
class RunStarted:
    """A run has begun; `steps` are the keys of what it is about, in order, and `given` the steps it builds upon."""

    run: RunRecord[StepRecord]
    steps: tuple[str, ...]
    given: tuple[StepRecord, ...] = ()


@dataclass(frozen=True)
class Remark:
    """Something to know about the run; `text` is a sentence."""

    text: str


@dataclass(frozen=True)
class StepWaiting:
    """A step waits for something else than before; `step.reason` says for what."""

    step: StepRecord


@dataclass(frozen=True)
class StepStarted:
    """A step's script is being started."""

    step: StepRecord


@dataclass(frozen=True)
class StepReused:
    """An earlier result of the step stands in."""

    step: StepRecord


@dataclass(frozen=True)
class StepFinished:
    """A step that was started has ended, well or not."""

    step: StepRecord


@dataclass(frozen=True)
class StepSkipped:
    """A step will not be started, since another failed or the run was stopped."""

    step: StepRecord


@dataclass(frozen=True)
class RunStopping:
    """The steps that run are being told to stop; `reason` is a sentence."""

    reason: str


@dataclass(frozen=True)
class Tick:
    """Time has passed and nothing happened."""


@dataclass(frozen=True)
class RunFinished:
    """The run is over; its record is complete."""

    run: RunRecord[StepRecord]


StepEvent = StepWaiting | StepStarted | StepReused | StepFinished | StepSkipped
Event = RunStarted | Remark | StepEvent | RunStopping | Tick | RunFinished
Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Listen to nothing."""
