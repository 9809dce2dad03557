"""What a run would do with each step, and why, without running any."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from azml_tasks.errors import RunError, listed
from azml_tasks.local.attempt import Attempt
from azml_tasks.local.layout import Layout
from azml_tasks.local.preparation import build_snapshots, given_steps, virtual_environments
from azml_tasks.local.provenance import with_differences
from azml_tasks.local.record import Origin, RunRecord, StepRecord
from azml_tasks.local.reuse.contents import Contents
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.reuse.results import Results
from azml_tasks.local.selection import Selection, select
from azml_tasks.local.site import Site

if TYPE_CHECKING:
    from azml_tasks.snapshot import Locate
    from azml_tasks.wiring import Plan, StepPlan


@dataclass(frozen=True)
class Forecast:
    """What the next run would do with a step; `may run` hangs on what the steps before it will write."""

    key: str
    verdict: Literal["runs", "may run", "reused", "fails"]
    reason: str


def forecast(
    plan: Plan,
    project_dir: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    from_step: str | None = None,
    only: str | None = None,
    force: bool = False,
    origin: Origin | None = None,
    located: Locate | None = None,
) -> list[Forecast]:
    """Return what a run with the same options would do, step by step in their order.

    Raises ProjectError, UsageError, RunError as the run itself would.
    """
    layout = Layout.of(project_dir)
    try:
        run = RunRecord(
            *("next", "", "running", 0.0),
            parameters=dict(parameters or {}),
            places=layout.run("next"),
            origin=origin or Origin(),
        )
        return _forecasts(plan, layout, run, select(plan, from_step, only, force), located)
    except OSError as error:
        raise RunError(f"what a run would do cannot be said: {error.strerror}: {error.filename}") from error


def _forecasts(
    plan: Plan, layout: Layout, run: RunRecord, selection: Selection, located: Locate | None
) -> list[Forecast]:
    contents = Contents(layout.hashes)
    given = given_steps(plan, selection, Results(layout, contents))
    snapshots = build_snapshots(plan, selection.steps, layout, contents, located)
    virtual, _ = virtual_environments(plan, layout)
    site = Site(layout, plan, run, contents, virtual, dict(os.environ))
    records = with_differences(site, given)
    found = []
    for step in plan.steps:
        if step.key in records:
            found.append(Forecast(step.key, "reused", records[step.key].reason))
        elif step.key in snapshots:
            attempt = Attempt(site, step, snapshots[step.key], records)
            forced = step.key in selection.forced
            verdict, record = _forecast(step, attempt, records, forced)
            found.append(verdict)
            if record is not None:
                records[step.key] = record
    return found


def _forecast(
    step: StepPlan, attempt: Attempt, records: Mapping[str, StepRecord], forced: bool
) -> tuple[Forecast, StepRecord | None]:
    """Return the forecast of a step, with its record if it is to be reused."""
    before = [key for key in step.upstream if key not in records]
    if before and not forced and step.step.allow_reuse is not False:
        return Forecast(step.key, "may run", f"it follows {listed(before)}"), None
    try:
        decision = attempt.decide(forced)
    except InputMissingError as error:
        return Forecast(step.key, "fails", str(error)), None
    if decision.result is None:
        return Forecast(step.key, "runs", decision.reason), None
    return Forecast(step.key, "reused", decision.reason), attempt.record_of(decision.result, decision.reason)
