"""Runs of pipelines: created with their graph, submitted, looked at, cancelled."""

from __future__ import annotations

from typing import Any

from tests.service import artifacts
from tests.service.call import Call, missing
from tests.service.contract import PIPELINES, check
from tests.service.graphs import validate
from tests.service.identifiers import now
from tests.service.message import Answer, Refusal
from tests.service.pipeline_state import Graph, PipelineRun
from tests.service.routing import REGION, routes
from tests.service.run_state import CANCELED, COMPLETED, FAILED, RUNNING, Run
from tests.service.state import Document, Workspace

from .experiments import ensure_experiment

BASE = "/pipelines/v1.0{ws}"
RUN = BASE + "/PipelineRuns/{identifier}"


@routes.on("POST", REGION, BASE + "/PipelineRuns/Unsubmitted/CreationInfoWithGraph")
def create_pipeline_run(call: Call) -> Any:
    body = call.json
    check(PIPELINES, "PipelineRunCreationInfoWithGraph", body)
    graph = keep_graph(call.workspace, body["Graph"], body.get("GraphInterface") or {})
    info = body["CreationInfo"]
    experiment = call.request.query.get("experimentName") or info.get("RunHistoryExperimentName")
    ensure_experiment(call.workspace, experiment or "")
    run = PipelineRun(
        call.workspace.identifiers.new("pipeline run"),
        graph.id,
        str(experiment),
        checked_parameters(graph, info.get("ParameterAssignments") or {}),
        bool(info.get("ContinueExperimentOnNodeFailure")),
        info.get("Description") or "",
    )
    call.workspace.pipeline_runs[run.id] = run
    return run_entity(call.workspace, run)


@routes.on("POST", REGION, BASE + "/PipelineRuns/Submit/{identifier}")
def submit_pipeline_run(call: Call, identifier: str) -> Any:
    run = _find(call.workspace, identifier)
    if run.submitted:
        raise Refusal(400, "BadArgument", f"The pipeline run {identifier} was submitted before.")
    call.service.progress.submit(call.workspace, run, call.request.query.get("parentRunId"))


@routes.on("GET", REGION, RUN, polling=True)
def get_pipeline_run(call: Call, identifier: str) -> Any:
    return run_entity(call.workspace, _find(call.workspace, identifier))


@routes.on("DELETE", REGION, RUN + "/Execution")
def cancel_pipeline_run(call: Call, identifier: str) -> Any:
    call.service.progress.cancel(call.workspace, _find(call.workspace, identifier))


@routes.on("POST", REGION, RUN + "/Graph/AllNodes/Status", polling=True)
def get_all_statuses(call: Call, identifier: str) -> Any:
    run = _find(call.workspace, identifier)
    return {node: _task_status(call.workspace.runs[step]) for node, step in run.steps.items()}


@routes.on("POST", REGION, RUN + "/Graph/Node/Status", polling=True)
def get_status(call: Call, identifier: str) -> Any:
    return _task_status(_step(call, identifier))


@routes.on("POST", REGION, RUN + "/Graph/Node/StatusCode", polling=True)
def get_status_code(call: Call, identifier: str) -> Any:
    return _pipeline_status(_step(call, identifier))


@routes.on("POST", REGION, RUN + "/Graph/Shareable/STDOUT")
@routes.on("POST", REGION, RUN + "/Graph/Shareable/STDERR")
@routes.on("POST", REGION, RUN + "/Graph/Shareable/JobLog")
def get_log(call: Call, identifier: str) -> Answer:
    """Give a step's log; there is one, for standard output and error together."""
    step = _step(call, identifier)
    found = dict(artifacts.find(call.state, call.workspace, step.container))
    return Answer(200, found.get(artifacts.LOG, b""), {"Content-Type": "text/plain"})


@routes.on("POST", REGION, RUN + "/Outputs")
def get_outputs(call: Call, identifier: str) -> Any:
    """Say where a step's outputs lie."""
    run = _find(call.workspace, identifier)
    node = call.json[0]
    places = call.service.progress.places(call.workspace, run, node)
    return {
        name: {
            "DataTypeId": "AnyFile",
            "LogicalSizeInBytes": 0,
            "PhysicalSizeInBytes": 0,
            "DataLocation": {
                "StorageType": "AzureBlob",
                "DataReference": {
                    "Type": "AzureBlob",
                    "AzureBlobReference": {
                        "Container": place.container,
                        "RelativePath": place.path,
                        "AmlDataStoreName": place.datastore,
                    },
                },
            },
        }
        for name, place in places.items()
    }


@routes.on("GET", REGION, BASE + "/Graphs/{identifier}")
def get_graph(call: Call, identifier: str) -> Any:
    return {**_graph(call, identifier).document, "Id": identifier}


@routes.on("GET", REGION, BASE + "/Graphs/{identifier}/Interface")
def get_graph_interface(call: Call, identifier: str) -> Any:
    return _graph(call, identifier).interface


def keep_graph(workspace: Workspace, document: Document, interface: Document) -> Graph:
    """Keep a graph; refuses one that does not hold together."""
    validate(workspace, document, interface)
    graph = Graph(workspace.identifiers.new("graph"), document, interface)
    workspace.graphs[graph.id] = graph
    return graph


def checked_parameters(graph: Graph, assignments: Document) -> dict[str, str]:
    """Take assignments of parameters; refuses a name that the graph does not have."""
    unknown = [name for name in assignments if name not in graph.defaults]
    if unknown:
        raise Refusal(400, "BadArgument", f"The pipeline has no parameter {', '.join(unknown)}.")
    return dict(assignments)


def run_entity(workspace: Workspace, run: PipelineRun) -> Document:
    """Write a pipeline's run as the pipelines service does (`PipelineRunEntity`)."""
    record = workspace.runs.get(run.id)
    status = None
    if record is not None:
        status = {
            "StatusCode": _pipeline_status(record),
            "StatusDetail": None,
            "CreationTime": record.created,
            "EndTime": record.ended,
        }
    return {
        "Id": run.id,
        "Description": run.description,
        "Status": status,
        "GraphId": run.graph,
        "IsSubmitted": run.submitted,
        "HasErrors": record is not None and record.status == FAILED,
        "UploadState": "Completed",
        "ParameterAssignments": run.parameters,
        "DataSetDefinitionValueAssignments": {},
        "RunHistoryExperimentName": run.experiment,
        "PipelineId": run.published,
        "ScheduleId": run.schedule,
        "RunSource": run.source,
        "RunType": run.source,
        "TotalRunSteps": len(run.steps),
        "CreatedDate": run.created,
        "LastModifiedDate": now(),
        "EntityStatus": "Active",
    }


def _pipeline_status(run: Run) -> str:
    return {COMPLETED: "Finished", FAILED: "Failed", CANCELED: "Canceled", RUNNING: "Running"}.get(
        run.status, run.status
    )


def _task_status(run: Run) -> Document:
    reused = run.properties.get("azureml.reusedrunid")
    return {
        "StatusCode": _pipeline_status(run),
        "StatusDetail": None,
        "CreationTime": run.created,
        "StartTime": run.started,
        "EndTime": run.ended,
        "RunId": run.id,
        "ReuseInfo": {"RunId": reused} if reused else None,
    }


def _find(workspace: Workspace, identifier: str) -> PipelineRun:
    if identifier not in workspace.pipeline_runs:
        raise missing(f"Pipeline run {identifier}")
    return workspace.pipeline_runs[identifier]


def _step(call: Call, identifier: str) -> Run:
    run = _find(call.workspace, identifier)
    node = call.json[0]
    if node not in run.steps:
        raise missing(f"Node {node}")
    return call.workspace.runs[run.steps[node]]


def _graph(call: Call, identifier: str) -> Graph:
    if identifier not in call.workspace.graphs:
        raise missing(f"Graph {identifier}")
    return call.workspace.graphs[identifier]
