"""Jobs at Azure Resource Manager, and what the run history says of them."""

from __future__ import annotations

import re
from typing import Any

from tests.service import artifacts
from tests.service.call import Call, missing
from tests.service.message import Answer, Refusal, reply
from tests.service.routes.experiments import ensure_experiment
from tests.service.routes.runs import BY_NAME, get_run, run_document
from tests.service.routes.runs import _change as change_run
from tests.service.routes.runs import get_details as details_of_v1
from tests.service.routing import LOCATION
from tests.service.run_state import ENDED
from tests.service.state import Document
from tests.service_v2.contract import RUN_MODELS, check
from tests.service_v2.progress import start
from tests.service_v2.routing import ARM, REGION, routes, state_of
from tests.service_v2.state import Job

BASE = "/history/v1.0{ws}/runs/{identifier}"
LOGS = "user_logs/"


def job_document(call: Call, job: Job) -> Document:
    run = call.workspace.runs[job.name]
    properties = {**job.properties, "status": run.status, "properties": {**run.properties}, "tags": run.tags}
    address = f"https://ml.azure.com/runs/{job.name}?wsid={call.workspace.scope}"
    properties["services"] = {"Studio": {"endpoint": address, "jobServiceType": "Studio"}}
    return {
        "id": f"{call.workspace.scope}/jobs/{job.name}",
        "name": job.name,
        "type": "Microsoft.MachineLearningServices/workspaces/jobs",
        "properties": properties,
        "systemData": {"createdAt": run.created, "createdBy": "stand-in", "createdByType": "Application"},
    }


@routes.on("PUT", ARM, "{ws}/jobs/{name}")
def put_job(call: Call, name: str) -> Answer:
    """Start a job; the same name again is the same job (not known: the client's own retries rely on it)."""
    check("JobBase", call.json)
    state = state_of(call)
    if name in state.jobs:
        if "jobs once" in call.service.quirks:
            raise Refusal(409, "UserError", f"The job {name} already exists.")
        return reply(job_document(call, state.jobs[name]))
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}", name):
        raise Refusal(400, "UserError", f"The job's name is invalid: {name}")
    job = Job(name, call.json)
    check_job(call, job.properties)
    ensure_experiment(call.workspace, job.properties.get("experimentName") or "Default")
    state.jobs[name] = job
    start(call.service, call.workspace, job)
    return reply(job_document(call, job), 201)


def check_job(call: Call, properties: Document) -> None:
    """Refuse a pipeline whose parts are not there."""
    state = state_of(call)
    if properties.get("jobType") != "Pipeline":
        raise Refusal(400, "UserError", "The stand-in runs pipelines only.")
    default = (properties.get("settings") or {}).get("default_compute") or properties.get("computeId")
    for name, node in (properties.get("jobs") or {}).items():
        kind, component, _, version = (
            node["componentId"].rsplit("/", 3) if "/" in node["componentId"] else ("", "", "", "")
        )
        found = state.versions("components", component).get(version)
        if found is None:
            raise Refusal(400, "UserError", f"The node {name} has no component {node['componentId']} ({kind})")
        compute = node.get("computeId") or default or ""
        if compute.rpartition("/")[2].removeprefix("azureml:") not in call.workspace.computes:
            raise Refusal(400, "UserError", f"Compute {compute} of the node {name} was not found.")
        declared = found["properties"]["componentSpec"].get("inputs") or {}
        for given in node.get("inputs") or {}:
            if given not in declared:
                raise Refusal(400, "UserError", f"The component of {name} has no input {given}.")


@routes.on("GET", ARM, "{ws}/jobs/{name}")
def get_job(call: Call, name: str) -> Any:
    job = state_of(call).jobs.get(name)
    if job is not None:
        return job_document(call, job)
    if name in call.workspace.runs:
        return {"id": f"{call.workspace.scope}/jobs/{name}", "name": name, "properties": None}
    raise missing(f"Job {name}")


@routes.on("GET", ARM, "{ws}/jobs")
def list_jobs(call: Call) -> Any:
    return {"value": [job_document(call, job) for job in reversed(state_of(call).jobs.values())]}


@routes.on("POST", ARM, "{ws}/jobs/{name}/cancel")
def cancel_job(call: Call, name: str) -> Answer:
    job = state_of(call).jobs.get(name)
    if job is None:
        raise missing(f"Job {name}")
    if call.workspace.runs[name].status in ENDED:
        # Not known of the service.
        raise Refusal(400, "UserError", f"The job {name} is in a terminal state.")
    call.service.cancel(job)
    return begun(call)


@routes.on(
    "GET",
    ARM,
    "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
    "/mfeOperationResults/{operation}",
    polling=True,
)
def operation_result(call: Call, location: str, operation: str) -> Answer:
    found = call.state.operations[operation]
    return reply(found["result"]) if found.get("result") else Answer(200)


@routes.on(
    "GET",
    ARM,
    "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"
    "/mfeOperationsStatus/{operation}",
    polling=True,
)
def operation_status(call: Call, location: str, operation: str) -> Any:
    return {"id": operation, "name": operation, "status": call.state.operations[operation]["status"]}


def begun(call: Call, result: Any = None, status: int = 202) -> Answer:
    """Answer with an operation that is over at once."""
    identifier = call.state.identifiers.new("operation")
    call.state.operations[identifier] = {"status": "Succeeded", "result": result}
    place = (
        f"https://{ARM}/subscriptions/{call.workspace.subscription}/providers/"
        f"Microsoft.MachineLearningServices/locations/{LOCATION}"
    )
    headers = {
        "Azure_AsyncOperation": f"{place}/mfeOperationsStatus/{identifier}?api-version=2024-01-01-preview",
        "Location": f"{place}/mfeOperationResults/{identifier}?api-version=2024-01-01-preview",
        "Retry_After": "0",
    }
    return reply(result if result is not None else {}, status, **headers)


@routes.on("GET", REGION, BASE + "/details", polling=True)
def get_details(call: Call, identifier: str) -> Any:
    """Give the details of a run, with signed addresses of its logs."""
    found = details_of_v1(call, identifier)
    run = call.workspace.runs[identifier]
    found["logFiles"] = {
        path: artifacts.address(call.workspace, run.container, path)
        for path, _ in artifacts.find(call.state, call.workspace, run.container)
        if path.startswith((LOGS, "logs/azureml/"))
    }
    return found


@routes.on("GET", REGION, BASE + "/children", polling=True)
def list_children(call: Call, identifier: str) -> Any:
    """List the runs below a run, in pages."""
    get_run(call, identifier)
    children = [run for run in call.workspace.runs.values() if run.parent == identifier]
    start_at = int(call.request.query.get("$continuationtoken") or 0)
    size = int(call.request.query.get("$top") or call.service.page_size)
    value = [run_document(call, run) for run in children[start_at : start_at + size]]
    more = start_at + size < len(children)
    return {"value": value, "continuationToken": str(start_at + size) if more else None, "nextLink": None}


@routes.on("PATCH", REGION, BY_NAME)
def patch_run(call: Call, experiment: str, identifier: str) -> Any:
    """Change a run, as the client does to hide it."""
    check("CreateRun", call.json, RUN_MODELS)
    run = call.workspace.runs[identifier]
    change_run(run, call.json)
    return run_document(call, run)


@routes.on("POST", REGION, "/history/v1.0{ws}/experiments/{experiment}/runs:query")
def query_runs(call: Call, experiment: str) -> Any:
    """List the runs of an experiment, the newest first; the body is that of SDK v1 (`QueryParamsDto`)."""
    if experiment not in call.workspace.experiments:
        raise missing(f"Experiment {experiment}")
    assert call.json["filter"] == "(RunType eq azureml.PipelineRun)"
    assert call.json["orderby"] == "StartTimeUtc desc"
    found = [
        run_document(call, run)
        for run in reversed(call.workspace.runs.values())
        if run.experiment == experiment and run.kind == "azureml.PipelineRun"
    ]
    start_at = int(call.json.get("continuationToken") or 0)
    size = min(int(call.json["top"]), call.service.page_size)
    more = start_at + size < len(found)
    return {"value": found[start_at : start_at + size], "continuationToken": str(start_at + size) if more else None}


@routes.on("POST", REGION, "/history/v1.0{ws}/rundata")
def get_run_data(call: Call) -> Any:
    """Give a run with its outputs: the folder of its own files under `default`, and the step's output folders."""
    identifier = call.json["runId"]
    outputs = {"default": f"azureml_{identifier}_output_default"}
    for result in call.service.results:
        run, _, name = result.partition("/")
        if run == identifier:
            outputs[name] = f"azureml_{identifier}_output_data_{name}"
    found = get_run(call, identifier)
    found["outputs"] = {
        name: {"assetId": f"azureml://locations/{LOCATION}/data/{asset}/versions/1", "type": "uri_folder"}
        for name, asset in outputs.items()
    }
    return {"runMetadata": found, "runDefinition": None, "jobSpecification": None}


@routes.on("POST", REGION, "/data/v1.0{ws}/dataversion/batchGetResolvedUris")
def resolve_assets(call: Call) -> Any:
    """Give the addresses of outputs of runs."""
    values = {}
    for asset in call.json["values"]:
        match = re.search(r"/azureml_(.+)_output_(?:data_(.+)|default)/versions/1$", asset)
        assert match
        place = f"workspaceartifactstore/paths/ExperimentRun/dcid.{match[1]}/"
        address = call.service.results[f"{match[1]}/{match[2]}"] if match[2] else f"azureml://datastores/{place}"
        long = address.replace("azureml://", f"azureml:/{call.workspace.scope}/", 1).replace("/providers/", "/")
        values[asset] = {"uri": long.replace("/Microsoft.MachineLearningServices/", "/"), "type": "uri_folder"}
    return {"values": values}
