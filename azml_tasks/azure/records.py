"""The records of runs on Azure, and Azure's words in ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from azml_tasks.runs import records
from azml_tasks.runs.records import RunStatus, StepStatus

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
class StepRecord(records.StepRecord):
    """One step of a run on Azure.

    `key` is the label that Azure shows where the plan does not tell more; `run_id` is the step's own run, and `logged`
    what it logged, when that was asked for.
    """

    run_id: str = ""
    logged: tuple[Mapping[str, Any], ...] = ()

    def metrics(self) -> list[dict[str, Any]]:
        """Return what the script logged, in its order."""
        return [dict(metric) for metric in self.logged]


@dataclass(frozen=True)
class RunRecord(records.RunRecord[StepRecord]):
    """One run on Azure; `logged` is what was logged on the run itself, when that was asked for."""

    tags: Mapping[str, str] = field(default_factory=dict)
    logged: tuple[Mapping[str, Any], ...] = ()

    def metrics(self) -> list[dict[str, Any]]:
        """Return what was logged on the run itself, in its order."""
        return [dict(metric) for metric in self.logged]

    def recorded_tags(self) -> Mapping[str, str | None]:
        """Return the run's tags, those of the file among them."""
        return self.tags

    where: ClassVar[str] = "on Azure ML"


def run_status(word: str) -> RunStatus:
    """Return our word for Azure's word, or number, for the status of a run."""
    return _RUN_WORDS.get(_worded(word, _RUN_NUMBERS), "waiting")


def step_status(word: str, producer: str = "") -> tuple[StepStatus, str]:
    """Return our word for Azure's word, or number, for the status of a step, and the reason where there is one.

    `producer` is the run whose result stands in for the step's own, if any.
    """
    word = _worded(word, _STEP_NUMBERS)
    status = _STEP_WORDS.get(word, "waiting")
    if status == "waiting":
        return status, "" if word == "NotStarted" else f"Azure ML says {word}"
    return ("reused", f"reused from {producer}") if producer and status == "completed" else (status, "")


def error_message(details: Mapping[str, Any]) -> str:
    """Return the message of the error that the run history tells of a run; empty when there is none."""
    found = (details.get("error") or {}).get("error") or {}
    return str(found.get("message") or "")


def _worded(word: str, numbers: tuple[str, ...]) -> str:
    return numbers[int(word)] if word.isdigit() and int(word) < len(numbers) else word
