"""MLflow's tracking interface, which azureml-mlflow calls (`azureml/mlflow/_store/tracking/store.py`).

It is that of MLflow 2.0 without `logged-models`: models of MLflow from about 2.17 on are refused with an empty 404, as
the service does (Azure/azure-sdk-for-python#44896).
"""

from __future__ import annotations

import re
from typing import Any

from tests.service.call import Call
from tests.service.identifiers import now
from tests.service.message import Answer
from tests.service.routing import REGION, routes
from tests.service.run_state import COMPLETED, FAILED, RUNNING, Metric, Run
from tests.service.state import Document

from .experiments import ensure_experiment, experiment_by_id
from .login import CLIENT

BASE = "/mlflow/{version}{ws}/api/2.0/mlflow"
STATUSES = {"FINISHED": COMPLETED, "FAILED": FAILED, "RUNNING": RUNNING, "KILLED": "Canceled"}
SCALAR = "azureml.v1.scalar"
MOST_METRICS, MOST_PAIRS = 1000, 100
"""In one batch; more are refused."""


@routes.on("GET", REGION, BASE + "/runs/get")
def get_run(call: Call, version: str) -> Any:
    return {"run": _document(call, _find(call, call.request.query))}


@routes.on("POST", REGION, BASE + "/runs/create")
def create_run(call: Call, version: str) -> Any:
    sent = call.json
    experiment = experiment_by_id(call.workspace, sent["experiment_id"])
    tags = {tag["key"]: tag.get("value", "") for tag in sent.get("tags") or []}
    parent = call.workspace.runs.get(tags.get("mlflow.parentRunId", ""))
    run = Run(
        call.workspace.identifiers.new("run"),
        experiment.name,
        "azureml.scriptrun",
        parent.id if parent else None,
        (parent.root or parent.id) if parent else "",
        name=sent.get("run_name") or tags.get("mlflow.runName") or "",
        tags=tags,
    )
    run.begin()
    call.workspace.runs[run.id] = run
    return {"run": _document(call, run)}


@routes.on("POST", REGION, BASE + "/runs/update")
def update_run(call: Call, version: str) -> Any:
    run = _find(call, call.json)
    status = STATUSES.get(call.json.get("status", ""))
    if status == RUNNING:
        run.begin()
    elif status:
        run.end(status)
    return {"run_info": _document(call, run)["info"]}


@routes.on("POST", REGION, BASE + "/runs/log-metric")
def log_metric(call: Call, version: str) -> Any:
    _log_metric(_find(call, call.json), call.json)
    return {}


@routes.on("POST", REGION, BASE + "/runs/log-parameter")
def log_param(call: Call, version: str) -> Any:
    _log_param(call, _find(call, call.json), call.json)
    return {}


@routes.on("POST", REGION, BASE + "/runs/set-tag")
def set_tag(call: Call, version: str) -> Any:
    _find(call, call.json).tags[call.json["key"]] = call.json.get("value", "")
    return {}


@routes.on("POST", REGION, BASE + "/runs/delete-tag")
def delete_tag(call: Call, version: str) -> Any:
    _find(call, call.json).tags.pop(call.json["key"], None)
    return {}


@routes.on("POST", REGION, BASE + "/runs/log-batch")
def log_batch(call: Call, version: str) -> Any:
    run, sent = _find(call, call.json), call.json
    if len(sent.get("metrics") or []) > MOST_METRICS:
        _refuse(call, "INVALID_PARAMETER_VALUE", f"A batch logging request can contain at most {MOST_METRICS} metrics.")
    for name in ("params", "tags"):
        if len(sent.get(name) or []) > MOST_PAIRS:
            _refuse(call, "INVALID_PARAMETER_VALUE", f"A batch can contain at most {MOST_PAIRS} {name}.")
    for param in sent.get("params") or []:
        _log_param(call, run, param)
    for metric in sent.get("metrics") or []:
        _log_metric(run, metric)
    run.tags.update({tag["key"]: tag.get("value", "") for tag in sent.get("tags") or []})
    return {}


@routes.on("POST", REGION, BASE + "/runs/log-inputs")
def log_inputs(call: Call, version: str) -> Any:
    _find(call, call.json).mlflow_inputs += call.json.get("datasets") or []
    return {}


@routes.on("POST", REGION, BASE + "/runs/log-model")
def log_model(call: Call, version: str) -> Any:
    _find(call, call.json)
    return {}


@routes.on("POST", REGION, BASE + "/runs/search")
def search_runs(call: Call, version: str) -> Any:
    """Find children by the tag of their parent, ordered by one metric: what scripts ask for."""
    parent = re.fullmatch(r"tags\.mlflow\.parentRunId = '(.*)'", call.json.get("filter") or "")
    found = [
        run
        for run in reversed(call.workspace.runs.values())
        if parent is None or run.tags.get("mlflow.parentRunId") == parent[1]
    ]
    for order in call.json.get("order_by") or []:
        name, _, direction = order.removeprefix("metrics.").partition(" ")
        found.sort(key=lambda run: run.metrics[name].values[-1], reverse=direction == "DESC")
    return {"runs": [_document(call, run) for run in found[: int(call.json.get("max_results") or 1000)]]}


@routes.on("GET", REGION, BASE + "/metrics/get-history")
def get_history(call: Call, version: str) -> Any:
    metric = _find(call, call.request.query).metrics.get(call.request.query["metric_key"])
    return {"metrics": [] if metric is None else _history(metric)}


@routes.on("GET", REGION, BASE + "/experiments/get")
def get_experiment(call: Call, version: str) -> Any:
    return {"experiment": _experiment(call, experiment_by_id(call.workspace, call.request.query["experiment_id"]).name)}


@routes.on("GET", REGION, BASE + "/experiments/get-by-name")
def get_experiment_by_name(call: Call, version: str) -> Any:
    name = call.request.query["experiment_name"]
    if name not in call.workspace.experiments:
        _refuse(call, "RESOURCE_DOES_NOT_EXIST", f"Could not find experiment with name {name}", 404)
    return {"experiment": _experiment(call, name)}


@routes.on("POST", REGION, BASE + "/experiments/create")
def create_experiment(call: Call, version: str) -> Any:
    return {"experiment_id": ensure_experiment(call.workspace, call.json["name"]).id}


@routes.on("POST", REGION, BASE + "/logged-models")
@routes.on("POST", REGION, BASE + "/logged-models/{rest:path}")
@routes.on("GET", REGION, BASE + "/logged-models/{rest:path}")
def refuse_models(call: Call, version: str, rest: str = "") -> Answer:
    return Answer(404)


def _log_metric(run: Run, sent: Document) -> None:
    key = sent["key"]
    metric = run.metrics.setdefault(key, Metric(key, SCALAR, {key: "Double"}))
    metric.rows.append({key: sent.get("value", 0.0)})
    metric.steps.append(int(sent.get("step") or 0))
    metric.times.append(int(sent.get("timestamp") or 0))


def _log_param(call: Call, run: Run, sent: Document) -> None:
    key, value = sent["key"], sent.get("value", "")
    if run.params.get(key, value) != value:
        _refuse(
            call,
            "INVALID_PARAMETER_VALUE",
            f"Changing param values is not allowed. Param with key='{key}' was already logged with "
            f"value='{run.params[key]}' for run ID='{run.id}'. Attempted logging new value '{value}'.",
        )
    run.params[key] = value


def _find(call: Call, values: Any) -> Run:
    identifier = values.get("run_id") or values.get("run_uuid")
    run = call.workspace.runs.get(identifier)
    if run is None:
        _refuse(call, "RESOURCE_DOES_NOT_EXIST", f"Run {identifier} not found", 404)
    return run


def _refuse(call: Call, code: str, message: str, status: int = 400) -> Any:
    call.refuse({"error_code": code, "message": message}, status)


def _history(metric: Metric) -> list[Document]:
    times = metric.times if len(metric.times) == len(metric.rows) else [0] * len(metric.rows)
    rows = zip(metric.values, times, metric.steps, strict=True)
    return [{"key": metric.name, "value": value, "timestamp": time, "step": step or 0} for value, time, step in rows]


def _document(call: Call, run: Run) -> Document:
    experiment = call.workspace.experiments[run.experiment]
    status = next((theirs for theirs, ours in STATUSES.items() if ours == run.status), "RUNNING")
    info = {
        "run_id": run.id,
        "run_uuid": run.id,
        "run_name": run.display_name or run.name,
        "experiment_id": experiment.id,
        "user_id": CLIENT,
        "status": status,
        "start_time": 0,
        "artifact_uri": f"azureml://{REGION}/mlflow/v2.0{call.workspace.scope}/experiments/{experiment.id}"
        f"/runs/{run.id}/artifacts",
        "lifecycle_stage": "active",
    }
    scalars = [metric for metric in run.metrics.values() if metric.kind == SCALAR and metric.rows]
    data = {
        "metrics": [_history(metric)[-1] for metric in scalars],
        "params": [{"key": key, "value": value} for key, value in run.params.items()],
        "tags": [{"key": key, "value": value} for key, value in run.tags.items()],
    }
    return {"info": info, "data": data, "inputs": {"dataset_inputs": run.mlflow_inputs}}


def _experiment(call: Call, name: str) -> Document:
    experiment = call.workspace.experiments[name]
    return {
        "experiment_id": experiment.id,
        "name": name,
        "artifact_location": "",
        "lifecycle_stage": "active",
        "tags": [{"key": "created", "value": now()}],
    }
