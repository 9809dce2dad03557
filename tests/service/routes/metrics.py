"""Metrics of runs (`azureml/_restclient/metrics_client.py`, second version of the service)."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.identifiers import now, stable_id
from tests.service.routing import REGION, routes
from tests.service.run_state import Metric, Run
from tests.service.state import Document

BASE = "/metric/v2.0{ws}/runs/{identifier}"


@routes.on("POST", REGION, BASE + "/batch")
def post_metrics(call: Call, identifier: str) -> Any:
    check(RUN_HISTORY, "BatchMetricV2Dto", call.json)
    run = _find(call, identifier)
    for sent in call.json["values"]:
        kind = (sent.get("properties") or {}).get("uxMetricType") or ""
        metric = run.metrics.setdefault(sent["name"], Metric(sent["name"], kind, sent.get("columns") or {}))
        for value in sent["value"]:
            metric.rows.append(value["data"])
            metric.steps.append(value.get("step"))
    return {"errors": []}


@routes.on("POST", REGION, BASE + "/list", polling=True)
def list_metrics(call: Call, identifier: str) -> Any:
    found = [
        {"metricKey": {"name": metric.name}, "columns": metric.columns}
        for metric in _find(call, identifier).metrics.values()
    ]
    return page(call, found)


@routes.on("POST", REGION, BASE + "/full", polling=True)
def get_metric(call: Call, identifier: str) -> Any:
    run = _find(call, identifier)
    metric = run.metrics.get(call.json["metricName"])
    if metric is None:
        raise missing(f"Metric {call.json['metricName']}")
    return {
        "dataContainerId": run.container,
        "name": metric.name,
        "columns": metric.columns,
        "properties": {"uxMetricType": metric.kind},
        "value": [_value(run, metric, number) for number in range(len(metric.rows))],
        "continuationToken": None,
    }


@routes.on("GET", REGION, "/history/v1.0{ws}/experiments/{experiment}/runs/{identifier}/metricsingest/wait")
def wait_for_metrics(call: Call, experiment: str, identifier: str) -> Any:
    _find(call, identifier)
    return {}


def _value(run: Run, metric: Metric, number: int) -> Document:
    return {
        "metricId": stable_id(f"{run.id}/{metric.name}/{number}"),
        "createdUtc": now(),
        "step": metric.steps[number],
        "data": metric.rows[number],
    }


def _find(call: Call, identifier: str) -> Run:
    if identifier not in call.workspace.runs:
        raise missing(f"Run {identifier}")
    return call.workspace.runs[identifier]
