"""Everything that is known of a run on Azure: files, models and logs besides the record."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.errors import is_foreign
from azml_tasks.azure.records import AzureRunRecord, AzureStepRecord
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.runs.runs import child_runs, own_tags, read_log, run_children
from azml_tasks.errors import ServiceError
from azml_tasks.plan import Plan
from azml_tasks.runs.details import Log, Registered, RunDetails, RunFile, StepDetails
from azml_tasks.runs.origin import Provenance, StepOrigin, step_origins

if TYPE_CHECKING:
    from azureml.core import Run

_AT_ONCE = 8
# Where the service and its agents put logs, which are no results.
_LOGS = ("azureml-logs/", "logs/azureml/", "system_logs/", "user_logs/")
_LINES = 200


def run_details(ws: Any, record: AzureRunRecord, plan: Plan | None, *, with_logs: bool) -> RunDetails:
    """Return everything that is known of a run; of the logs only `with_logs`.

    Without a record of what it was started from, the graph is that of `plan`, if the steps are the same.
    """
    with service_calls("reading the run"):
        run, children = run_children(ws, record)
        provenance = _with_graph(record, plan)

        def step(one: AzureStepRecord) -> StepDetails:
            return _step(ws, one, provenance.steps.get(one.key, StepOrigin()), children.get(one.run_id), with_logs)

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            steps = tuple(pool.map(step, record.steps))
        return RunDetails(
            run=record,
            provenance=provenance,
            steps=steps,
            metrics=record.metrics(),
            tags=record.recorded_tags(),
            files=_files(run),
        )


def _with_graph(record: AzureRunRecord, plan: Plan | None) -> Provenance:
    provenance = record.provenance()
    if provenance.steps or plan is None or not {step.key for step in record.steps} <= plan.by_key.keys():
        return provenance
    names = {step.key: plan.pipeline.env_of(step.step) or "" for step in plan.steps}
    return provenance._replace(steps=step_origins(plan, {}, names))


def _step(ws: Any, record: AzureStepRecord, origin: StepOrigin, run: Run | None, with_logs: bool) -> StepDetails:
    failed = record.status == "failed"
    text = ""
    if run is not None and (with_logs or failed):
        text = _unless_refused(lambda: read_log(run.experiment, record.producer or record.run_id)[1], "")
    children = _unless_refused(lambda: tuple(child_runs(run, record.key)), ()) if run is not None else ()
    return StepDetails(
        record=replace(record, child_runs=children),
        origin=origin,
        metrics=record.metrics(),
        tags=own_tags(run) if run is not None else {},
        files=_files(run) if run is not None else (),
        models=_models(ws, record.run_id) if run is not None else (),
        log=Log(text, len(text.splitlines())) if with_logs else Log(),
        error="\n".join(text.splitlines()[-_LINES:]) if failed else "",
        url=run.get_portal_url() if run is not None else "",
    )


def _files(run: Run) -> tuple[RunFile, ...]:
    names = [name for name in _unless_refused(run.get_file_names, []) if not name.startswith(_LOGS)]
    return tuple(RunFile(name, None, "", _reader(run, name)) for name in sorted(names))


def _reader(run: Run, name: str) -> Callable[[int], bytes | None]:
    def read(most: int) -> bytes | None:
        with tempfile.TemporaryDirectory(prefix="azml-") as folder:
            path = Path(folder, "file")
            _unless_refused(lambda: run.download_file(name, str(path)), None)
            if not path.is_file() or os.path.getsize(path) > most:
                return None
            return path.read_bytes()

    return read


def _models(ws: Any, run_id: str) -> tuple[Registered, ...]:
    from azureml.core import Model

    found = _unless_refused(lambda: Model.list(ws, run_id=run_id), [])
    return tuple(Registered(f"{model.name} version {model.version}") for model in reversed(found))


def _unless_refused(ask: Callable[[], Any], otherwise: Any) -> Any:
    """Return the answer; `otherwise` if the service refuses, because the rest of the run can still be shown."""
    try:
        return ask()
    except Exception as error:
        if not isinstance(error, ServiceError) and not is_foreign(error):
            raise
        return otherwise
