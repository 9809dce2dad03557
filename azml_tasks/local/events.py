"""What a run tells while it goes on, to whoever shows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from azml_tasks.local.record import RunRecord, StepRecord


@dataclass(frozen=True)
class RunStarted:
    """A run has its folder; `steps` are the keys of what may run, in order."""

    run: RunRecord
    steps: tuple[str, ...]


@dataclass(frozen=True)
class Remark:
    """Something to know about the run; `text` is a sentence."""

    text: str


@dataclass(frozen=True)
class StepStarted:
    """A step's process is being started; `step.reason` says why it was not reused."""

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
    """The run is over; its record is written."""

    run: RunRecord


Event = RunStarted | Remark | StepStarted | StepReused | StepFinished | StepSkipped | RunStopping | Tick | RunFinished
Listener = Callable[[Event], None]
