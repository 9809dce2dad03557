"""A step as the tracking server sees it, and calls of the server as MLflow sends them."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from azml_tasks.local.store.files import write_json
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.tracking.step import StepTracking

STARTED = 1_700_000_000.5


def step_in(
    folder: Path, key: str = "train", run_id: str = "run", experiment: str = "churn", experiments: dict | None = None
) -> StepTracking:
    """Return the tracking of a step of a run in the folder's project, which runs."""
    layout = ProjectPaths.of(folder)
    run = layout.run(run_id)
    write_json(run.record, {"experiment": experiment})
    write_json(run.step(key).record, {"status": "running", "started": STARTED, "producer": run_id})
    experiments = {"0": experiment} if experiments is None else experiments
    return StepTracking(layout, run.step(key), key, experiments, lambda name, value: value)


class Client:
    """Calls of one address, over one connection if it `keeps` it, else each over its own."""

    def __init__(self, uri: str, version: str = "3.17.2", keeps: bool = False) -> None:
        self._keeps = keeps
        self._url = urlsplit(uri)
        self._version = version
        self.connection = http.client.HTTPConnection(self._url.hostname or "", self._url.port, timeout=10)

    def send(self, method: str, path: str, values: Any = None) -> tuple[int, Any]:
        """Return the status and the answer of a call."""
        headers = {"User-Agent": f"mlflow-python-client/{self._version}"}
        body, target = None, self._url.path + path
        if method == "GET":
            target += f"?{urlencode(values, doseq=True)}" if values else ""
        elif values is not None:
            body = values if isinstance(values, bytes) else json.dumps(values).encode()
            headers["Content-Type"] = "application/json"
        self.connection.request(method, target, body, headers)
        response = self.connection.getresponse()
        answer = json.loads(response.read())
        if not self._keeps:
            self.connection.close()
        return response.status, answer

    def call(self, name: str, /, **values: Any) -> Any:
        """Return the answer of a call of MLflow's, by its name: `runs/get` is a GET, most others POST."""
        method = "GET" if name.endswith(("/get", "/get-history", "/get-by-name")) else "POST"
        status, answer = self.send(method, f"/api/2.0/mlflow/{name}", values)
        assert status == 200, answer
        return answer
