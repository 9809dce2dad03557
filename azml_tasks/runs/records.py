"""What is known of a run and of its steps, now or long after."""

from __future__ import annotations

import abc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeVar

RunStatus = Literal["waiting", "running", "completed", "failed", "cancelled", "interrupted"]
StepStatus = Literal["waiting", "running", "completed", "reused", "failed", "cancelled", "skipped", "interrupted"]

_ENDINGS: Mapping[RunStatus, str] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "was cancelled",
    "interrupted": "was interrupted",
}


@dataclass(frozen=True)
class StepRecord(abc.ABC):
    """One step of a run. Times are seconds since the epoch.

    `reason` says why it runs, waits, was reused or was skipped, and `message` what went wrong, in a line. `producer`
    is the run that made its results, when that is known.
    """

    key: str
    status: StepStatus = "waiting"
    reason: str = ""
    message: str = ""
    started: float | None = None
    finished: float | None = None
    producer: str = ""

    @property
    def ok(self) -> bool:
        """Whether the steps after it may run."""
        return self.status in ("completed", "reused")

    @property
    def seconds(self) -> float | None:
        """How long it ran, so far when it still runs."""
        return _span(self.started, self.finished)

    @abc.abstractmethod
    def metrics(self) -> list[dict[str, Any]]:
        """Return what the script logged, in its order."""


Step_co = TypeVar("Step_co", bound=StepRecord, covariant=True)


@dataclass(frozen=True)
class RunRecord(Generic[Step_co]):
    """One run of a pipeline. Times are seconds since the epoch; `url` is its page, where it has one."""

    id: str
    experiment: str
    status: RunStatus
    started: float | None = None
    finished: float | None = None
    steps: tuple[Step_co, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""

    where: ClassVar[str]
    """Where such runs take place: `on this machine`."""

    def __getitem__(self, key: str) -> Step_co:
        return next(step for step in self.steps if step.key == key)

    def metrics(self) -> list[dict[str, Any]]:
        """Return what was logged on the run itself, as by `run.parent.log`, in its order."""
        return []

    def origin_lines(self) -> list[str]:
        """Return lines that tell what it was started with, where that is not what the file says."""
        return []

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the tags of the run itself."""
        return {}

    @property
    def seconds(self) -> float | None:
        """How long it ran, so far when it still runs."""
        return _span(self.started, self.finished)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in _ENDINGS

    @property
    def ending(self) -> str:
        """How it ended, as a verb: `was cancelled`."""
        return _ENDINGS.get(self.status, "has not ended")


def _span(started: float | None, finished: float | None) -> float | None:
    return None if started is None else (finished or time.time()) - started
