"""Published pipelines and their endpoints: made, listed, disabled, run again."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.contract import PIPELINES, check
from tests.service.message import Refusal
from tests.service.pipeline_state import Endpoint, PipelineRun, Published
from tests.service.routing import REGION, routes
from tests.service.state import Document, Workspace

from .experiments import ensure_experiment
from .pipeline_runs import checked_parameters, keep_graph, run_entity

BASE = "/pipelines/v1.0{ws}"
ACTIVE, DISABLED = "Active", "Disabled"


@routes.on("POST", REGION, BASE + "/Pipelines/Create")
def publish(call: Call) -> Any:
    body = call.json
    check(PIPELINES, "PipelineCreationInfo", body)
    graph = keep_graph(call.workspace, body["Graph"], body.get("GraphInterface") or {})
    published = Published(
        call.workspace.identifiers.new("published pipeline"),
        graph.id,
        body["Name"],
        body.get("Description") or "",
        body.get("Version"),
        bool(body.get("ContinueRunOnStepFailure")),
    )
    call.workspace.published[published.id] = published
    return _entity(call.workspace, published)


@routes.on("GET", REGION, BASE + "/Pipelines")
def list_published(call: Call) -> Any:
    found = call.workspace.published.values()
    return [_entity(call.workspace, published) for published in found if published.active or not _active_only(call)]


@routes.on("GET", REGION, BASE + "/Pipelines/{identifier}")
def get_published(call: Call, identifier: str) -> Any:
    return _entity(call.workspace, _find(call.workspace, identifier))


@routes.on("GET", REGION, BASE + "/Graphs/{identifier}/Interface")
def get_interface(call: Call, identifier: str) -> Any:
    """Tell the parameters of a graph, with their defaults (`EntityInterface`)."""
    if identifier not in call.workspace.graphs:
        raise missing(f"Graph {identifier}")
    return call.workspace.graphs[identifier].interface


@routes.on("PUT", REGION, BASE + "/Pipelines/{identifier}/status")
def set_status(call: Call, identifier: str) -> Any:
    _find(call.workspace, identifier).active = call.json in (ACTIVE, "0")


@routes.on("POST", REGION, BASE + "/PipelineRuns/PipelineSubmit/{identifier}")
def submit_published(call: Call, identifier: str) -> Any:
    """Run a published pipeline; this is also its REST endpoint."""
    check(PIPELINES, "PipelineSubmissionInfo", call.json)
    published = _find(call.workspace, identifier)
    return run_entity(call.workspace, start(call, published, call.json))


@routes.on("GET", REGION, BASE + "/PipelineRuns/Pipeline/{identifier}")
def list_runs_of_published(call: Call, identifier: str) -> Any:
    runs = reversed(call.workspace.pipeline_runs.values())
    return [run_entity(call.workspace, run) for run in runs if run.published == identifier]


@routes.on("POST", REGION, BASE + "/PipelineEndpoints/Create")
def create_endpoint(call: Call) -> Any:
    body = call.json
    check(PIPELINES, "PipelineEndpointCreationInfo", body)
    if any(endpoint.name == body["Name"] for endpoint in call.workspace.endpoints.values()):
        raise Refusal(400, "UserError", f"A pipeline endpoint with the name {body['Name']} already exists.")
    pipeline = _find(call.workspace, body["PipelineId"])
    endpoint = Endpoint(
        call.workspace.identifiers.new("endpoint"),
        body["Name"],
        body.get("Description") or "",
        {"0": pipeline.id},
        "0",
    )
    call.workspace.endpoints[endpoint.id] = endpoint
    return _endpoint_entity(call.workspace, endpoint)


@routes.on("GET", REGION, BASE + "/PipelineEndpoints/Id/{identifier}")
def get_endpoint(call: Call, identifier: str) -> Any:
    return _endpoint_entity(call.workspace, find_endpoint(call.workspace, identifier))


@routes.on("GET", REGION, BASE + "/PipelineEndpoints/Name")
def get_endpoint_by_name(call: Call) -> Any:
    for endpoint in call.workspace.endpoints.values():
        if endpoint.name == call.request.query.get("Name"):
            return _endpoint_entity(call.workspace, endpoint)
    raise missing(f"Pipeline endpoint {call.request.query.get('Name')}")


@routes.on("GET", REGION, BASE + "/PipelineEndpoints")
def list_endpoints(call: Call) -> Any:
    found = call.workspace.endpoints.values()
    return [_endpoint_entity(call.workspace, item) for item in found if item.active or not _active_only(call)]


@routes.on("PUT", REGION, BASE + "/PipelineEndpoints/{identifier}")
def update_endpoint(call: Call, identifier: str) -> Any:
    body = call.json
    check(PIPELINES, "PipelineEndpointEntity", body)
    endpoint = find_endpoint(call.workspace, identifier)
    versions = {item["Version"]: item["PipelineId"] for item in body["PipelineVersionList"]}
    for pipeline in versions.values():
        _find(call.workspace, pipeline)
    if body["DefaultVersion"] not in versions:
        raise Refusal(400, "BadArgument", f"The endpoint has no version {body['DefaultVersion']}.")
    endpoint.name, endpoint.description = body["Name"], body.get("Description") or ""
    endpoint.versions, endpoint.default = versions, body["DefaultVersion"]
    endpoint.active = body.get("EntityStatus") in (ACTIVE, "0")
    return _endpoint_entity(call.workspace, endpoint)


@routes.on("GET", REGION, BASE + "/PipelineEndpoints/{identifier}/pipelines")
def list_pipelines_of_endpoint(call: Call, identifier: str) -> Any:
    endpoint = find_endpoint(call.workspace, identifier)
    found = [_find(call.workspace, pipeline) for pipeline in endpoint.versions.values()]
    return [_entity(call.workspace, published) for published in found if published.active or not _active_only(call)]


@routes.on("POST", REGION, BASE + "/PipelineRuns/PipelineEndpointSubmit/Id/{identifier}")
@routes.on("POST", REGION, BASE + "/PipelineRuns/PipelineEndpointSubmit/Id/{identifier}/{version}")
def submit_endpoint(call: Call, identifier: str, version: str = "") -> Any:
    """Run the default or a given version; this is also the endpoint's REST endpoint."""
    check(PIPELINES, "PipelineSubmissionInfo", call.json)
    endpoint = find_endpoint(call.workspace, identifier)
    version = version or call.request.query.get("pipelineVersion") or endpoint.default
    if version not in endpoint.versions:
        raise Refusal(400, "BadArgument", f"The endpoint has no version {version}.")
    run = start(call, _find(call.workspace, endpoint.versions[version]), call.json, endpoint=endpoint.id)
    return run_entity(call.workspace, run)


def start(
    call: Call,
    published: Published,
    submission: Document,
    *,
    endpoint: str | None = None,
    schedule: str | None = None,
) -> PipelineRun:
    """Run a published pipeline; refuses a disabled one and a parameter that it does not have."""
    workspace = call.workspace
    if not published.active:
        raise Refusal(400, "UserError", f"The published pipeline {published.id} is disabled.")
    experiment = submission.get("ExperimentName")
    ensure_experiment(workspace, experiment or "")
    going_on = submission.get("ContinueRunOnStepFailure")
    run = PipelineRun(
        workspace.identifiers.new("pipeline run"),
        published.graph,
        str(experiment),
        checked_parameters(workspace.graphs[published.graph], submission.get("ParameterAssignments") or {}),
        published.continue_on_failure if going_on is None else bool(going_on),
        submission.get("Description") or published.description,
        submission.get("RunSource") or "Unavailable",
        published.id,
        endpoint,
        schedule,
    )
    workspace.pipeline_runs[run.id] = run
    call.service.progress.submit(workspace, run, call.request.query.get("parentRunId"))
    return run


def find_endpoint(workspace: Workspace, identifier: str) -> Endpoint:
    if identifier not in workspace.endpoints:
        raise missing(f"Pipeline endpoint {identifier}")
    return workspace.endpoints[identifier]


def _find(workspace: Workspace, identifier: str) -> Published:
    if identifier not in workspace.published:
        raise missing(f"Published pipeline {identifier}")
    return workspace.published[identifier]


def _active_only(call: Call) -> bool:
    return call.request.query.get("activeOnly", "true").lower() == "true"


def _entity(workspace: Workspace, published: Published) -> Document:
    return {
        "Id": published.id,
        "Name": published.name,
        "Description": published.description,
        "Version": published.version,
        "GraphId": published.graph,
        "TotalRunSteps": len(workspace.graphs[published.graph].document.get("ModuleNodes") or []),
        "ParameterAssignments": {},
        "DataSetDefinitionValueAssignments": {},
        "Url": f"https://{REGION}/pipelines/v1.0{workspace.scope}/PipelineRuns/PipelineSubmit/{published.id}",
        "EntityStatus": ACTIVE if published.active else DISABLED,
        "ContinueRunOnStepFailure": published.continue_on_failure,
        "CreatedDate": published.created,
        "LastModifiedDate": published.created,
    }


def _endpoint_entity(workspace: Workspace, endpoint: Endpoint) -> Document:
    base = f"https://{REGION}/pipelines/v1.0{workspace.scope}"
    return {
        "Id": endpoint.id,
        "Name": endpoint.name,
        "Description": endpoint.description,
        "DefaultVersion": endpoint.default,
        "PipelineVersionList": [
            {"Version": version, "PipelineId": pipeline} for version, pipeline in endpoint.versions.items()
        ],
        "Url": f"{base}/PipelineRuns/PipelineEndpointSubmit/Id/{endpoint.id}",
        "SwaggerUrl": f"{base}/PipelineEndpoints/Id/{endpoint.id}/swagger",
        "EntityStatus": ACTIVE if endpoint.active else DISABLED,
        "CreatedDate": endpoint.created,
        "LastModifiedDate": endpoint.created,
    }
