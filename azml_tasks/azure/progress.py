"""Follow a run on Azure until it is over."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from azml_tasks.azure.records import RunRecord, StepRecord, run_status, step_status
from azml_tasks.azure.watch import Watch
from azml_tasks.runs.events import (
    Event,
    RunFinished,
    StepFinished,
    StepReused,
    StepSkipped,
    StepStarted,
    StepWaiting,
    Tick,
)


def follow(submitted: Any, record: RunRecord, nodes: Mapping[str, str], watch: Watch) -> RunRecord:
    """Tell what becomes of a PipelineRun, and return its record when it is over.

    `nodes` maps the graph's nodes to the steps of the record.
    """
    waits = watch.pace.waits()
    while True:
        before = record
        status = run_status(submitted.get_status())
        record = replace(record, status=status, steps=_looked_at(submitted, record.steps, nodes))
        if record.is_over:
            record = replace(record, steps=tuple(_left_out(step) for step in record.steps), finished=time.time())
        for event in changes(before.steps, record.steps):
            watch.listener(event)
        if record.is_over:
            watch.listener(RunFinished(record))
            return record
        if record != before:
            waits = watch.pace.waits()
        _pause(next(waits), watch)


def _pause(seconds: float, watch: Watch) -> None:
    end = time.monotonic() + seconds
    while watch.tick is not None and end - time.monotonic() > watch.tick:
        time.sleep(watch.tick)
        watch.listener(Tick())
    time.sleep(max(0, end - time.monotonic()))


def changes(before: tuple[StepRecord, ...], after: tuple[StepRecord, ...]) -> Iterator[Event]:
    """Yield what has happened between two looks at the same steps."""
    for old, new in zip(before, after, strict=True):
        if (old.status, old.reason) == (new.status, new.reason):
            continue
        if new.status == "waiting":
            yield StepWaiting(new)
        elif new.status == "running":
            yield StepStarted(new)
        elif new.status == "reused":
            yield StepReused(new)
        elif new.status == "skipped":
            yield StepSkipped(new)
        else:
            yield StepFinished(new)


def _looked_at(submitted: Any, steps: tuple[StepRecord, ...], nodes: Mapping[str, str]) -> tuple[StepRecord, ...]:
    # The one request that tells of all steps at once has no public name; the public get_children() makes a Run of
    # each child on each look, at several requests each, and keeps them all until the process ends.
    statuses = submitted._pipeline_run_provider.get_node_statuses(submitted.id) or {}
    by_step = {nodes[node]: status for node, status in statuses.items() if node in nodes}
    return tuple(_updated(step, by_step[step.key]) if step.key in by_step else step for step in steps)


def _updated(step: StepRecord, told: Any) -> StepRecord:
    """Return the record as a TaskStatus of the pipelines service has it."""
    producer = told.reuse_info.run_id if told.reuse_info is not None else ""
    status, reason = step_status(told.status_code or "NotStarted", producer)
    return replace(
        step,
        status=status,
        reason=reason,
        message=told.status_detail or "",
        started=_seconds(told.start_time),
        finished=_seconds(told.end_time),
        run_id=told.run_id or step.run_id,
        producer=producer,
    )


def _left_out(step: StepRecord) -> StepRecord:
    return replace(step, status="skipped", reason="") if step.status == "waiting" else step


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
