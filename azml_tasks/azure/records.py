"""Runs of an experiment on Azure as the run history has them, whichever SDK started them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from azml_tasks.errors import UsageError
from azml_tasks.plan import Plan
from azml_tasks.runs import records
from azml_tasks.runs.origin import Provenance
from azml_tasks.runs.records import RunStatus, StepStatus
from azml_tasks.text import did_you_mean, some_listed

# The words of the run history and of the pipelines service; the latter also as numbers, which it used to send
# (azureml-pipeline-core, _aeva_provider.py: get_status).
_RUN_WORDS: Mapping[str, RunStatus] = {
    "Running": "running",
    "Finalizing": "running",
    "Completed": "completed",
    "Finished": "completed",
    "Failed": "failed",
    "Canceled": "cancelled",
}
_STEP_WORDS: Mapping[str, StepStatus] = {**_RUN_WORDS, "Bypassed": "skipped", "Skipped": "skipped"}
_RUN_NUMBERS = ("NotStarted", "Running", "Failed", "Finished", "Canceled")
_STEP_NUMBERS = ("NotStarted", "Queued", "Running", "Failed", "Finished", "Canceled", "PartiallyExecuted", "Bypassed")


@dataclass(frozen=True)
class AzureStepRecord(records.StepRecord):
    """One step of a run on Azure.

    `key` is Azure's label if the plan has no key for it; `run_id` is the step's run, and `logged` are its metrics and
    `child_runs` the runs that its script started, if requested.
    """

    run_id: str = ""
    logged: tuple[Mapping[str, Any], ...] = ()
    child_runs: tuple[records.ChildRun, ...] = ()

    def metrics(self) -> list[dict[str, Any]]:
        """Return the logged metrics, in order."""
        return [dict(metric) for metric in self.logged]

    def children(self) -> Sequence[records.ChildRun]:
        """Return the runs that the script started, in order."""
        return self.child_runs


@dataclass(frozen=True)
class AzureRunRecord(records.RunRecord[AzureStepRecord]):
    """One run on Azure; `logged` are the metrics of the run itself, if requested."""

    tags: Mapping[str, str] = field(default_factory=dict)
    logged: tuple[Mapping[str, Any], ...] = ()
    source: Provenance = field(default_factory=Provenance, repr=False)

    def provenance(self) -> Provenance:
        """Return what it was started from, as far as it was recorded."""
        return self.source

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics of the run itself, in order."""
        return [dict(metric) for metric in self.logged]

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the run's tags, those of the file among them."""
        return records.shown_pairs(self.tags)

    where: ClassVar[str] = "on Azure ML"


def run_status(word: str) -> RunStatus:
    """Return our word for Azure's word, or number, for the status of a run."""
    return _RUN_WORDS.get(_worded(word, _RUN_NUMBERS), "waiting")


def step_status(word: str, producer: str = "") -> tuple[StepStatus, str]:
    """Return our status for Azure's status (text or number) of a step, and the reason, if any.

    `producer` is the run whose result was reused, if any.
    """
    word = _worded(word, _STEP_NUMBERS)
    status = _STEP_WORDS.get(word, "waiting")
    if status == "waiting":
        return status, "" if word == "NotStarted" else f"Azure ML status: {word}"
    return ("reused", f"reused from {producer}") if producer and status == "completed" else (status, "")


def error_message(details: Mapping[str, Any]) -> str:
    """Return the error message of a run in the run history; empty if there is none."""
    found = (details.get("error") or {}).get("error") or {}
    return str(found.get("message") or "")


def _worded(word: str, numbers: tuple[str, ...]) -> str:
    return numbers[int(word)] if word.isdecimal() and int(word) < len(numbers) else word


def check_step(run_id: str, steps: Iterable[AzureStepRecord], step: str) -> None:
    """Raise UsageError if none of a run's steps has this key."""
    if step not in (keys := [record.key for record in steps]):
        has = f"started steps: {some_listed(keys)}" if keys else "no step has started"
        raise UsageError(f"the run {run_id} has no step '{step}': {has}{did_you_mean(step, keys)}")


def keyed(steps: Iterable[AzureStepRecord], plan: Plan | None) -> tuple[AzureStepRecord, ...]:
    """Set the plan's keys for the steps, matched by label."""
    labels = [step.label for step in plan.steps] if plan else []
    keys = {step.label: step.key for step in plan.steps if labels.count(step.label) == 1} if plan else {}
    return tuple(replace(step, key=keys.get(step.key, step.key)) for step in steps)
