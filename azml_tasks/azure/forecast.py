"""Forecast what a run on Azure ML would do with each step, from the runs that were last sent from this folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from azml_tasks.azure.sent import SentRun, Step, Versions, step_differences
from azml_tasks.backend import Forecast, RunRequest, StepForecast
from azml_tasks.plan.plan import StepPlan
from azml_tasks.runs.changes.differences import Difference, Reason
from azml_tasks.runs.show import local_time
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azml_tasks.reading import Project
    from azml_tasks.snapshot import Snapshot

# So many runs are looked at, the newest first.
MOST_RUNS = 10
# Azure may or may not run a step again for differences of these kinds.
_OPEN = ("compute", "output", "limit")
_NONE_SENT = "no run has been sent from this folder yet; Azure ML reuses steps that were sent from elsewhere"
_BOUNDS = "runs sent from elsewhere and deleted results are not known; Azure ML decides when the run starts"


def without_runs(project: Project, request: RunRequest) -> Forecast:
    """Return the forecast where no run was sent from this folder, without a request to Azure."""

    def of(step: StepPlan) -> StepForecast:
        if request.force:
            return StepForecast(step.key, "runs", _REQUESTED)
        if step.step.allow_reuse is False:
            return StepForecast(step.key, "runs", _ALWAYS)
        return StepForecast(step.key, "may run", Reason("unknown", "not sent from this folder yet"))

    return Forecast(tuple(map(of, project.plan.steps)), (_NONE_SENT,))


_REQUESTED = Reason("requested", "--force was given")
_ALWAYS = Reason("always", "allow_reuse is false")


def basis(run: SentRun) -> tuple[str, str]:
    """Return what a forecast rests on, as notes."""
    text = f"forecast from what was last sent from this folder: run {run.id}, {local_time(run.sent)}"
    return text, _BOUNDS


@dataclass
class State:
    """The workspace as a run would find it: versions, and what is registered before the run or by it."""

    versions: Versions
    changes: dict[str, tuple[Difference, ...]] = field(default_factory=dict)
    """The differences of environments that the run registers in a new version."""
    created: frozenset[tuple[str, str]] = frozenset()
    """Kinds and names of what is not there yet."""


class Statuses(Protocol):
    """What became of the steps of earlier runs."""

    def producer(self, run: SentRun, key: str) -> str:
        """Return the run of the step that made its result in a run; empty if it did not complete there."""


class Forecasts:
    """The forecasts of the steps, in order: a step depends on those of the steps before it."""

    def __init__(
        self,
        project: Project,
        snapshots: Mapping[str, Snapshot],
        state: State,
        statuses: Statuses,
        sent: list[SentRun],
    ) -> None:
        self._project = project
        self._snapshots = snapshots
        self._state = state
        self._statuses = statuses
        self._sent = sent
        self._found: dict[str, StepForecast] = {}
        self._producers: dict[str, str] = {}

    def of(self, steps: Mapping[str, Step], force: bool) -> tuple[StepForecast, ...]:
        """Return the forecasts of the described steps."""
        for step in self._project.plan.steps:
            self._found[step.key] = self._of_step(step, steps[step.key], force)
        return tuple(self._found.values())

    def _of_step(self, step: StepPlan, now: Step, force: bool) -> StepForecast:
        if force:
            return StepForecast(step.key, "runs", _REQUESTED)
        if not now["allow_reuse"]:
            return StepForecast(step.key, "runs", _ALWAYS)
        reading = [self._found[key] for key in step.upstream if key not in step.order_only]
        last: tuple[list[Difference], SentRun] | None = None
        for run in self._sent:
            if step.key not in run.steps:
                continue
            differences = self._differences(step, run.steps[step.key], now)
            last = last or (differences, run)
            if differences or any(one.verdict != "reused" for one in reading):
                continue
            producer = self._statuses.producer(run, step.key)
            if producer and self._has_same_inputs(step, run):
                return self._reused(step, now, producer)
        return self._not_reused(step, now, reading, last)

    def _reused(self, step: StepPlan, now: Step, producer: str) -> StepForecast:
        after = [key for key in step.order_only if self._found[key].verdict != "reused"]
        if now["has_secrets"]:
            return StepForecast(step.key, "may run", Reason("unknown", "it has secrets, which are not compared"))
        if after:
            return StepForecast(step.key, "may run", Reason("upstream", f"it runs after {listed(after)}"))
        self._producers[step.key] = producer
        return StepForecast(step.key, "reused", Reason("same", f"reused from {producer}"))

    def _not_reused(
        self,
        step: StepPlan,
        now: Step,
        reading: list[StepForecast],
        last: tuple[list[Difference], SentRun] | None,
    ) -> StepForecast:
        if last is None:
            reason = Reason("unknown", "not sent from this folder yet")
            return StepForecast(step.key, "may run" if self._may_be_known(step) else "runs", reason)
        differences, run = last
        certain = [one for one in differences if one.kind not in _OPEN]
        if certain:
            return StepForecast(step.key, "runs", Reason.of_changes(differences))
        before = [one.key for one in reading if one.verdict != "reused"]
        if before:
            is_sure = any(one.verdict == "runs" for one in reading)
            reason = Reason("upstream", f"it depends on {listed(before)}", tuple(differences))
            return StepForecast(step.key, "runs" if is_sure else "may run", reason)
        if differences:
            return StepForecast(step.key, "may run", Reason.of_changes(differences))
        if self._statuses.producer(run, step.key):
            return StepForecast(step.key, "runs", Reason("upstream", "its inputs are from other runs"))
        return StepForecast(step.key, "runs", Reason("new", "it did not complete in the last run"))

    def _may_be_known(self, step: StepPlan) -> bool:
        """Return whether a step that this folder never sent may be reused from elsewhere."""
        return all(self._found[key].verdict != "runs" for key in step.upstream if key not in step.order_only)

    def _has_same_inputs(self, step: StepPlan, run: SentRun) -> bool:
        """Return whether the steps that it reads had the same results in an earlier run."""
        read = [key for key in step.upstream if key not in step.order_only]
        return all(self._statuses.producer(run, key) == self._producers.get(key) for key in read)

    def _differences(self, step: StepPlan, old: Step, now: Step) -> list[Difference]:
        snapshot = self._snapshots[step.key]
        return [*step_differences(step, snapshot, self._project.directory, old, now, self._state.changes)]
