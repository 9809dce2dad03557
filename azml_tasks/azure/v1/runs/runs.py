"""Runs of an experiment on Azure: records and logs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.errors import is_foreign, is_missing, translating_errors
from azml_tasks.azure.following import LogFiles, StepLogs, log_text
from azml_tasks.azure.records import (
    AzureRunRecord,
    AzureStepRecord,
    check_step,
    error_message,
    keyed,
    run_status,
    step_status,
)
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.errors import RunError, UsageError
from azml_tasks.plan import Plan
from azml_tasks.runs import records
from azml_tasks.runs.properties import facts_in
from azml_tasks.runs.records import Event, RunFinished, StepOutput, end_of
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azureml.core import Experiment, Run

_PIPELINE = "azureml.PipelineRun"
_REUSED = "azureml.reusedrunid"
_PARAMETERS = "azureml.parameters"
_FULL_ID = 36
_SEARCHED = 200
_AT_ONCE = 8


@dataclass(frozen=True)
class StepLog:
    """The log of a step; `name` is its file, empty if there is none."""

    step: AzureStepRecord
    name: str
    text: str


def list_runs(ws: Any, experiment: str, limit: int | None = 20) -> list[AzureRunRecord]:
    """Return the newest runs of an experiment, without their steps; none if it does not exist."""
    with service_calls("listing the runs"):
        return [_record(run) for run in islice(_runs(ws, experiment), limit)]


def find_run(ws: Any, experiment: str, wanted: str | None = None, plan: Plan | None = None) -> AzureRunRecord:
    """Return the newest run, or the one whose id starts with `wanted`, with its steps and metrics.

    Azure has labels of steps; `plan` provides their keys. Raises UsageError if `wanted` matches no run, or several;
    RunError if there are no runs.
    """
    with service_calls("getting the run"):
        run = _find(ws, experiment, wanted)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            steps = pool.map(_with_metrics, _children(run))
            logged = pool.submit(_logged, run)
            return replace(_record(run), steps=keyed(steps, plan), logged=logged.result())


def with_steps(ws: Any, records: Sequence[AzureRunRecord], plan: Plan | None = None) -> list[AzureRunRecord]:
    """Return listed runs with their steps and metrics; `plan` is as in find_run."""
    with service_calls("getting the runs"), ThreadPoolExecutor(_AT_ONCE) as pool:

        def whole(record: AzureRunRecord) -> AzureRunRecord:
            run = _known(ws, record.experiment, record.id)
            steps = tuple(map(_with_metrics, _children(run)))
            return replace(record, steps=keyed(steps, plan), logged=_logged(run))

        return list(pool.map(whole, records))


def child_runs(run: Run, above: str) -> Iterator[records.ChildRun]:
    """Yield the runs that a step's script started, and theirs; `above` is the name of the run."""
    for child in _children(run):
        name = f"{above}>{(child.name or child.id).rpartition('>')[2]}"
        yield records.ChildRun(name, _logged(child), tags=own_tags(child))
        yield from child_runs(child, name)


def own_tags(run: Run) -> dict[str, str | None]:
    """Return the tags that scripts and people set, without the service's own."""
    own = {name: value for name, value in (run.tags or {}).items() if not name.startswith("azureml.")}
    return records.shown_pairs(own)


def run_children(ws: Any, record: AzureRunRecord) -> tuple[Run, dict[str, Run]]:
    """Return the SDK's run of a record, and those of its steps by their ids."""
    run = _known(ws, record.experiment, record.id)
    return run, {child.id: child for child in _children(run)}


def read_logs(
    ws: Any, experiment: str, wanted: str | None = None, step: str | None = None, plan: Plan | None = None
) -> list[StepLog]:
    """Return the logs of the steps of a run, or of one step.

    `plan` is as in find_run. Raises like find_run, and UsageError for an unknown step.
    """
    with service_calls("reading the logs"):
        run = _find(ws, experiment, wanted)
        steps = keyed(map(_step, _children(run)), plan)
        if step is not None:
            check_step(run.id, steps, step)
        wanted_steps = [record for record in steps if step in (None, record.key)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            logs = pool.map(lambda record: read_log(run.experiment, record.producer or record.run_id), wanted_steps)
            return [StepLog(record, *log) for record, log in zip(wanted_steps, logs, strict=True)]


# Seconds between two looks at the logs of a run that is followed.
_PAUSE = 2.0


def follow_logs(
    ws: Any,
    experiment: str,
    wanted: str | None = None,
    step: str | None = None,
    plan: Plan | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Event]:
    """Yield what the steps of a run print, or one step, until they have ended, and how each of them ended.

    Of a reused step, only `step` itself has output: that of the run that it was reused from. Raises like read_logs; a
    step of the plan may start later.
    """
    with service_calls("reading the logs"):
        identifier = _find(ws, experiment, wanted).id
    logs: StepLogs | None = None
    ended: set[str] = set()
    while True:
        events: list[Event] = []
        # Nothing is yielded inside, where standard output is not that of the caller.
        with service_calls("reading the logs"):
            run = _known(ws, experiment, identifier)
            logs = logs or StepLogs(log_files(run.experiment))
            record = replace(_record(run), steps=keyed(map(_step, _children(run)), plan))
            if step is not None and step not in (plan.pipeline.steps if plan else ()):
                check_step(record.id, record.steps, step)
            for one in record.steps:
                if step not in (None, one.key) or one.key in ended:
                    continue
                is_shown = one.status != "reused" or step is not None
                text = logs.new_text(one.producer or one.run_id) if is_shown else ""
                if text:
                    events.append(StepOutput(one, text))
                if one.status not in ("waiting", "running"):
                    ended.add(one.key)
                    events.append(end_of(one))
        yield from events
        if record.is_over or step in ended:
            yield RunFinished(record)
            return
        pause(_PAUSE)


def cancel_run(ws: Any, experiment: str, wanted: str | None = None) -> AzureRunRecord:
    """Cancel a run, and return its earlier record.

    Raises like find_run, and RunError if the run has ended.
    """
    with service_calls("cancelling the run"):
        from azureml.pipeline.core import PipelineRun

        run = _find(ws, experiment, wanted)
        record = _record(run)
        record.check_cancellable()
        PipelineRun(run.experiment, run.id).cancel()
        return record


def _find(ws: Any, experiment: str, wanted: str | None) -> Run:
    if wanted and len(wanted) >= _FULL_ID:
        return _known(ws, experiment, wanted)
    found = [
        run for run in islice(_runs(ws, experiment), _SEARCHED if wanted else 1) if run.id.startswith(wanted or "")
    ]
    if len(found) > 1:
        raise UsageError(f"several runs start with '{wanted}': {listed(run.id for run in found)}")
    if found:
        return found[0]
    if wanted:
        raise UsageError(_no_run(experiment, wanted))
    raise RunError(f"no runs in the experiment '{experiment}' yet; start one with `invoke run`")


def _known(ws: Any, experiment: str, identifier: str) -> Run:
    from azureml.core import Run

    try:
        there = _experiment(ws, experiment)
        if there is not None:
            return Run(there, identifier)
    except Exception as error:
        if not (is_foreign(error) and is_missing(error)):
            raise
    raise UsageError(_no_run(experiment, identifier))


def _no_run(experiment: str, wanted: str) -> str:
    return f"the experiment '{experiment}' has no run '{wanted}'; `invoke runs.list` lists the runs"


def _runs(ws: Any, experiment: str) -> Iterator[Run]:
    """Yield the runs of pipelines, the newest first."""
    from azureml.core import Run

    there = _experiment(ws, experiment)
    if there is not None:
        # As PipelineRuns they would need three more requests each.
        yield from Run.list(there, type=_PIPELINE, _rehydrate_runs=False)


def _experiment(ws: Any, name: str) -> Experiment | None:
    """Return the experiment, without creating it."""
    from azureml.core import Experiment

    return next(iter(Experiment.list(ws, experiment_name=name)), None)


def _children(run: Run) -> list[Run]:
    children = run.get_children(_rehydrate_runs=False)
    return sorted(children, key=lambda child: _seconds(child, "start_time_utc") or float("inf"))


def _with_metrics(child: Run) -> AzureStepRecord:
    return replace(_step(child), logged=_logged(child))


def _logged(run: Run) -> tuple[dict[str, Any], ...]:
    found = (
        {"name": name, "kind": "list" if isinstance(value, list) else "scalar", "value": value}
        for name, value in run.get_metrics().items()
    )
    return tuple(records.shown_metrics(found))


def _record(run: Run) -> AzureRunRecord:
    origin, settings, provenance = facts_in(run.properties)
    return AzureRunRecord(
        id=run.id,
        experiment=run.experiment.name,
        status=run_status(run.status),
        url=run.get_portal_url(),
        started=_seconds(run, "start_time_utc"),
        finished=_seconds(run, "end_time_utc"),
        parameters=json.loads(run.properties.get(_PARAMETERS) or "{}"),
        tags=dict(run.tags),
        origin=origin,
        settings=settings,
        source=provenance,
    )


def _step(child: Run) -> AzureStepRecord:
    producer = child.properties.get(_REUSED, "")
    status, reason = step_status(child.status, producer)
    return AzureStepRecord(
        key=child.name or child.id,
        status=status,
        reason=reason,
        message=error_message(child._run_dto),
        started=_seconds(child, "start_time_utc"),
        finished=_seconds(child, "end_time_utc"),
        run_id=child.id,
        producer=producer,
    )


def _seconds(run: Run, key: str) -> float | None:
    # Already in the listing; the public get_details() needs three more requests for each.
    from msrest.serialization import Deserializer

    moment = run._run_dto.get(key)
    if isinstance(moment, str):
        # Azure gives as many digits of a second as it has, which Python 3.10 does not read.
        moment = Deserializer.deserialize_iso(moment)
    return None if moment is None else float(moment.timestamp())


def read_log(experiment: Any, run_id: str) -> tuple[str, str]:
    """Return the name and the text of a step's main log; both empty if it has none."""
    from azureml.core import Run

    with translating_errors("reading the log"):
        return log_text(Run(experiment, run_id).get_details()["logFiles"])


def log_files(experiment: Any) -> LogFiles:
    """Return what finds the logs of an experiment's steps, each run opened once."""
    runs: dict[str, Run] = {}

    def files(run_id: str) -> Mapping[str, str]:
        from azureml.core import Run

        if run_id not in runs:
            runs[run_id] = Run(experiment, run_id)
        found: Mapping[str, str] = runs[run_id].get_details()["logFiles"]
        return found

    return files
