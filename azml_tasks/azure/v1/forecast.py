"""Forecast what a run on Azure ML would do with each step, from the runs that were last sent from this folder."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.errors import is_foreign, is_missing
from azml_tasks.azure.forecast import MOST_RUNS, Forecasts, State, basis
from azml_tasks.azure.records import step_status
from azml_tasks.azure.sent import SentRun, Versions, described_steps, sent_to
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import pipeline_service
from azml_tasks.azure.v1.resources.computes import find_compute
from azml_tasks.azure.v1.resources.datasets import find_dataset
from azml_tasks.azure.v1.resources.datastores import find_datastore
from azml_tasks.azure.v1.resources.environments import (
    environment_definition,
    find_environment,
    register_environment,
)
from azml_tasks.backend import Change, Forecast, RunRequest
from azml_tasks.plan.plan import DatasetInput
from azml_tasks.runs.changes.differences import Difference

if TYPE_CHECKING:
    from azml_tasks.reading import Project
    from azml_tasks.snapshot import Snapshot

_AT_ONCE = 8


def forecast(
    project: Project, ws: Any, snapshots: Mapping[str, Snapshot], request: RunRequest, pending: Collection[Change]
) -> Forecast:
    """Return what a run would do with each step; `project` has the values of the run.

    `pending` are changes that are made before. Raises MissingError, ServiceError.
    """
    sent = sent_to(project.directory, project.pipeline)[:MOST_RUNS]
    with service_calls("predicting the run"):
        state = _look_up(ws, project, pending)
        steps = described_steps(project.plan, snapshots, state.versions)
        found = Forecasts(project, snapshots, state, _Statuses(ws), sent).of(steps, request.force)
    return Forecast(found, basis(sent[0]))


def _look_up(ws: Any, project: Project, pending: Collection[Change]) -> State:
    plan, pipeline = project.plan, project.pipeline
    created = frozenset((change.kind, change.name) for change in pending if change.outcome == "created")
    renewed = {change.name for change in pending if change.kind == "dataset" and change.is_made}
    changes: dict[str, tuple[Difference, ...]] = {}

    def environment(name: str) -> str | None:
        if name not in pipeline.environments:
            return str(find_environment(ws, name).version)
        found, change = register_environment(ws, environment_definition(plan, name, project.directory), dry=True)
        if change.is_made:
            changes[name] = change.differences
            return None
        return str(found.version)

    def dataset(name: str) -> str | None:
        declared = pipeline.datasets.get(name)
        if ("dataset", name) in created:
            return None
        version = declared.version if declared else "latest"
        if name in renewed and version == "latest":
            return None
        return str(find_dataset(ws, name, version).version)

    def is_there(kind: str, name: str) -> None:
        if (kind, name) not in created:
            (find_compute if kind == "compute" else find_datastore)(ws, name)

    steps = [step.step for step in plan.steps]
    environments = list(dict.fromkeys(filter(None, map(pipeline.env_of, steps))))
    datasets = list(dict.fromkeys(i.dataset for s in plan.steps for i in s.inputs if isinstance(i, DatasetInput)))
    others = dict.fromkeys(("compute", str(pipeline.compute_of(step))) for step in steps)
    written = (output.destination for step in plan.steps for output in step.outputs)
    others |= dict.fromkeys(("datastore", place.datastore_name) for place in written if place)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(environment, environments), pool.map(dataset, datasets)
        there = pool.map(lambda item: is_there(*item), others)
        versions = Versions(dict(zip(environments, found[0], strict=True)), dict(zip(datasets, found[1], strict=True)))
        list(there)  # raises what a look-up raised
    return State(versions, changes, created)


class _Statuses:
    """What became of the steps of earlier runs, each run asked for once."""

    def __init__(self, ws: Any) -> None:
        self._service = pipeline_service(ws)
        self._found: dict[str, Mapping[str, Any]] = {}

    def producer(self, run: SentRun, key: str) -> str:
        """Return the run of the step that made its result in a run; empty if it did not complete there."""
        node = self._of(run).get(run.nodes.get(key, ""))
        if node is None:
            return ""
        reused = node.reuse_info.run_id if node.reuse_info is not None else ""
        status, _ = step_status(node.status_code or "NotStarted", reused)
        return (reused or node.run_id or run.id) if status in ("completed", "reused") else ""

    def _of(self, run: SentRun) -> Mapping[str, Any]:
        if run.id not in self._found:
            try:
                self._found[run.id] = self._service.get_all_nodes_in_level_status_async(run.id) or {}
            except Exception as error:  # of the SDK's generated client
                if not (is_foreign(error) and is_missing(error)):
                    raise
                self._found[run.id] = {}
        return self._found[run.id]
