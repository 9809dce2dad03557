"""Prove that exported runs arrive on real tracking servers of MLflow: `python -m tests.mlflow.export`.

It starts `mlflow server` of 2.x and 3.x, in the environments that `python -m tests.mlflow` makes, sends two runs twice,
and reads them with MLflow's own client. The exit status is 1 if anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from azml_tasks.backend import RunRequest, Watch
from azml_tasks.local.backend import LocalRuns
from azml_tasks.tasks.project import backend_of
from tests.local.test_export import project
from tests.mlflow.__main__ import VARIANTS, environment

_LOOK = """\
import json, sys, mlflow
from mlflow.tracking import MlflowClient
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("rich")
client, found = MlflowClient(), {}
for run in client.search_runs([client.get_experiment_by_name("rich").experiment_id]):
    history = client.get_metric_history(run.info.run_id, "loss")
    files = [file.path for file in client.list_artifacts(run.info.run_id)]
    found.setdefault(run.data.tags["mlflow.runName"], []).append(
        [run.info.status, run.data.params, [[value.step, value.value] for value in history], sorted(files)]
    )
table = mlflow.load_table("tables/curve.json")
print(json.dumps([found, json.loads(table.to_json(orient="split"))]))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path(tempfile.gettempdir(), "azml-tasks-mlflow")
    parser.add_argument("--folder", type=Path, default=folder, help=f"folder of the environments (default: {folder})")
    given = parser.parse_args()
    wrong = 0
    for variant in ("full-2", "full-3"):
        python = environment(given.folder.absolute() / variant, VARIANTS[variant])
        with tempfile.TemporaryDirectory() as place, _server(python, Path(place), variant) as address:
            differences = list(_differences(python, address, Path(place)))
        print(f"{variant}: {differences or 'as expected'}", flush=True)
        wrong += len(differences)
    return 1 if wrong else 0


@contextlib.contextmanager
def _server(python: str, folder: Path, variant: str) -> Iterator[str]:
    """Run a tracking server, and return its address when it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # MLflow 2.22 does not start with SQLAlchemy 2.1, and 3.x does not start without a database.
    store = str(folder / "runs") if variant.endswith("2") else f"sqlite:///{folder}/runs.db"
    options = ["--backend-store-uri", store, "--artifacts-destination", str(folder / "files")]
    command = [python, "-m", "mlflow", "server", *options, "--port", str(port), "--workers", "1"]
    address = f"http://127.0.0.1:{port}"
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(240):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/health"):
                break
            time.sleep(0.5)
        yield address
    finally:
        # With its workers, which outlive it otherwise.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _differences(python: str, address: str, folder: Path) -> Iterator[str]:
    (folder / "project").mkdir()
    backend = backend_of(project(folder / "project"))
    runs = LocalRuns(folder / "project")
    for _ in range(2):
        backend.run(RunRequest(), Watch())
        list(runs.export(runs.list(), address, (), print))
    look = [python, "-c", _LOOK, address]
    found, table = json.loads(subprocess.run(look, check=True, capture_output=True, text=True).stdout)
    expected: dict[str, Any] = {
        "runs": (sorted(len(one) for one in found.values()), [1, 1, 2, 2, 2, 2]),
        "states": ({run[0] for one in found.values() for run in one}, {"FINISHED"}),
        "parameters": (found["train"][0][1], {"lr": "0.5", "opt.name": "adam"}),
        "loss": (found["train"][0][2], [[number, 1 / (number + 1)] for number in range(1500)]),
        "files": (found["train"][0][3], ["log.txt", "outputs", "tables"]),
        "table": (table["data"], [[0, "a"], [1, None]] * 2),
    }
    yield from (f"{name}: {got}" for name, (got, wanted) in expected.items() if got != wanted)


if __name__ == "__main__":
    sys.exit(main())
