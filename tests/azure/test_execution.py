"""The scripts themselves, run from the snapshots that arrived, with the SDK's own Run on their side."""

from __future__ import annotations

import pytest

from tests.azure.projects import write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.register import register
from azml_tasks.azure.runs import find_run
from azml_tasks.azure.submission import run
from azml_tasks.azure.watch import Pace, Watch
from tests.azure.workspace import stocked

PIPELINE = """
env_name: env
compute_name: cpu
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, account_key: "${CHURN_KEY}"}
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv}
steps:
  prepare:
    script_name: prepare.py
    script_directory: steps
    step_config: {min_age: 35}
    input_datasets: {--new-data: customers}
  train:
    script_name: train.py
    script_directory: steps
    step_config: {lr: 2.0e-5}
    environment_variables: {MODE: fast}
  evaluate: {script_name: evaluate.py, script_directory: steps}
"""
PREPARE = """
    import argparse
    import json
    from pathlib import Path

    from azureml.core import Run

    from shared.rows import older

    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=json.loads)
    parser.add_argument("--new-data")
    parser.add_argument("--output-folder")
    args = parser.parse_args()
    run = Run.get_context()
    table = run.input_datasets["customers"].to_pandas_dataframe()
    kept = older(table, args.config["min_age"])
    run.log("rows", len(kept))
    Path(args.output_folder).mkdir(parents=True, exist_ok=True)
    kept.to_csv(Path(args.output_folder, "kept.csv"), index=False)
    run.complete()
"""
TRAIN = """
    import argparse
    import json
    import os
    from pathlib import Path

    from azureml.core import Run

    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=json.loads)
    parser.add_argument("--input-folder")
    parser.add_argument("--output-folder")
    args = parser.parse_args()
    text = Path(args.input_folder, "kept.csv").read_text()
    print(text, os.environ["MODE"], args.config)
    Path(args.output_folder).mkdir(parents=True, exist_ok=True)
    Path(args.output_folder, "model.txt").write_text(f"lr {args.config['lr']}")
    Run.get_context().complete()
"""
EVALUATE = """
    import argparse
    from pathlib import Path

    from azureml.core import Run

    parser = argparse.ArgumentParser()
    parser.add_argument("--input-folder")
    args = parser.parse_args()
    run = Run.get_context()
    run.log("model", Path(args.input_folder, "model.txt").read_text())
    run.complete()
"""


def test_three_steps_hand_a_datasets_rows_on_until_the_last_logs_the_result(azure, tmp_path):
    azure.put_blob("churnstore", "raw", "customers.csv", b"id,age\n1,30\n2,40\n3,50\n")
    ws = stocked(azure)
    azure.on_submit = "execute"
    scripts = {
        "steps/prepare.py": PREPARE,
        "steps/train.py": TRAIN,
        "steps/evaluate.py": EVALUATE,
        "shared/rows.py": "def older(table, age):\n    return table[table.age > age]\n",
    }
    project = write_project(tmp_path, PIPELINE, scripts, {"CHURN_KEY": "a2V5"})
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
