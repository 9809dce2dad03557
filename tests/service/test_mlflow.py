"""What azureml-mlflow asks the service, which has no logged models."""

from __future__ import annotations

import json
from typing import Any

from tests.service.routes.login import token

from .example import open_workspace
from .routes.experiments import ensure_experiment
from .run_state import Run
from .service import Service


def call(azure: Service, run: Any, name: str, /, **values: Any) -> tuple[int, Any]:
    import requests

    scope = azure.workspace.scope
    url = f"https://eastus.api.azureml.ms/mlflow/v2.0{scope}/api/2.0/mlflow/{name}"
    headers = {"Authorization": f"Bearer {token(run=run.id)}"}
    is_read = name.endswith(("/get", "/get-history"))
    answer = requests.request(
        "GET" if is_read else "POST",
        url,
        headers=headers,
        timeout=20,
        **({"params": values} if is_read else {"json": values}),
    )
    return answer.status_code, json.loads(answer.text) if answer.text else None


def test_what_mlflow_logs_is_the_run_s_and_models_are_refused_with_404(azure: Service) -> None:
    ensure_experiment(azure.workspace, "churn")
    run = Run("mlflow_1", "churn", "azureml.scriptrun")
    azure.workspace.runs[run.id] = run

    assert call(azure, run, "runs/log-metric", run_id=run.id, key="loss", value=0.5, step=3, timestamp=5)[0] == 200
    assert call(azure, run, "runs/log-parameter", run_id=run.id, key="lr", value="0.1")[0] == 200
    assert call(azure, run, "runs/set-tag", run_id=run.id, key="stage", value="dev")[0] == 200
    status, answer = call(azure, run, "runs/log-parameter", run_id=run.id, key="lr", value="0.2")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    history = call(azure, run, "metrics/get-history", run_id=run.id, metric_key="loss")[1]
    assert history == {"metrics": [{"key": "loss", "value": 0.5, "timestamp": 5, "step": 3}]}
    assert call(azure, run, "logged-models", experiment_id="x", name="model") == (404, None)
    assert (run.params, run.tags) == ({"lr": "0.1"}, {"stage": "dev"})
    # And as azureml-core reads it.
    assert open_workspace().get_run(run.id).get_metrics() == {"loss": 0.5}
