"""What is known of a run on Azure and of its steps, in the words of the local backend's records."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

RunStatus = Literal["waiting", "running", "completed", "failed", "cancelled"]
StepStatus = Literal["waiting", "running", "completed", "reused", "failed", "cancelled", "skipped"]

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
class StepRecord:
    """One step of a run. Times are seconds since the epoch.

    `key` is the label that Azure shows, `reason` says what it waits for or whose result it has, and `producer` is the
    run that made the results of a reused step.
    """

    key: str
    status: StepStatus = "waiting"
    reason: str = ""
    message: str = ""
    started: float | None = None
    finished: float | None = None
    run_id: str = ""
    producer: str = ""
    logged: tuple[Mapping[str, Any], ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the steps after it may run."""
        return self.status in ("completed", "reused")

    @property
    def seconds(self) -> float | None:
        """How long it ran, so far when it still runs."""
        if self.started is None:
            return None
        return (self.finished or time.time()) - self.started

    def metrics(self) -> list[dict[str, Any]]:
        """Return what the script logged, when it was asked for."""
        return [dict(metric) for metric in self.logged]


@dataclass(frozen=True)
class RunRecord:
    """One run of a pipeline. Times are seconds since the epoch; `url` is its page in the portal."""

    id: str
    experiment: str
    status: RunStatus
    url: str
    started: float | None = None
    finished: float | None = None
    steps: tuple[StepRecord, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, key: str) -> StepRecord:
        return next(step for step in self.steps if step.key == key)

    @property
    def seconds(self) -> float | None:
        """How long it ran, so far when it still runs."""
        if self.started is None:
            return None
        return (self.finished or time.time()) - self.started

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in ("completed", "failed", "cancelled")


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
