"""Send a pipeline, and follow its run to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azml_tasks.azure.assembly import assembled, silently
from azml_tasks.azure.failures import translated
from azml_tasks.azure.logs import failure_of
from azml_tasks.azure.progress import follow
from azml_tasks.azure.records import RunRecord, StepRecord
from azml_tasks.azure.steps import Resources, Values
from azml_tasks.azure.watch import Watch
from azml_tasks.errors import LoginError, RunError, ServiceError, Terminated
from azml_tasks.runs.ending import GOING_ON, skipped_text
from azml_tasks.snapshot import Snapshot
from azml_tasks.wiring import Plan
from azml_tasks.wiring.reuse import reuse_in_a_run


@dataclass(frozen=True)
class Submitted:
    """A run that Azure has taken.

    `pipeline` and `run` are the SDK's Pipeline and PipelineRun, `record` is what is known of the run so far, `nodes`
    maps the graph's nodes to the keys of the steps, and `plan` and `snapshots` are what was sent.
    """

    pipeline: Any
    run: Any
    record: RunRecord
    nodes: Mapping[str, str]
    plan: Plan
    snapshots: Mapping[str, Snapshot]


def submit(
    ws: Any,
    plan: Plan,
    snapshots: Mapping[str, Snapshot],
    resources: Resources,
    experiment: str,
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    values: Values | None = None,
) -> Submitted:
    """Send the pipeline and start a run of it.

    `parameters` are those with other values than their defaults, `force` runs every step anew, and `values` gives the
    steps their arguments, by default the plan's.
    """
    parameters = dict(parameters or {})
    with (
        translated("submitting the pipeline"),
        assembled(ws, plan, snapshots, resources, reuse_in_a_run(plan), values) as assembly,
        silently(),
    ):
        # Not Experiment.submit, which asks first whether the experiment is there; the service makes it.
        run = assembly.pipeline.submit(
            experiment,
            pipeline_parameters=parameters or None,
            continue_on_step_failure=plan.pipeline.continue_on_step_failure,
            regenerate_outputs=force,
        )
        if plan.pipeline.tags:
            run.set_tags(dict(plan.pipeline.tags))
    record = RunRecord(
        id=run.id,
        experiment=experiment,
        status="waiting",
        url=run.get_portal_url(),
        started=time.time(),
        steps=tuple(StepRecord(step.key) for step in plan.steps),
        parameters=parameters,
        tags=dict(plan.pipeline.tags),
    )
    return Submitted(assembly.pipeline, run, record, assembly.nodes, plan, snapshots)


def watched(submitted: Submitted, watch: Watch, directory: Path) -> RunRecord:
    """Follow a run to its end; `directory` is the project's.

    Raises RunError when it fails or is cancelled, and when Ctrl-C ends the watching; ServiceError and LoginError when
    Azure no longer tells.
    """
    try:
        with translated("following the run"):
            record = follow(submitted.run, submitted.record, submitted.nodes, watch)
    except KeyboardInterrupt as interrupt:
        asks = None if isinstance(interrupt, Terminated) else watch.asks_to_cancel
        raise _interrupted(submitted, asks) from None
    except LoginError as error:
        raise LoginError(f"{error}\n{_goes_on(submitted.run.id)}") from error
    except ServiceError as error:
        raise ServiceError(f"{error}\n{_goes_on(submitted.run.id)}") from error
    if record.status != "completed":
        raise RunError(_ending(submitted, record, directory))
    return record


def _interrupted(submitted: Submitted, asks_to_cancel: Callable[[], bool] | None) -> RunError:
    identifier = submitted.run.id
    if asks_to_cancel is not None and asks_to_cancel():
        with translated(f"cancelling the run {identifier}"):
            submitted.run.cancel()
        return RunError(f"Azure ML was asked to cancel the run {identifier}")
    return RunError(f"no longer watching; {_goes_on(identifier)}")


def _goes_on(identifier: str) -> str:
    return (
        f"the run {identifier} goes on: `invoke runs.show --run {identifier}` shows it, "
        f"`invoke runs.cancel --run {identifier}` stops it"
    )


def _ending(submitted: Submitted, record: RunRecord, directory: Path) -> str:
    """Say how a run that did not complete ended, with what its failed steps printed last, and how to go on."""
    experiment, pipeline = submitted.run.experiment, submitted.plan.pipeline
    failed = [
        failure_of(experiment, step, pipeline, submitted.snapshots.get(step.key), directory)
        for step in record.steps
        if step.status == "failed"
    ]
    ended = "" if failed else f"the run {record.id} {record.ending}"
    logs = f"`invoke runs.logs --run {record.id}` prints all that its steps printed" if failed else ""
    return "\n".join(filter(None, [*failed, ended, skipped_text(record), logs, GOING_ON, record.url]))
