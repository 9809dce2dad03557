"""Runs in the run history (`azureml/_restclient/operations/run_operations.py`)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.filters import matches
from tests.service.identifiers import stable_id
from tests.service.routing import REGION, routes
from tests.service.run_state import CANCELED, COMPLETED, FAILED, Run
from tests.service.state import Document

from .experiments import ensure_experiment, experiment_by_id
from .login import CLIENT, TENANT, token

BASE = "/history/v1.0{ws}"
BY_NAME = BASE + "/experiments/{experiment}/runs/{identifier}"
BY_ID = BASE + "/experimentids/{experiment_id}/runs/{identifier}"
EVENT = "Microsoft.MachineLearning.Run."


@routes.on("GET", REGION, BY_NAME)
@routes.on("GET", REGION, BY_ID)
@routes.on("GET", REGION, BASE + "/runs/{identifier}")
def get_run(call: Call, identifier: str, experiment: str = "", experiment_id: str = "") -> Any:
    return run_document(call, _find(call, identifier, experiment, experiment_id))


@routes.on("GET", REGION, BY_NAME + "/details", polling=True)
@routes.on("GET", REGION, BY_ID + "/details", polling=True)
def get_details(call: Call, identifier: str, experiment: str = "", experiment_id: str = "") -> Any:
    run = _find(call, identifier, experiment, experiment_id)
    return {
        "runId": run.id,
        "target": run.target,
        "status": run.status,
        "startTimeUtc": run.started,
        "endTimeUtc": run.ended,
        "services": {},
        "error": run.error,
        "warnings": None,
        "properties": run.properties,
        "inputDatasets": run.input_datasets,
        "outputDatasets": run.output_datasets,
        "runDefinition": run.definition,
        "logFiles": {},
    }


@routes.on("PATCH", REGION, BY_NAME)
@routes.on("PATCH", REGION, BY_ID)
def patch_run(call: Call, identifier: str, experiment: str = "", experiment_id: str = "") -> Any:
    """Change a run, or make it when there is none of this id."""
    check(RUN_HISTORY, "CreateRunDto", call.json)
    if identifier not in call.workspace.runs:
        name = experiment or experiment_by_id(call.workspace, experiment_id).name
        _create(call, name, {**call.json, "runId": identifier})
    run = _find(call, identifier, experiment, experiment_id)
    _change(run, call.json)
    return run_document(call, run)


@routes.on("PATCH", REGION, BASE + "/experiments/{experiment}/batch/runs")
def patch_runs(call: Call, experiment: str) -> Any:
    check(RUN_HISTORY, "BatchAddOrModifyRunRequestDto", call.json)
    found = {}
    for document in call.json["runs"]:
        run = call.workspace.runs.get(document["runId"]) or _create(call, experiment, document)
        _change(run, document)
        found[run.id] = run_document(call, run)
    return {"runs": found, "errors": {}}


@routes.on("DELETE", REGION, BY_NAME + "/tags")
def delete_tags(call: Call, experiment: str, identifier: str) -> Any:
    run = _find(call, identifier, experiment)
    for name in call.json:
        run.tags.pop(name, None)
    return run_document(call, run)


@routes.on("GET", REGION, BY_NAME + "/children", polling=True)
def list_children(call: Call, experiment: str, identifier: str) -> Any:
    parent = _find(call, identifier, experiment)
    children = [run for run in call.workspace.runs.values() if run.parent == parent.id]
    return _listing(call, children, call.request.query.get("$filter"))


@routes.on("POST", REGION, BASE + "/experiments/{experiment}/runs:query")
def query_runs(call: Call, experiment: str) -> Any:
    check(RUN_HISTORY, "QueryParamsDto", call.json)
    found = [run for run in call.workspace.runs.values() if run.experiment == experiment]
    return _listing(call, reversed(found), (call.json or {}).get("filter"))


@routes.on("GET", REGION, BASE + "/computes/{compute}/runs")
def list_runs_of_compute(call: Call, compute: str) -> Any:
    found = [run for run in call.workspace.runs.values() if run.target == compute]
    return _listing(call, found, call.request.query.get("$filter"))


@routes.on("GET", REGION, BY_NAME + "/token")
@routes.on("GET", REGION, BY_ID + "/token")
def get_token(call: Call, identifier: str, experiment: str = "", experiment_id: str = "") -> Any:
    _find(call, identifier, experiment, experiment_id)
    return {"token": token(run=identifier), "expiryTimeUtc": "2099-01-01T00:00:00+00:00"}


@routes.on("POST", REGION, BY_NAME + "/events")
def post_event(call: Call, experiment: str, identifier: str) -> Any:
    """Take an event of a run: start, end, error, cancellation, heartbeat."""
    check(RUN_HISTORY, "BaseEventDto", call.json)
    _take_event(_find(call, identifier, experiment), call.json)


@routes.on("POST", REGION, BASE + "/experiments/{experiment}/batch/events")
def post_events(call: Call, experiment: str) -> Any:
    for event in call.json["events"]:
        _take_event(_find(call, event["data"]["RunId"], experiment), event)
    return {"errors": []}


def run_document(call: Call, run: Run) -> Document:
    """Write a run as the run history does (`RunDto`)."""
    experiment = call.workspace.experiments[run.experiment]
    return {
        "runId": run.id,
        "runNumber": run.number,
        "runUuid": stable_id(run.id),
        "rootRunId": run.root or run.id,
        "rootRunUuid": stable_id(run.root or run.id),
        "parentRunId": run.parent,
        "parentRunUuid": stable_id(run.parent) if run.parent else None,
        "experimentId": experiment.id,
        "createdUtc": run.created,
        "userId": CLIENT,
        "createdBy": {"userObjectId": CLIENT, "userTenantId": TENANT, "userName": "stand-in"},
        "status": run.status,
        "startTimeUtc": run.started,
        "endTimeUtc": run.ended,
        "name": run.name,
        "displayName": run.display_name or run.name,
        "description": run.description,
        "dataContainerId": run.container,
        "hidden": run.hidden,
        "runType": run.kind,
        "properties": run.properties,
        "scriptName": run.script,
        "target": run.target,
        "tags": run.tags,
        "runDefinition": None,
        "error": run.error,
        "warnings": [],
    }


def _find(call: Call, identifier: str, experiment: str = "", experiment_id: str = "") -> Run:
    run = call.workspace.runs.get(identifier)
    if experiment_id:
        experiment = experiment_by_id(call.workspace, experiment_id).name
    if run is None or (experiment and run.experiment != experiment):
        raise missing(f"Run {identifier}")
    return run


def _create(call: Call, experiment: str, document: Document) -> Run:
    ensure_experiment(call.workspace, experiment)
    parent = call.workspace.runs.get(document.get("parentRunId") or "")
    run = Run(
        document["runId"],
        experiment,
        document.get("runType") or "azureml.scriptrun",
        parent.id if parent else None,
        (parent.root or parent.id) if parent else "",
        number=1 + sum(other.experiment == experiment for other in call.workspace.runs.values()),
    )
    call.workspace.runs[run.id] = run
    return run


def _change(run: Run, document: Document) -> None:
    run.tags.update(document.get("tags") or {})
    run.properties.update(document.get("properties") or {})
    run.input_datasets += document.get("inputDatasets") or []
    run.output_datasets += document.get("outputDatasets") or []
    for key, attribute in {
        "name": "name",
        "displayName": "display_name",
        "description": "description",
        "hidden": "hidden",
        "target": "target",
        "scriptName": "script",
        "status": "status",
        "runDefinition": "definition",
    }.items():
        if document.get(key) is not None:
            setattr(run, attribute, document[key])


def _take_event(run: Run, event: Document) -> None:
    name = event["name"].removeprefix(EVENT)
    ends = {"Completed": COMPLETED, "Failed": FAILED, "Canceled": CANCELED}
    if name == "Start":
        run.begin()
    elif name in ends:
        run.end(ends[name])
    elif name == "Error":
        run.error = event["data"]["ErrorResponse"]


def _listing(call: Call, runs: Iterable[Run], expression: str | None) -> Document:
    found = [run_document(call, run) for run in runs if matches(expression, _fields(run))]
    return page(call, found, "$top")


def _fields(run: Run) -> dict[str, Any]:
    fields = {
        "runid": run.id,
        "parentrunid": run.parent,
        "rootrunid": run.root or run.id,
        "status": run.status,
        "runtype": run.kind,
        "target": run.target,
        "createdutc": run.created,
    }
    fields.update({f"tags/{name}".lower(): value for name, value in run.tags.items()})
    fields.update({f"properties/{name}".lower(): value for name, value in run.properties.items()})
    return fields
