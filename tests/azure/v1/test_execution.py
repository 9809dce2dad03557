"""The scripts themselves, run from the snapshots that arrived, with the SDK's own Run on their side."""

from __future__ import annotations

import pytest

from tests.azure.projects import write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.register import register
from azml_tasks.azure.v1.runs.runs import find_run
from azml_tasks.azure.v1.submit import run
from azml_tasks.backend import Pace, Watch
from tests.azure.workspace import stocked
from tests.three_steps import PIPELINE, SCRIPTS, VARIABLES


def test_three_steps_hand_a_datasets_rows_on_until_the_last_logs_the_result(azure, tmp_path):
    azure.put_blob("churnstore", "raw", "customers.csv", b"id,age\n1,30\n2,40\n3,50\n")
    ws = stocked(azure)
    azure.on_submit = "execute"
    project = write_project(tmp_path, PIPELINE, SCRIPTS, VARIABLES)
    list(register(ws, project))

    record = run(project, ws, settings=["train.lr=0.5", "prepare.min_age=45"], watch=Watch(pace=Pace(0.1, 0.1)))

    assert record.status == "completed"
    assert {name: sorted(step.files) for name, step in azure.steps().items()} == {
        "prepare": ["prepare.py", "shared/rows.py"],
        "train": ["train.py"],
        "evaluate": ["evaluate.py"],
    }
    assert [(step.key, step.metrics()) for step in find_run(ws, "pipeline").steps] == [
        ("prepare", [{"name": "rows", "kind": "scalar", "value": 1}]),
        ("train", []),
        ("evaluate", [{"name": "model", "kind": "scalar", "value": "lr 0.5"}]),
    ]
    log = azure.artifacts(azure.step_runs()["train"])["user_logs/std_log.txt"].decode()
    assert log == "id,age\n3,50\n fast {'lr': 0.5}\n"
