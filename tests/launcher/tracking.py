"""A tracking server of MLflow that counts its requests, refuses what Azure ML refuses, and fails when it is told to."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

TOKEN = "the-token-of-the-job"
PREFIX = "/mlflow/v2.0/subscriptions/s/resourceGroups/g/workspaces/w/api/2.0/mlflow/"
# What a request may hold: values and tags together, values of one metric, tags.
MOST, MOST_OF_ONE, MOST_TAGS = 1000, 250, 100


@dataclass
class TrackedRun:
    """A run: its metrics as (step, value), in the order of their arrival, its tags and its end."""

    metrics: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    status: str = "RUNNING"
    parent: str = ""
    name: str = ""


@dataclass(frozen=True)
class Request:
    """A request, and the status of its answer; 0 if the connection was dropped instead."""

    route: str
    values: dict[str, Any]
    status: int


class Server:
    """The server of the job `step`, which runs in the pipeline's job `root`.

    `faults` are what happens to the next requests, in order: a status, a status with a Retry-After in seconds, or
    "drop" before the effect, "cut" after it; None is an answer. `refused` are names that it does not take.
    """

    def __init__(self) -> None:
        self.runs = {"step": TrackedRun(parent="root"), "root": TrackedRun()}
        self.requests: list[Request] = []
        self.models: list[dict[str, Any]] = []
        self.faults: list[Any] = []
        self.refused: set[str] = set()
        self.lock = threading.Lock()
        handler = type("_Handler", (_Handler,), {"server_": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def uri(self) -> str:
        """The address, as MLFLOW_TRACKING_URI has it."""
        return f"http://127.0.0.1:{self._server.server_port}{PREFIX.partition('/api/')[0]}"

    @property
    def step(self) -> TrackedRun:
        """The run of the step."""
        return self.runs["step"]

    @property
    def children(self) -> dict[str, TrackedRun]:
        """The child runs of the step, by name."""
        return {run.name: run for run in self.runs.values() if run.parent == "step"}

    def sent(self, route: str) -> list[Request]:
        """Return the requests of a route that had an answer."""
        return [request for request in self.requests if request.route == route and request.status == 200]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, route: str, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the content of an answer."""
        routes = {
            "runs/log-batch": self._log_batch,
            "runs/create": self._create,
            "registered-models/create": self._make_model,
            "registered-models/get": self._model,
            "model-versions/create": self._make_version,
        }
        if route in routes:
            return routes[route](values)
        if route in ("experiments/get-by-name", "experiments/get"):
            return 200, {"experiment": {"experiment_id": "7", "name": "churn", "lifecycle_stage": "active"}}
        return self._of_run(route, values)

    def _make_model(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if any(model["name"] == values["name"] for model in self.models):
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS", "message": "the model exists"}
        return 200, {"registered_model": {"name": values["name"]}}

    def _model(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        versions = [model for model in self.models if model["name"] == values["name"]]
        return 200, {"registered_model": {"name": values["name"], "latest_versions": versions[-1:]}}

    def _make_version(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        version = 1 + sum(model["name"] == values["name"] for model in self.models)
        self.models.append({**values, "version": version})
        return 200, {"model_version": {"name": values["name"], "version": str(version)}}

    def _of_run(self, route: str, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs.get(values.get("run_id") or values.get("run_uuid", ""))
        if run is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}
        if route == "runs/update":
            run.status = values.get("status", run.status)
        elif route == "runs/delete-tag":
            run.tags.pop(values["key"], None)
        elif route == "runs/set-tag":
            run.tags[values["key"]] = values["value"]
        elif route == "runs/log-metric":
            run.metrics.setdefault(values["key"], []).append((int(values.get("step", 0)), float(values["value"])))
        elif route == "runs/log-parameter":
            run.params[values["key"]] = values["value"]
        elif route != "runs/get":
            return 404, {"error_code": "ENDPOINT_NOT_FOUND", "message": route}
        return 200, {"run": self._described(values["run_id"], run), "run_info": self._described("x", run)["info"]}

    def _log_batch(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        metrics, tags, params = (values.get(key) or [] for key in ("metrics", "tags", "params"))
        most_of_one = max(Counter(metric["key"] for metric in metrics).values(), default=0)
        if len(metrics) + len(tags) > MOST or len(tags) > MOST_TAGS or most_of_one > MOST_OF_ONE:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "too much in a request"}
        wrong = self.refused.intersection(item["key"] for item in (*metrics, *tags))
        if wrong:
            return 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": f"cannot log {min(wrong)}"}
        run = self.runs.get(values["run_id"])
        if run is None:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such run"}
        for metric in metrics:
            point = (int(metric["step"]), float(metric["value"]))
            history = run.metrics.setdefault(metric["key"], [])
            # The same value again is the same value, as MLflow has it.
            if point not in history[-2 * MOST_OF_ONE :]:
                history.append(point)
        run.tags.update((tag["key"], tag["value"]) for tag in tags)
        run.params.update((param["key"], param["value"]) for param in params)
        return 200, {}

    def _create(self, values: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        tags = {tag["key"]: tag["value"] for tag in values.get("tags") or []}
        run_id = f"child-{len(self.runs)}"
        run = TrackedRun(tags=tags, parent=tags.get("mlflow.parentRunId", ""), name=values.get("run_name", ""))
        self.runs[run_id] = run
        return 200, {"run": self._described(run_id, run)}

    def _described(self, run_id: str, run: TrackedRun) -> dict[str, Any]:
        info = {
            "run_id": run_id,
            "run_uuid": run_id,
            "experiment_id": "7",
            "status": run.status,
            "artifact_uri": f"azureml://region/mlflow/v2.0/experiments/7/runs/{run_id}/artifacts",
            "lifecycle_stage": "active",
        }
        return {"info": info, "data": {}}


class _Handler(BaseHTTPRequestHandler):
    server_: Server
    protocol_version = "HTTP/1.1"

    def _take(self) -> None:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        values = json.loads(body) if body else dict(parse_qsl(parts.query))
        route = parts.path[len(PREFIX) :] if parts.path.startswith(PREFIX) else parts.path
        server = self.server_
        with server.lock:
            fault = server.faults.pop(0) if server.faults else None
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                fault = 401
            status, wait = fault if isinstance(fault, tuple) else (fault, None)
            if status in (None, "cut"):
                code, content = server.answer(route, values)
                server.requests.append(Request(route, values, 0 if status else code))
            else:
                code, content = (0 if status == "drop" else int(status)), {"message": "a fault"}
                server.requests.append(Request(route, values, code))
        if status in ("drop", "cut"):
            self.close_connection = True
            self.connection.close()
            return
        text = json.dumps(content).encode()
        self.send_response(code)
        if wait is not None:
            self.send_header("Retry-After", str(wait))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = _take  # noqa: N815 - the names of http.server

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@contextmanager
def tracking_server() -> Iterator[Server]:
    server = Server()
    try:
        yield server
    finally:
        server.close()
