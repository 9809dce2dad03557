"""Runs of an experiment on Azure ML v2: records, logs, files."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any

from azml_tasks.azure.errors import status_of, translating_errors
from azml_tasks.azure.following import LogFiles, StepLogs, log_text, with_metrics
from azml_tasks.azure.records import (
    AzureRunRecord,
    AzureStepRecord,
    check_step,
    error_message,
    keyed,
    run_status,
    step_status,
)
from azml_tasks.azure.v2.client.connection import Client
from azml_tasks.errors import RunError, UsageError
from azml_tasks.export.document import job_name
from azml_tasks.plan import Plan
from azml_tasks.runs.properties import facts_in
from azml_tasks.runs.records import Event, RunFinished, StepOutput, end_of
from azml_tasks.text import listed

_REUSED = "azureml.reusedrunid"
_FULL_ID = 36
_SEARCHED = 200
_AT_ONCE = 8
# Azure gives as many digits of a second as it has, which Python 3.10 does not read.
_TIME = re.compile(r"^(.*?)(?:\.(\d{1,6})\d*)?(Z|[+-]\d{2}:\d{2})?$")

Document = Mapping[str, Any]


def list_runs(client: Client, experiment: str, limit: int | None = 20) -> list[AzureRunRecord]:
    """Return the newest runs of an experiment, without their steps; none if it does not exist."""
    with translating_errors("listing the runs"):
        found = islice(client.history.runs(experiment), limit)
        return [_named(run_record(client, one), experiment) for one in found]


def find_run(client: Client, experiment: str, wanted: str | None, plan: Plan | None) -> AzureRunRecord:
    """Return the newest run, or the one whose id starts with `wanted`, with its steps and metrics.

    Raises UsageError if `wanted` matches no run, or several; RunError if there are no runs.
    """
    with translating_errors("getting the run"):
        return _whole(client, _find(client, experiment, wanted), plan)


def with_steps(client: Client, records: Sequence[AzureRunRecord], plan: Plan | None) -> list[AzureRunRecord]:
    """Return listed runs with their steps and metrics."""
    with translating_errors("getting the runs"):
        return [_whole(client, record, plan) for record in records]


def _whole(client: Client, record: AzureRunRecord, plan: Plan | None) -> AzureRunRecord:
    return with_metrics(replace(record, steps=_steps(client, record.id, plan)), client.history.metrics)


def read_logs(
    client: Client, experiment: str, wanted: str | None, step: str | None, plan: Plan | None
) -> list[tuple[AzureStepRecord, str]]:
    """Return the logs of the steps of a run, or of one step.

    Raises like find_run, and UsageError for an unknown step.
    """
    with translating_errors("reading the logs"):
        run = _find(client, experiment, wanted)
        steps = _steps(client, run.id, plan)
        if step is not None:
            check_step(run.id, steps, step)
        found = [record for record in steps if step in (None, record.key)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            texts = pool.map(lambda record: step_log(client, record.producer or record.run_id)[1], found)
            return list(zip(found, texts, strict=True))


# Seconds between two looks at the logs of a run that is followed.
_PAUSE = 2.0


def follow_logs(
    client: Client,
    experiment: str,
    wanted: str | None,
    step: str | None,
    plan: Plan | None,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Yield what the steps of a run print, or one step, until they have ended, and how each of them ended.

    Of a reused step, only `step` itself has output: that of the run that it was reused from. Raises like read_logs.
    """
    with translating_errors("reading the logs"):
        identifier = _find(client, experiment, wanted).id
    logs = StepLogs(log_files(client))
    ended: set[str] = set()
    while True:
        with translating_errors("reading the logs"):
            record = _known(client, experiment, identifier)
            record = replace(record, steps=_steps(client, identifier, plan))
        if step is not None and step not in (plan.pipeline.steps if plan else ()):
            check_step(record.id, record.steps, step)
        for one in record.steps:
            if step not in (None, one.key) or one.key in ended:
                continue
            is_shown = one.status != "reused" or step is not None
            text = logs.new_text(one.producer or one.run_id) if is_shown else ""
            if text:
                yield StepOutput(one, text)
            if one.status not in ("waiting", "running"):
                ended.add(one.key)
                yield end_of(one)
        if record.is_over or step in ended:
            yield RunFinished(record)
            return
        wait(_PAUSE)


def cancel_run(client: Client, experiment: str, wanted: str | None) -> AzureRunRecord:
    """Cancel a run, and return its earlier record.

    Raises like find_run, and RunError if the run has ended.
    """
    with translating_errors("cancelling the run"):
        record = _find(client, experiment, wanted)
    record.check_cancellable()
    cancel_job(client, record.id)
    return record


def cancel_job(client: Client, identifier: str) -> None:
    """Cancel a job; one that is over by now stays as it is.

    The request may take effect although its answer is lost, and Azure then refuses the next one.
    """

    def cancel() -> None:
        try:
            client.ml.jobs.begin_cancel(identifier, polling=False)
        except Exception as error:
            found = client.history.run(identifier) if status_of(error) in (400, 409) else None
            if found is None or run_status(str(found["status"])) not in ("cancelled", "completed", "failed"):
                raise

    client.call(f"cancelling the run {identifier}", cancel)


def keys_of(plan: Plan | None, jobs: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the keys of the plan's steps by the names of their jobs, by default those that the export gives."""
    if plan is None:
        return {}
    return {**{job_name(step.key): step.key for step in plan.steps}, **(jobs or {})}


def step_record(child: Document, keys: Mapping[str, str]) -> AzureStepRecord:
    """Return the record of the run of a step; `keys` are those of the steps by the names of their jobs.

    Whether the run history has the name of the job or the label of the component is not known: both are tried.
    """
    properties = child.get("properties") or {}
    producer = str(properties.get(_REUSED) or "")
    status, reason = step_status(str(child.get("status") or "NotStarted"), producer)
    names = [str(child.get(key) or "") for key in ("name", "displayName")]
    key = next((keys[name] for name in names if name in keys), "") or names[1] or names[0] or str(child["runId"])
    return AzureStepRecord(
        key=key,
        status=status,
        reason=reason,
        message=error_message(child),
        started=_seconds(child.get("startTimeUtc")),
        finished=_seconds(child.get("endTimeUtc")),
        run_id=str(child["runId"]),
        producer=producer,
    )


def run_record(client: Client, found: Document) -> AzureRunRecord:
    """Return the record of a run in the run history, without its steps."""
    origin, settings, provenance = facts_in(found.get("properties") or {})
    identifier = str(found["runId"])
    return AzureRunRecord(
        id=identifier,
        experiment=str(found.get("experimentName") or ""),
        status=run_status(str(found.get("status") or "")),
        url=f"https://ml.azure.com/runs/{identifier}?wsid={client.scope}",
        started=_seconds(found.get("startTimeUtc") or found.get("createdUtc")),
        finished=_seconds(found.get("endTimeUtc")),
        tags=dict(found.get("tags") or {}),
        origin=origin,
        settings=settings,
        source=provenance,
    )


def log_files(client: Client) -> LogFiles:
    """Return what finds the logs of a step's run."""

    def files(run_id: str) -> Mapping[str, str]:
        found: Mapping[str, str] = client.history.details(run_id).get("logFiles") or {}
        return found

    return files


def step_log(client: Client, run_id: str) -> tuple[str, str]:
    return log_text(log_files(client)(run_id))


def _find(client: Client, experiment: str, wanted: str | None) -> AzureRunRecord:
    if wanted and len(wanted) >= _FULL_ID:
        return _known(client, experiment, wanted)
    runs = islice(client.history.runs(experiment), _SEARCHED if wanted else 1)
    found = [run for run in runs if str(run["runId"]).startswith(wanted or "")]
    if len(found) > 1:
        raise UsageError(f"several runs start with '{wanted}': {listed(str(run['runId']) for run in found)}")
    if found:
        return _named(run_record(client, found[0]), experiment)
    if wanted:
        raise UsageError(_no_run(experiment, wanted))
    raise RunError(f"no runs in the experiment '{experiment}' yet; start one with `invoke run`")


def _known(client: Client, experiment: str, identifier: str) -> AzureRunRecord:
    found = client.history.run(identifier)
    if found is None:
        raise UsageError(_no_run(experiment, identifier))
    return _named(run_record(client, found), experiment)


def _named(record: AzureRunRecord, experiment: str) -> AzureRunRecord:
    return record if record.experiment else replace(record, experiment=experiment)


def _no_run(experiment: str, wanted: str) -> str:
    return f"the experiment '{experiment}' has no run '{wanted}'; `invoke runs.list` lists the runs"


def _steps(client: Client, identifier: str, plan: Plan | None) -> tuple[AzureStepRecord, ...]:
    """Return the steps of a run in the order in which they started."""
    children = client.history.children(identifier)
    names = keys_of(plan)
    steps = sorted((step_record(child, names) for child in children), key=lambda step: step.started or float("inf"))
    return keyed(steps, plan)


def _seconds(moment: Any) -> float | None:
    """Return a time of the run history as seconds since the epoch."""
    match = _TIME.match(moment) if isinstance(moment, str) else None
    if match is None:
        return None
    day, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        return datetime.fromisoformat(f"{day}.{(fraction or '0').ljust(6, '0')}{zone}").timestamp()
    except ValueError:
        return None
