"""A pipeline of three steps on Azure ML, whose scripts hand a dataset's rows on until the last logs the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.service.service import Service

PIPELINE = """\
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
_PREPARE = """\
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
_TRAIN = """\
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
_EVALUATE = """\
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
SCRIPTS = {
    "steps/prepare.py": _PREPARE,
    "steps/train.py": _TRAIN,
    "steps/evaluate.py": _EVALUATE,
    "shared/rows.py": "def older(table, age):\n    return table[table.age > age]\n",
}
# What the file asks for besides.
VARIABLES = {"CHURN_KEY": "a2V5"}


def stock(service: Service) -> None:
    """Put what the pipeline reads into the workspace: the table, its datastore, the environment and the cluster."""
    service.put_blob("churnstore", "raw", "customers.csv", b"id,age\n1,30\n2,40\n3,50\n")
    service.add_datastore("churn_blob")
    service.add_table("customers", "churn_blob", "customers.csv", {"id": "int", "age": "int"})
    service.add_environment("env")
    service.add_compute("cpu")
