"""A tracking server of MLflow that receives runs and holds them to MLflow's limits."""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

_NAME = re.compile(r"[/\w.\- ]{1,250}")


@dataclass
class Received:
    """A run as the server has it."""

    info: dict[str, Any]
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    """Steps and values by name."""
    files: dict[str, bytes] = field(default_factory=dict)
    children: list[Received] = field(default_factory=list)


class Receiver:
    """The server; `login` is what it asks for, and after `breaks_after` calls that change something it breaks."""

    def __init__(self) -> None:
        self.runs: dict[str, Received] = {}
        self.experiments: dict[str, str] = {"0": "Default"}
        self.requests: list[str] = []
        self.login = ""
        self.breaks_after = -1
        self.artifacts = "mlflow-artifacts:/{experiment}/{run}/artifacts"
        self.address = ""

    def active(self) -> list[Received]:
        """Return the runs at the top that are not deleted, each with those below it."""
        for run in self.runs.values():
            run.children.clear()
        found = [run for run in self.runs.values() if run.info["lifecycle_stage"] == "active"]
        for run in found:
            if parent := run.tags.get("mlflow.parentRunId"):
                self.runs[parent].children.append(run)
        return [run for run in found if "mlflow.parentRunId" not in run.tags]

    def answer(self, method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a call; raises ValueError with the code and the message of a refusal."""
        if path == "experiments/get-by-name":
            for identifier, name in self.experiments.items():
                if name == values["experiment_name"]:
                    return {"experiment": {"experiment_id": identifier, "name": name, "lifecycle_stage": "active"}}
            raise ValueError("RESOURCE_DOES_NOT_EXIST", "no such experiment")
        if path == "experiments/create":
            identifier = str(len(self.experiments))
            self.experiments[identifier] = values["name"]
            return {"experiment_id": identifier}
        if path == "runs/search":
            key, value = re.fullmatch(r"tags\.`([^`]+)` = '([^']*)'", values["filter"]).groups()  # type: ignore[union-attr]
            found = [
                run
                for run in self.runs.values()
                if run.info["lifecycle_stage"] == "active"
                and run.info["experiment_id"] in values["experiment_ids"]
                and run.tags.get(key) == value
            ]
            return {"runs": [{"info": run.info} for run in found]}
        if path == "runs/create":
            return self._create(values)
        run = self.runs[values["run_id"]]
        if path == "runs/delete":
            run.info["lifecycle_stage"] = "deleted"
        elif path == "runs/update":
            run.info |= {"status": values["status"], "end_time": values["end_time"]}
        elif path == "runs/log-batch":
            self._log(run, values)
        else:
            raise ValueError("ENDPOINT_NOT_FOUND", path)
        return {}

    def _create(self, values: dict[str, Any]) -> dict[str, Any]:
        identifier = f"{len(self.runs):032x}"
        place = self.artifacts.format(experiment=values["experiment_id"], run=identifier)
        info = {"run_id": identifier, "run_name": values["run_name"], "experiment_id": values["experiment_id"]}
        info |= {"status": "RUNNING", "start_time": values["start_time"], "artifact_uri": place}
        self.runs[identifier] = Received({**info, "lifecycle_stage": "active"})
        self._log(self.runs[identifier], {"tags": values["tags"]})
        return {"run": {"info": self.runs[identifier].info}}

    def _log(self, run: Received, values: dict[str, Any]) -> None:
        for kind, most, longest in (("metrics", 1000, 0), ("params", 100, 6000), ("tags", 100, 5000)):
            items = values.get(kind, [])
            names = [item["key"] for item in items]
            if len(items) > most or not all(map(_NAME.fullmatch, names)):
                raise ValueError("INVALID_PARAMETER_VALUE", f"{kind}: {len(items)} of {names[:3]}")
            if longest and any(len(item["value"]) > longest for item in items):
                raise ValueError("INVALID_PARAMETER_VALUE", f"{kind} too long")
        for item in values.get("params", []):
            if run.params.setdefault(item["key"], item["value"]) != item["value"]:
                raise ValueError("INVALID_PARAMETER_VALUE", "Changing param values is not allowed")
        run.tags |= {item["key"]: item["value"] for item in values.get("tags", [])}
        for item in values.get("metrics", []):
            run.metrics.setdefault(item["key"], []).append((item["step"], item["value"]))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _handle(self) -> None:
        own = self.server.receiver
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        own.requests.append(f"{self.command} {url.path}")
        if own.login and self.headers.get("Authorization") != own.login:
            self._send(401, b"who are you?")
            return
        if self.command in ("POST", "PUT") and not url.path.endswith("/search"):
            if own.breaks_after == 0:
                self._send(500, b"<html>broken</html>")
                return
            own.breaks_after -= 1
        if self.command == "PUT":
            _, _, path = unquote(url.path).partition("/api/2.0/mlflow-artifacts/artifacts/")
            _, run, _, name = path.split("/", 3)
            own.runs[run].files[name] = body
            self._send(200, b"{}")
            return
        values = json.loads(body) if body else dict(parse_qsl(url.query))
        try:
            found, status = own.answer(self.command, url.path.partition("/api/2.0/mlflow/")[2], values), 200
        except ValueError as error:
            code, message = error.args
            found, status = {"error_code": code, "message": message}, 404 if "EXIST" in code else 400
        self._send(status, json.dumps(found).encode())

    do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the names that the base class calls

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve in a thread of this process."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receiver = Receiver()
    server.receiver.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def basic(user: str, password: str) -> str:
    """Return the header of a login."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
