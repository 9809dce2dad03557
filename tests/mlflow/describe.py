"""Describe runs through MLflow's own client, for a comparison: `python describe.py RESULT_FILE`.

RESULT_FILE is what `script.py` has written; the description is written next to it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from files import files_in  # as a script, next to it
from mlflow.tracking import MlflowClient


def describe(client: MlflowClient, run_id: str) -> dict:
    """Return what a run has, without what differs each time."""
    run = client.get_run(run_id)
    models = _models(client, run)
    return {
        "params": dict(run.data.params),
        "metrics": {name: _values(client.get_metric_history(run_id, name)) for name in sorted(run.data.metrics)},
        "tags": {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")},
        "artifacts": {
            name: content
            for name, content in files_in(_path(run.info.artifact_uri)).items()
            if name.partition("/")[0] not in models
        },
        "models": models,
    }


def _values(history) -> list:
    """Return the steps and values of a metric, without those that MLflow 3 sends again for each model."""
    found = dict.fromkeys((metric.timestamp, metric.step, repr(_unclipped(metric.value))) for metric in history)
    return sorted([step, value] for _, step, value in found)


def _unclipped(value: float) -> float:
    """Return a value as it was logged: MLflow's databases have the largest number in the place of infinity."""
    return value * 2 if abs(value) == sys.float_info.max else value


def _models(client: MlflowClient, run) -> dict:
    """Return the files of the models that MLflow 3 keeps apart from the run's."""
    if not hasattr(client, "search_logged_models"):
        return {}
    found = client.search_logged_models([run.info.experiment_id])
    own = [model for model in found if model.source_run_id == run.info.run_id]
    return {model.name: {"files": files_in(_path(model.artifact_location)), "params": model.params} for model in own}


def _path(uri: str) -> Path:
    return Path(url2pathname(urlparse(uri).path)) if uri.startswith("file:") else Path(unquote(uri))


if __name__ == "__main__":
    result_file = Path(sys.argv[1])
    result = json.loads(result_file.read_text(encoding="utf-8"))
    ids = [result["run"], *result["children"]]
    described = {"runs": [describe(MlflowClient(), run_id) for run_id in ids], "read back": result["read back"]}
    result_file.with_suffix(".described.json").write_text(json.dumps(described), encoding="utf-8")
