"""Run the proof's script as a step on the stand-in of Azure ML, with azureml-mlflow in a virtual environment.

The pipeline is submitted with the SDK, which needs Python 3.10 or 3.11; the step runs in the environment's Python.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.mlflow.files import is_volatile
from tests.service.environment import variables
from tests.service.example import open_workspace, prepare_workspace
from tests.service.run_state import Run
from tests.service.service import Service

_HERE = Path(__file__).parent
_STEP = "train"


def run_on_azure(python: str, folder: Path, *arguments: str) -> tuple[list[dict[str, Any]], str, str]:
    """Return what the service has of the step's run and its children, how the step ended, and its log."""
    with tempfile.TemporaryDirectory() as home:
        service = Service(folder)
        service.reset()
        service.python = python
        os.environ.update(variables(service, Path(home)))
        try:
            record, log = _submitted(service, arguments)
            children = [
                run for run in service.workspace.runs.values() if run.tags.get("mlflow.parentRunId") == record.id
            ]
            names = {run.id for run in (record, *children)}
            later = [run for run in service.workspace.runs.values() if run.id not in names and run.name == "autolog"]
            runs = [_described(service, run) for run in (record, *children, *later)]
        finally:
            service.stop()
            service.close()
        return runs, record.status, log


def _submitted(service: Service, arguments: tuple[str, ...]) -> tuple[Run, str]:
    from azureml.core import Environment, Experiment, RunConfiguration
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep

    prepare_workspace(service)
    workspace = open_workspace()
    settings = RunConfiguration()
    settings.environment = Environment.get(workspace, "churn-env")
    with tempfile.TemporaryDirectory() as source:
        Path(source, "script.py").write_bytes((_HERE / "script.py").read_bytes())
        step = PythonScriptStep(
            name=_STEP,
            script_name="script.py",
            source_directory=source,
            arguments=list(arguments),
            compute_target="cpu-cluster",
            runconfig=settings,
        )
        service.on_submit = "execute"
        Experiment(workspace, "churn").submit(Pipeline(workspace, steps=[step]))
        service.settle()
    record = service.step_runs()[_STEP]
    return record, service.artifacts(record)["user_logs/std_log.txt"].decode(errors="replace")


def _described(service: Service, run: Run) -> dict[str, Any]:
    """Return a run in the form of `describe.py`."""
    metrics = {
        name: sorted(
            [step, repr(float(str(row[name]).replace("Infinity", "inf")))]
            for row, step in zip(metric.rows, metric.steps, strict=True)
        )
        for name, metric in run.metrics.items()
    }
    files = {name: content for name, content in service.artifacts(run).items() if not name.startswith("user_logs/")}
    return json.loads(
        json.dumps(
            {
                "params": run.params,
                "metrics": metrics,
                "tags": {
                    name: value for name, value in run.tags.items() if not name.startswith(("mlflow.", "azureml."))
                },
                "artifacts": {
                    name: "" if is_volatile(name) else hashlib.sha256(content).hexdigest()[:16]
                    for name, content in files.items()
                },
                "models": {},
            }
        )
    )
