"""Run a pipeline on Azure ML v2: send it as a pipeline job, and follow the job to its end."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

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
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord, error_message, run_status
from azml_tasks.azure.v2.assets import find_environment, register_environment
from azml_tasks.azure.v2.client.connection import Client, require_client
from azml_tasks.azure.v2.data import check_outputs, data_versions, register_output
from azml_tasks.azure.v2.documents import PIPELINE, Documents, documents
from azml_tasks.azure.v2.forecast import known_names, remember_run
from azml_tasks.azure.v2.register import check_compute, check_datastore
from azml_tasks.azure.v2.runs import cancel_job, keys_of, log_files, step_record
from azml_tasks.backend import RunRequest, Watch
from azml_tasks.checks.contract import checked_snapshots
from azml_tasks.errors import LoginError, RunError, ServiceError
from azml_tasks.export.assets import is_curated
from azml_tasks.lock.lockfile import current_lock
from azml_tasks.plan import DatasetInput, Plan
from azml_tasks.plan.plan import parameter_values
from azml_tasks.reading import Project
from azml_tasks.reading.environment import conda
from azml_tasks.runs.code import CodeReading
from azml_tasks.runs.origin import Origin, Packages, settings_of, step_origins, who
from azml_tasks.runs.properties import properties_of
from azml_tasks.runs.records import Remark, RunFinished, RunStarted, step_failure
from azml_tasks.snapshot import Snapshot

# How long (seconds) to wait for git before the job is sent.
_PATIENCE = 5.0


@dataclass(frozen=True)
class SentJob:
    """A job that was sent: its record so far, and what it was made of; `keys` are the steps by their names in it.

    `registered` are the addresses of the outputs that steps register after success, by the names of data assets.
    """

    record: AzureRunRecord
    project: Project
    snapshots: Mapping[str, Snapshot]
    keys: Mapping[str, str]
    registered: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def run(project: Project, client: Client, request: RunRequest, watch: Watch, origin: Origin) -> AzureRunRecord:
    """Run a project's pipeline in the workspace and return the record of the run.

    Raises RunError when the run fails, and ProjectError, OverrideError or ServiceError when it cannot be started.
    """
    code = CodeReading(project.directory)
    changed = project.with_settings(request.settings)
    snapshots = checked_snapshots(changed, lambda note: watch.listener(Remark(note)))
    with documents(changed, snapshots=snapshots) as found:
        require_client()
        try:
            versions = pin_environments(client, found)
            check_datastores(client, changed.plan)
            check_computes(client, changed.plan, known_names(changed, "compute_name"))
            data = data_versions(client, found)
            found.pin_data(data)
            check_outputs(client, changed, found.made.jobs.values())
            properties = _properties(found, versions, snapshots, origin, code)
            record = submit(client, found, request, properties)
            remember_run(found, record, snapshots, versions, data)
        except KeyboardInterrupt:
            raise RunError(
                "interrupted while submitting the pipeline; check with `invoke runs.list` whether a run started, "
                "and stop it with `invoke runs.cancel`"
            ) from None
        keys = keys_of(changed.plan, found.jobs)
        registered = {job.step.key: job.registered for job in found.made.jobs.values()}
    record = replace(record, parameters=parameter_values(project.plan, changed.plan))
    sent = SentJob(record, changed, snapshots, keys, registered)
    watch.listener(RunStarted(record, tuple(step.key for step in project.plan.steps)))
    return follow_to_end(client, sent, watch) if request.wait else record


def pin_environments(client: Client, found: Documents) -> dict[str, str]:
    """Register the environments that the steps use where the file changed them, and write their versions down."""
    versions = environment_versions(client, found)
    found.pin(versions)
    return versions


def environment_versions(client: Client, found: Documents, dry: bool = False) -> dict[str, str]:
    """Return the versions of the environments that the steps use, registered first where the file changed them.

    With `dry` nothing is registered, and what would be is called `new`.
    """
    pipeline = found.project.pipeline
    used = dict.fromkeys(filter(None, (pipeline.env_of(step.step) for step in found.project.plan.steps)))
    known = known_names(found.project, "environment") if any(map(is_curated, used)) else set()
    # Before one is registered.
    others = [name for name in used if name not in pipeline.environments and not (is_curated(name) and name in known)]
    there = {name.partition("@")[0]: find_environment(client, name) for name in others}
    declared = [name for name in used if name in pipeline.environments]
    registered = {name: register_environment(client, found, name, dry)[0] or "new" for name in declared}
    return {**registered, **{name: version for name, version in there.items() if version}}


def check_computes(client: Client, plan: Plan, known: Collection[str] = ()) -> None:
    """Raise MissingError if a compute of the steps does not exist; those that are known are not asked for."""
    for name in dict.fromkeys(str(plan.pipeline.compute_of(step.step)) for step in plan.steps):
        if name not in known:
            check_compute(client, name, is_declared=name in plan.pipeline.computes)


def check_datastores(client: Client, plan: Plan) -> None:
    """Raise MissingError if a datastore of the steps does not exist: the job would fail much later, on its node."""
    pipeline = plan.pipeline
    datasets = (item.dataset for step in plan.steps for item in step.inputs if isinstance(item, DatasetInput))
    stores = [pipeline.datasets[name].datastore_name for name in datasets if name in pipeline.datasets]
    stores += [
        output.destination.datastore_name for step in plan.steps for output in step.outputs if output.destination
    ]
    for store in dict.fromkeys(filter(None, stores)):
        check_datastore(client, store)


def submit(
    client: Client, found: Documents, request: RunRequest, properties: Mapping[str, str], identifier: str = ""
) -> AzureRunRecord:
    """Send the pipeline as a job of a name of ours, so that sending it again makes no second one."""
    from azure.ai.ml import load_job

    identifier = identifier or str(uuid.uuid4())
    pipeline = found.project.pipeline
    experiment = request.experiment or pipeline.experiment

    def send() -> Any:
        # Read again for each try: the client replaces parts of what it sends.
        job = load_job(found.folder / PIPELINE)
        job.name, job.experiment_name = identifier, experiment
        job.properties = {**(job.properties or {}), **properties}
        if request.force:
            job.settings.force_rerun = True
        return client.ml.jobs.create_or_update(job)

    try:
        job = client.call("submitting the pipeline", send)
    except ServiceError:
        # Of a compute that is known from an earlier run, and was deleted since.
        check_computes(client, found.project.plan)
        raise
    return AzureRunRecord(
        id=identifier,
        experiment=experiment,
        status="waiting",
        url=str(job.studio_url or ""),
        started=time.time(),
        steps=tuple(AzureStepRecord(step.key) for step in found.project.plan.steps),
        tags=dict(pipeline.tags),
    )


def _properties(
    found: Documents,
    versions: Mapping[str, str],
    snapshots: Mapping[str, Snapshot],
    origin: Origin,
    code: CodeReading,
) -> dict[str, str]:
    """Return the properties of a job that say what it was started from."""
    plan = found.project.plan
    names = {step.key: plan.pipeline.env_of(step.step) or "" for step in plan.steps}
    files = {key: snapshot.hashes for key, snapshot in snapshots.items()}
    provenance = who()._replace(
        code=code.result(_PATIENCE),
        environments={name: _packages(found, name, version) for name, version in versions.items()},
        steps=step_origins(plan, files, names),
    )
    return properties_of(origin, settings_of(plan), provenance)


def _packages(found: Documents, name: str, version: str) -> Packages:
    """Return the name with the version, and the declared packages, of an environment."""
    named = f"{name}:{version}"
    declared = found.project.pipeline.environments.get(name)
    if declared is None or conda.has_own_python(declared):
        return Packages(named)
    lock = current_lock(found.project.plan, name, found.project.directory, in_a_job=True)
    specification = conda.conda_specification(declared, found.project.directory, (), lock.pins if lock else ())
    packages = [*conda.conda_packages(specification), *conda.pip_packages(specification)]
    versions = dict(conda.split_requirement(package) for package in packages)
    return Packages(named, versions.pop("python", ""), versions)


def follow_to_end(client: Client, sent: SentJob, watch: Watch) -> AzureRunRecord:
    """Follow a run until it ends.

    Raises RunError if it fails or is cancelled, and on Ctrl-C; ServiceError and LoginError if Azure stops responding.
    """
    identifier = sent.record.id
    try:
        with translating_errors("following the run"):
            record = _follow(client, sent, watch)
            _register_outputs(client, sent, record)
    except KeyboardInterrupt as interrupt:
        asks = None if type(interrupt) is not KeyboardInterrupt else watch.asks_to_cancel
        raise interrupted(identifier, asks, lambda: cancel_job(client, identifier)) from None
    except LoginError as error:
        raise LoginError(f"{error}\n{goes_on(identifier)}") from error
    except ServiceError as error:
        raise ServiceError(f"{error}\n{goes_on(identifier)}") from error
    if record.status != "completed":
        failed = [_failure(client, sent, step) for step in record.steps if step.status == "failed"]
        raise RunError(ending_of(record, failed))
    return record


def _follow(client: Client, sent: SentJob, watch: Watch) -> AzureRunRecord:
    record, waits, logs = sent.record, watch.pace.waits(), StepLogs(log_files(client))
    while True:
        before = record
        record = _looked_at(client, record, sent.keys)
        for event in with_output(
            changes(before.steps, record.steps),
            before.steps,
            record.steps,
            lambda step: logs.new_text(step.run_id),
        ):
            watch.listener(event)
        if record.is_over:
            record = summed_up(record, client.history.mlflow_run)
            watch.listener(RunFinished(record))
            return record
        if record != before:
            waits = watch.pace.waits()
        pause(next(waits), watch)


def _looked_at(client: Client, record: AzureRunRecord, keys: Mapping[str, str]) -> AzureRunRecord:
    """Return the record as it is now; the state comes first, so that a run that is over has all of its steps."""
    found = client.history.run(record.id)
    status = run_status(str(found["status"])) if found else "waiting"
    children = {step.key: step for step in (step_record(one, keys) for one in client.history.children(record.id))}
    steps = tuple(children.get(step.key, step) for step in record.steps)
    record = replace(record, status=status, steps=steps)
    if not record.is_over:
        return record
    return replace(record, steps=tuple(map(left_out, steps)), finished=time.time())


def _register_outputs(client: Client, sent: SentJob, record: AzureRunRecord) -> None:
    """Register the outputs of the steps that completed, where their launchers could not."""
    for step in record.steps:
        for name, path in sent.registered.get(step.key, {}).items() if step.status == "completed" else ():
            register_output(client, name, path.replace("${{name}}", step.run_id), step.run_id)


def _failure(client: Client, sent: SentJob, step: AzureStepRecord) -> str:
    """Return why a step failed: Azure's message and the end of its log, with a hint."""
    message, ending = step.message, ""
    if step.run_id:
        try:
            with translating_errors("reading its log"):
                details = client.history.details(step.run_id)
                message = message or error_message(details)
                ending = "\n".join(log_text(details.get("logFiles") or {})[1].splitlines()[-LAST_LINES:])
        except (LoginError, ServiceError) as error:
            ending = str(error)
    pipeline, directory = sent.project.pipeline, sent.project.directory
    snapshot = sent.snapshots.get(step.key)
    found = hint(ending, pipeline.steps[step.key], pipeline, snapshot, directory) if snapshot else None
    return "\n".join(filter(None, [step_failure(step, message, ending or "no log"), found]))
