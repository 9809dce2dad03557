"""Records of runs and steps, events during a run, and messages about its end."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Generic, Literal, NamedTuple, TypeVar

from azml_tasks.errors import RunError
from azml_tasks.runs.origin import Origin, Provenance
from azml_tasks.text import listed

RunStatus = Literal["waiting", "running", "completed", "failed", "cancelled", "interrupted"]
StepStatus = Literal["waiting", "running", "completed", "reused", "failed", "cancelled", "skipped", "interrupted"]

_ENDINGS: Mapping[RunStatus, str] = {
    "completed": "completed",
    "failed": "failed",
    "cancelled": "was cancelled",
    "interrupted": "was interrupted",
}


def shown_metrics(metrics: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return metrics without secrets in their values; numbers are none."""
    from azml_tasks.secrets import without_secrets

    found = []
    for metric in metrics:
        value = metric.get("value")
        is_number = isinstance(value, (int, float))
        found.append({**metric, "value": value if is_number else without_secrets(str(metric.get("name")), value)})
    return found


def shown_pairs(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Return tags or parameters without secrets in their values."""
    from azml_tasks.secrets import without_secrets

    return {name: without_secrets(name, value) for name, value in pairs.items()}


class ChildRun(NamedTuple):
    """A run that a step's script started itself; `name` starts with the step: `train>fold 1`.

    `metrics` are in the order in which they were logged.
    """

    name: str
    metrics: Sequence[dict[str, Any]] = ()
    parameters: Mapping[str, str] = MappingProxyType({})
    tags: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True)
class StepRecord(abc.ABC):
    """One step of a run. Times are seconds since the epoch.

    `reason` is why it runs, waits, was reused or was skipped, and `message` the error, in one line. `producer` is the
    run that created its results, if known.
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
        """The duration, so far if it is still running."""
        return _span(self.started, self.finished)

    @abc.abstractmethod
    def metrics(self) -> list[dict[str, Any]]:
        """Return the logged metrics, in order."""

    def last_line(self) -> str:
        """Return the last line of its log so far, if that can be read without waiting."""
        return ""

    def parameters(self) -> Mapping[str, str]:
        """Return the parameters that the script logged with MLflow."""
        return {}

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the tags that the script set."""
        return {}

    def children(self) -> Sequence[ChildRun]:
        """Return the child runs that the script started, in order."""
        return ()


Step_co = TypeVar("Step_co", bound=StepRecord, covariant=True)


@dataclass(frozen=True)
class RunRecord(Generic[Step_co]):
    """One run of a pipeline. Times are seconds since the epoch; `url` is its page, if any.

    `settings` maps the steps that have a step_config to it, as it was after `--set`, without secrets.
    """

    id: str
    experiment: str
    status: RunStatus
    started: float | None = None
    finished: float | None = None
    steps: tuple[Step_co, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    origin: Origin = field(default_factory=Origin)
    settings: Mapping[str, Any] = field(default_factory=dict)

    where: ClassVar[str]
    """Where such runs take place: `on this machine`."""

    def __getitem__(self, key: str) -> Step_co:
        return next(step for step in self.steps if step.key == key)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics of the run itself, as by `run.parent.log`, in order."""
        return []

    def provenance(self) -> Provenance:
        """Return what it was started from, as far as it was recorded."""
        return Provenance()

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the tags of the run itself."""
        return {}

    @property
    def seconds(self) -> float | None:
        """The duration, so far if it is still running."""
        return _span(self.started, self.finished)

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status in _ENDINGS

    def check_cancellable(self) -> None:
        """Raise RunError if the run has ended."""
        if self.is_over:
            raise RunError(f"cannot cancel the run {self.id}: it has already ended ({self.status})")

    @property
    def shown_status(self) -> str:
        """The status, with a mark if a step ran under a debugger."""
        return f"{self.status}, debugged" if self.origin.is_debugged else self.status

    @property
    def ending(self) -> str:
        """How it ended, as a verb: `was cancelled`."""
        return _ENDINGS.get(self.status, "has not finished")


def _span(started: float | None, finished: float | None) -> float | None:
    return None if started is None else (finished or time.time()) - started


class RunStarted(NamedTuple):
    """A run has started; `steps` are the keys of its steps, in order, and `given` the steps with earlier results that
    it uses."""

    run: RunRecord[StepRecord]
    steps: tuple[str, ...]
    given: tuple[StepRecord, ...] = ()


class Remark(NamedTuple):
    """A note about the run."""

    text: str


class StepWaiting(NamedTuple):
    """A step waits for something new, `step.reason`."""

    step: StepRecord


class StepStarted(NamedTuple):
    """A step's script is being started."""

    step: StepRecord


class StepOutput(NamedTuple):
    """The log of a running step has grown by `text`, which may end within a line."""

    step: StepRecord
    text: str


class StepReused(NamedTuple):
    """An earlier result of the step is reused."""

    step: StepRecord


class StepFinished(NamedTuple):
    """A step has ended, successfully or not."""

    step: StepRecord


class StepSkipped(NamedTuple):
    """A step is skipped, because another failed or the run was stopped."""

    step: StepRecord


class RunStopping(NamedTuple):
    """The running steps are being stopped; `reason` is a sentence."""

    reason: str


class Tick:
    """Time has passed and nothing happened."""


class RunFinished(NamedTuple):
    """The run has ended; its record is complete."""

    run: RunRecord[StepRecord]


StepEvent = StepWaiting | StepStarted | StepOutput | StepReused | StepFinished | StepSkipped
Event = RunStarted | Remark | StepEvent | RunStopping | Tick | RunFinished
Listener = Callable[[Event], None]


def end_of(step: StepRecord) -> Event:
    """Return the event of a step that has ended."""
    if step.status == "reused":
        return StepReused(step)
    return StepSkipped(step) if step.status == "skipped" else StepFinished(step)


GOING_ON = "Run `invoke run` again to continue; completed steps are reused"


def step_failure(step: StepRecord, message: str, detail: str) -> str:
    """Describe a failed step; `detail` is the end of its log."""
    first = f"step '{step.key}' failed" + (f": {message}" if message else "")
    return "\n".join([first, *(f"  {line}".rstrip() for line in detail.splitlines())])


def skipped_text(run: RunRecord[StepRecord]) -> str:
    """List the skipped steps; empty if no dates were found."""
    skipped = [step.key for step in run.steps if step.status == "skipped"]
    return f"skipped: {listed(skipped)}" if skipped else ""


class Pruned(NamedTuple):
    """What was deleted, or would be: runs that are gone completely, and versions of models, with their sizes.

    `in_part` are the steps whose outputs and logs are gone, of runs that are kept for the results of other steps.
    `holds` is what there was before by kind, and `holds_now` what there is, in bytes; both are empty unless they were
    measured.
    """

    runs: Sequence[str] = ()
    models: Sequence[str] = ()
    sizes: Mapping[str, int] = MappingProxyType({})
    holds: Mapping[str, int] = MappingProxyType({})
    holds_now: Mapping[str, int] = MappingProxyType({})
    in_part: Mapping[str, Sequence[str]] = MappingProxyType({})
