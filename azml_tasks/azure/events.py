"""What a run on Azure tells while it goes on, to whoever shows it; named as the local backend's events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from azml_tasks.azure.records import RunRecord, StepRecord


@dataclass(frozen=True)
class RunStarted:
    """Azure has taken the run; `steps` are the labels of what it is about, in order."""

    run: RunRecord
    steps: tuple[str, ...]


@dataclass(frozen=True)
class StepStarted:
    """A step's script has been started on the cluster."""

    step: StepRecord


@dataclass(frozen=True)
class StepWaiting:
    """A step waits for something else than before; `step.reason` is Azure's word for it."""

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
    """A step will not be started, since another failed or the run was cancelled."""

    step: StepRecord


@dataclass(frozen=True)
class RunFinished:
    """The run is over."""

    run: RunRecord


Event = RunStarted | StepStarted | StepWaiting | StepReused | StepFinished | StepSkipped | RunFinished
Listener = Callable[[Event], None]


def nobody(event: Event) -> None:
    """Listen to nothing."""
