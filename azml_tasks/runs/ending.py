"""What is said at the end of a run that did not complete, on either backend."""

from __future__ import annotations

from azml_tasks.errors import listed
from azml_tasks.runs.records import RunRecord, StepRecord

GOING_ON = "`invoke run` goes on from there: steps that have completed are reused"


def step_failure(step: StepRecord, message: str, detail: str) -> str:
    """Say that a step failed and why; `detail` is how its log ends."""
    first = f"step '{step.key}' failed" + (f": {message}" if message else "")
    return "\n".join([first, *(f"  {line}".rstrip() for line in detail.splitlines())])


def skipped_text(run: RunRecord[StepRecord]) -> str:
    """Name the steps that were not started; empty when all were."""
    skipped = [step.key for step in run.steps if step.status == "skipped"]
    return f"skipped: {listed(skipped)}" if skipped else ""
