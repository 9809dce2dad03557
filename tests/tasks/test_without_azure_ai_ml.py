"""Tasks with `backend: azure-v2` without Microsoft's client: one sentence that says how to install it."""

from __future__ import annotations

import threading

import pytest

from azml_tasks.azure.v2.client import connection
from tests.tasks.conftest import Invoke

PIPELINE = """\
backend: azure-v2
ws_name: churn-ws
resource_group: churn-rg
subscription_id: 11111111-1111-1111-1111-111111111111
env_name: churn-env
compute_name: cpu-cluster
steps:
  one: {script_name: one.py, input_datasets: {--data: customers}}
environments: {churn-env: {pip_packages: [pandas]}}
datastores: {blob: {container_name: raw, account_name: churnstore, account_key: "${KEY}"}}
datasets: {customers: {datastore_name: blob, path: customers.csv}}
computes: {cpu-cluster: {vm_size: STANDARD_D4DS_V4}}
publish: {name: churn}
schedule: {frequency: Day}
"""
TASKS = (
    *("plan", "publish", "schedule", "run"),
    *("register", "register-env", "register-csv", "register-datastore", "register-compute"),
    *("runs.list", "runs.show", "runs.logs", "runs.cancel", "published.list", "published.run", "schedules.list"),
)


@pytest.fixture
def churn(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.setattr(connection, "_is_imported", threading.Event())
    monkeypatch.setattr(connection, "_is_there", lambda name: False)
    monkeypatch.setenv("KEY", "a2V5")
    invoke.write("pipeline.yaml", PIPELINE)
    invoke.write("one.py", "import argparse\np = argparse.ArgumentParser()\np.add_argument('--data')\np.parse_args()\n")
    return invoke


@pytest.mark.parametrize("words", [*((task,) for task in TASKS), ("--dry", "register"), ("--dry", "schedule")])
def test_each_task_names_what_to_install(churn: Invoke, words: tuple[str, ...]) -> None:
    answer = churn(*words)

    assert answer.status in (1, 2), answer
    assert "pip install" in answer.out + answer.err
    assert "azure-ai-ml" in answer.out + answer.err
    assert "Traceback" not in answer.out + answer.err
