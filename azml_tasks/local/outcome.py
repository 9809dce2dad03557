"""What is said at the end of a run that did not complete."""

from __future__ import annotations

import os
from pathlib import Path

from azml_tasks.errors import RunError, listed
from azml_tasks.local.record import RunRecord, StepRecord
from azml_tasks.runs.ending import GOING_ON, skipped_text, step_failure


def raise_for_status(run: RunRecord) -> None:
    """Raise RunError, which tells all that helps, unless the run completed."""
    if run.status != "completed":
        raise RunError(failure_text(run))


def failure_text(run: RunRecord) -> str:
    """Return what to say of a run that did not complete: what failed and why, what was skipped, how to go on."""
    parts = [_step_text(step) for step in run.steps if step.status == "failed"]
    cancelled = [step.key for step in run.steps if step.status in ("cancelled", "interrupted")]
    if run.status == "cancelled":
        while_running = f" while {_were('running', cancelled)}" if cancelled else ""
        by_whom = f" by {run.stopped_by}" if run.stopped_by else ""
        parts.append(f"run {run.id} was stopped{by_whom}{while_running}")
    elif cancelled:
        parts.append(f"run {run.id} was interrupted while {_were('running', cancelled)}")
    return "\n".join(filter(None, [*parts, skipped_text(run), GOING_ON]))


def _step_text(step: StepRecord) -> str:
    lines = [step_failure(step, step.message, step.detail)]
    if step.hint:
        lines.append(step.hint)
    if step.places.log.exists():
        lines.append(f"its log: {_from_here(step.places.log)}")
    return "\n".join(lines)


def _were(what: str, keys: list[str]) -> str:
    return f"{listed(keys)} {'was' if len(keys) == 1 else 'were'} {what}"


def _from_here(path: Path) -> str:
    """Return the path from the current folder when it lies below, else the whole of it."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith(os.pardir) else str(path)
