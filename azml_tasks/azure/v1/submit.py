"""Run a pipeline on Azure: send it, and follow its run to the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.errors import translating_errors
from azml_tasks.azure.following import (
    LAST_LINES,
    StepLogs,
    changes,
    ending_of,
    goes_on,
    hint,
    interrupted,
    left_out,
    log_text,
    pause,
    summed_up,
    with_output,
)
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord, error_message, run_status, step_status
from azml_tasks.azure.sent import SentRun, Versions, described_steps, remember, workspace_of
from azml_tasks.azure.v1.client.connection import mlflow_run, service_calls
from azml_tasks.azure.v1.resources.find import Resources, find_resources
from azml_tasks.azure.v1.runs.recording import RunRecording
from azml_tasks.azure.v1.runs.runs import log_files
from azml_tasks.backend import Watch
from azml_tasks.checks.azure import check_azure_needs
from azml_tasks.checks.contract import checked_snapshots
from azml_tasks.errors import LoginError, RunError, ServiceError, Terminated
from azml_tasks.model import Pipeline
from azml_tasks.plan import Plan
from azml_tasks.plan.plan import parameter_values, reuse_in_a_run
from azml_tasks.reading import Project
from azml_tasks.runs.origin import Origin
from azml_tasks.runs.records import Remark, RunFinished, RunStarted, step_failure
from azml_tasks.snapshot import Snapshot

if TYPE_CHECKING:
    from azml_tasks.azure.v1.pipeline import Values


def run(
    project: Project,
    ws: Any,
    *,
    experiment: str | None = None,
    settings: Iterable[str] = (),
    force: bool = False,
    wait: bool = True,
    watch: Watch | None = None,
    origin: Origin | None = None,
) -> AzureRunRecord:
    """Run a project's pipeline in the workspace and return the record of the run.

    `settings` are overrides (`train.lr=0.1`), `force` runs every step again, and `origin` is how the run is started,
    for its record. Unless `wait` is false the run is
    followed to its end. Raises RunError when the run fails, and ProjectError, OverrideError or ServiceError when it
    cannot be started.
    """
    watch = watch or Watch()
    check_azure_needs(project)
    changed = project.with_settings(settings)
    parameters = parameter_values(project.plan, changed.plan)
    snapshots = checked_snapshots(changed, lambda note: watch.listener(Remark(note)))
    recording = RunRecording(project.directory, changed.plan, origin or Origin(), snapshots)
    with service_calls("running the pipeline"):
        resources = find_resources(ws, project.plan, project.directory)
        named = experiment or project.pipeline.experiment
        try:
            submitted = submit(ws, project.plan, snapshots, resources, named, parameters, force)
        except KeyboardInterrupt:
            raise RunError(
                "interrupted while submitting the pipeline; check with `invoke runs.list` whether a run started, "
                "and stop it with `invoke runs.cancel`"
            ) from None
        remember(project.directory, _sent(changed, submitted, resources))
        watch.listener(RunStarted(submitted.record, tuple(step.key for step in project.plan.steps)))

        def record() -> None:
            recording.write(submitted.run, resources.environments, watch.listener)

        if wait:
            return follow_to_end(submitted, watch, project.directory, record)
        record()
        return submitted.record


def _sent(project: Project, submitted: Submitted, resources: Resources) -> SentRun:
    """Return the description of a run for later forecasts; `project` has its values."""
    environments, datasets = (
        {name: _version(one) for name, one in found.items()} for found in (resources.environments, resources.datasets)
    )
    return SentRun(
        id=submitted.record.id,
        experiment=submitted.record.experiment,
        workspace=workspace_of(project.pipeline),
        sent=submitted.record.started or time.time(),
        nodes={key: node for node, key in submitted.nodes.items()},
        steps=described_steps(project.plan, submitted.snapshots, Versions(environments, datasets)),
    )


def _version(registered: Any) -> str | None:
    version = getattr(registered, "version", None)
    return None if version is None else str(version)


@dataclass(frozen=True)
class Submitted:
    """A submitted run.

    `pipeline` and `run` are the SDK's Pipeline and PipelineRun, `record` is the record of the run so far, `nodes` maps
    the graph's nodes to the keys of the steps, and `plan` and `snapshots` are what was submitted.
    """

    pipeline: Any
    run: Any
    record: AzureRunRecord
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

    `parameters` are those with other values than their defaults, `force` runs every step again, and `values` gives the
    steps their arguments, by default the plan's.
    """
    from azml_tasks.azure.v1.pipeline import built_pipeline, silently

    parameters = dict(parameters or {})
    with (
        translating_errors("submitting the pipeline"),
        built_pipeline(ws, plan, snapshots, resources, reuse_in_a_run(plan), values) as assembly,
        silently(),
    ):
        # Not Experiment.submit, which first requests the experiment; the service creates it.
        run = assembly.pipeline.submit(
            experiment,
            pipeline_parameters=parameters or None,
            continue_on_step_failure=plan.pipeline.continue_on_step_failure,
            regenerate_outputs=force,
        )
        if plan.pipeline.tags:
            run.set_tags(dict(plan.pipeline.tags))
    record = AzureRunRecord(
        id=run.id,
        experiment=experiment,
        status="waiting",
        url=run.get_portal_url(),
        started=time.time(),
        steps=tuple(AzureStepRecord(step.key) for step in plan.steps),
        parameters=parameters,
        tags=dict(plan.pipeline.tags),
    )
    return Submitted(assembly.pipeline, run, record, assembly.nodes, plan, snapshots)


def follow_to_end(
    submitted: Submitted, watch: Watch, directory: Path, first: Callable[[], None] = lambda: None
) -> AzureRunRecord:
    """Do what comes `first`, and follow a run until it ends; `directory` is the project's.

    Raises RunError if it fails or is cancelled, and on Ctrl-C; ServiceError and LoginError if Azure stops responding.
    """
    try:
        with translating_errors("following the run"):
            first()
            logs = StepLogs(log_files(submitted.run.experiment))
            record = follow(submitted.run, submitted.record, submitted.nodes, watch, logs)
    except KeyboardInterrupt as interrupt:
        asks = None if isinstance(interrupt, Terminated) else watch.asks_to_cancel
        raise interrupted(submitted.run.id, asks, submitted.run.cancel) from None
    except LoginError as error:
        raise LoginError(f"{error}\n{goes_on(submitted.run.id)}") from error
    except ServiceError as error:
        raise ServiceError(f"{error}\n{goes_on(submitted.run.id)}") from error
    if record.status != "completed":
        experiment, pipeline = submitted.run.experiment, submitted.plan.pipeline
        failed = [
            failure_of(experiment, step, pipeline, submitted.snapshots.get(step.key), directory)
            for step in record.steps
            if step.status == "failed"
        ]
        raise RunError(ending_of(record, failed))
    return record


def follow(
    submitted: Any, record: AzureRunRecord, nodes: Mapping[str, str], watch: Watch, logs: StepLogs
) -> AzureRunRecord:
    """Report the progress of a PipelineRun, and return its record when it has ended.

    `nodes` maps the graph's nodes to the steps of the record, and `logs` are those of its steps.
    """
    waits = watch.pace.waits()
    while True:
        before = record
        status = run_status(submitted.get_status())
        record = replace(record, status=status, steps=_looked_at(submitted, record.steps, nodes))
        if record.is_over:
            record = replace(record, steps=tuple(left_out(step) for step in record.steps), finished=time.time())
        for event in with_output(
            changes(before.steps, record.steps),
            before.steps,
            record.steps,
            lambda step: logs.new_text(step.run_id),
        ):
            watch.listener(event)
        if record.is_over:
            record = summed_up(record, partial(mlflow_run, submitted.experiment.workspace))
            watch.listener(RunFinished(record))
            return record
        if record != before:
            waits = watch.pace.waits()
        pause(next(waits), watch)


def _looked_at(
    submitted: Any, steps: tuple[AzureStepRecord, ...], nodes: Mapping[str, str]
) -> tuple[AzureStepRecord, ...]:
    # The request for the states of all steps has no public function; the public get_children() creates a Run for each
    # child each time, with several requests each, and keeps them all until the process ends.
    statuses = submitted._pipeline_run_provider.get_node_statuses(submitted.id) or {}
    by_step = {nodes[node]: status for node, status in statuses.items() if node in nodes}
    return tuple(_updated(step, by_step[step.key]) if step.key in by_step else step for step in steps)


def _updated(step: AzureStepRecord, answer: Any) -> AzureStepRecord:
    """Return the record as a TaskStatus of the pipelines service has it."""
    producer = answer.reuse_info.run_id if answer.reuse_info is not None else ""
    status, reason = step_status(answer.status_code or "NotStarted", producer)
    return replace(
        step,
        status=status,
        reason=reason,
        message=answer.status_detail or "",
        started=_seconds(answer.start_time),
        finished=_seconds(answer.end_time),
        run_id=answer.run_id or step.run_id,
        producer=producer,
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def failure_of(
    experiment: Any, step: AzureStepRecord, pipeline: Pipeline, snapshot: Snapshot | None, directory: Path
) -> str:
    """Return why a step failed: Azure's message and the end of its log, with a hint."""
    from azureml.core import Run

    message, ending = step.message, ""
    if step.run_id:
        try:
            with translating_errors("reading its log"):
                details = Run(experiment, step.run_id).get_details()
                message = message or error_message(details)
                ending = "\n".join(log_text(details["logFiles"])[1].splitlines()[-LAST_LINES:])
        except (LoginError, ServiceError) as error:
            ending = str(error)
    planned = pipeline.steps.get(step.key)
    found = hint(ending, planned, pipeline, snapshot, directory) if planned and snapshot else None
    return "\n".join(filter(None, [step_failure(step, message, ending or "no log"), found]))
