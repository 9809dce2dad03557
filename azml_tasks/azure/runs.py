"""Look at runs of an experiment on Azure, and cancel them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.failures import is_foreign, is_missing
from azml_tasks.azure.records import RunRecord, StepRecord, error_message, run_status, step_status
from azml_tasks.errors import RunError, UsageError, did_you_mean, listed, some_listed
from azml_tasks.wiring import Plan

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
    """What a step printed; `name` is the log's file, empty when there is none."""

    step: StepRecord
    name: str
    text: str


def list_runs(ws: Any, experiment: str, limit: int = 20) -> list[RunRecord]:
    """Return the newest runs of an experiment, without their steps; none when there is no such experiment."""
    with service_calls("listing the runs"):
        return [_record(run) for run in islice(_runs(ws, experiment), limit)]


def find_run(ws: Any, experiment: str, wanted: str | None = None, plan: Plan | None = None) -> RunRecord:
    """Return the newest run, or the one whose id begins with `wanted`, with its steps and what they logged.

    Azure knows steps by their labels; by `plan`, they have their keys. Raises UsageError when `wanted` is no run, or
    more than one; RunError when nothing has been run.
    """
    with service_calls("looking at the run"):
        run = _find(ws, experiment, wanted)
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            steps = pool.map(_with_metrics, _children(run))
            logged = pool.submit(_logged, run)
            return replace(_record(run), steps=_keyed(steps, plan), logged=logged.result())


def read_logs(
    ws: Any, experiment: str, wanted: str | None = None, step: str | None = None, plan: Plan | None = None
) -> list[StepLog]:
    """Return what the steps of a run printed, or one of them.

    `plan` is as in find_run. Raises as find_run does, and UsageError when the run has no such step.
    """
    with service_calls("reading the logs"):
        from azml_tasks.azure.logs import read_log

        run = _find(ws, experiment, wanted)
        steps = _keyed(map(_step, _children(run)), plan)
        if step is not None and step not in (keys := [record.key for record in steps]):
            has = f"it has started {some_listed(keys)}" if keys else "it has started none"
            raise UsageError(f"the run {run.id} has no step '{step}': {has}{did_you_mean(step, keys)}")
        wanted_steps = [record for record in steps if step in (None, record.key)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            logs = pool.map(lambda record: read_log(run.experiment, record.producer or record.run_id), wanted_steps)
            return [StepLog(record, *log) for record, log in zip(wanted_steps, logs, strict=True)]


def cancel_run(ws: Any, experiment: str, wanted: str | None = None) -> RunRecord:
    """Ask Azure to cancel a run, and return its record as it was before.

    Raises as find_run does, and RunError when the run is over.
    """
    with service_calls("cancelling the run"):
        from azureml.pipeline.core import PipelineRun

        run = _find(ws, experiment, wanted)
        record = _record(run)
        if record.is_over:
            raise RunError(f"the run {record.id} is over: it {record.ending}")
        PipelineRun(run.experiment, run.id).cancel()
        return record


def _find(ws: Any, experiment: str, wanted: str | None) -> Run:
    if wanted and len(wanted) >= _FULL_ID:
        return _known(ws, experiment, wanted)
    found = [
        run for run in islice(_runs(ws, experiment), _SEARCHED if wanted else 1) if run.id.startswith(wanted or "")
    ]
    if len(found) > 1:
        raise UsageError(f"several runs begin with '{wanted}': {listed(run.id for run in found)}")
    if found:
        return found[0]
    if wanted:
        raise UsageError(_no_run(experiment, wanted))
    raise RunError(f"nothing has been run in the experiment '{experiment}' yet; `invoke run` does")


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
    return f"the experiment '{experiment}' has no run '{wanted}'; `invoke runs.list` shows those there are"


def _runs(ws: Any, experiment: str) -> Iterator[Run]:
    """Yield the runs of pipelines, the newest first."""
    from azureml.core import Run

    there = _experiment(ws, experiment)
    if there is not None:
        # Made as what they are, PipelineRuns, they would cost three further requests each.
        yield from Run.list(there, type=_PIPELINE, _rehydrate_runs=False)


def _experiment(ws: Any, name: str) -> Experiment | None:
    """Return the experiment, which is not made when it is missing: this only looks."""
    from azureml.core import Experiment

    return next(iter(Experiment.list(ws, experiment_name=name)), None)


def _children(run: Run) -> list[Run]:
    children = run.get_children(_rehydrate_runs=False)
    return sorted(children, key=lambda child: _seconds(child, "start_time_utc") or float("inf"))


def _with_metrics(child: Run) -> StepRecord:
    return replace(_step(child), logged=_logged(child))


def _logged(run: Run) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {"name": name, "kind": "list" if isinstance(value, list) else "scalar", "value": value}
        for name, value in run.get_metrics().items()
    )


def _keyed(steps: Iterable[StepRecord], plan: Plan | None) -> tuple[StepRecord, ...]:
    """Give the steps the keys of the plan, where their labels tell which they are."""
    labels = [step.label for step in plan.steps] if plan else []
    keys = {step.label: step.key for step in plan.steps if labels.count(step.label) == 1} if plan else {}
    return tuple(replace(step, key=keys.get(step.key, step.key)) for step in steps)


def _record(run: Run) -> RunRecord:
    return RunRecord(
        id=run.id,
        experiment=run.experiment.name,
        status=run_status(run.status),
        url=run.get_portal_url(),
        started=_seconds(run, "start_time_utc"),
        finished=_seconds(run, "end_time_utc"),
        parameters=json.loads(run.properties.get(_PARAMETERS) or "{}"),
        tags=dict(run.tags),
    )


def _step(child: Run) -> StepRecord:
    producer = child.properties.get(_REUSED, "")
    status, reason = step_status(child.status, producer)
    return StepRecord(
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
    # What the listing told of the run already; the public get_details() asks three times more for each.
    from msrest.serialization import Deserializer

    moment = run._run_dto.get(key)
    if isinstance(moment, str):
        # Azure gives as many digits of a second as it has, which Python 3.10 does not read.
        moment = Deserializer.deserialize_iso(moment)
    return None if moment is None else float(moment.timestamp())
