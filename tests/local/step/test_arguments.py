"""A step's arguments on this machine, and the form in which those of two runs are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.local.step.arguments import (
    StepArguments,
    StepFolders,
    fixed_arguments,
    local_path,
    resolve_arguments,
)
from azml_tasks.model import Dataset
from azml_tasks.plan import Plan
from azml_tasks.plan.plan import dataset_id
from azml_tasks.reading import load_project

PIPELINE = """\
pipeline_parameters: {alpha: 0.5, beta: 2}
datasets:
  customers: {local_path: data/customers.csv}
  raw: {local_path: logs, type: file, mode: mount}
steps:
  merge: {script_name: merge.py}
  train:
    script_name: train.py
    step_config: {lr: 0.1, name: "é"}
    input_datasets: {--data: customers, --raw: raw, --table: {step: merge, format: parquet}, unseen: customers}
    arguments: {--alpha: "${{ parameters.alpha }}", --beta: "${{ parameters.beta }}", --text: a b}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE, encoding="utf-8")
    return load_project(tmp_path / "pipeline.yaml", variables={}).plan


def test_what_a_step_is_given_are_paths_of_this_machine_and_ids_for_what_is_read_by_name(plan):
    project = Path("/project")
    written = {("merge", "merge_output_folder"): Path("/runs/1/merge")}
    folders = StepFolders(project, written, {}, Path("/temporary"))

    own = StepFolders(project, {}, {"merge_output_folder": Path("/runs/2/merge")}, Path("/temporary"))
    assert resolve_arguments(plan["merge"], plan.pipeline, {}, own) == StepArguments(
        ("--output-folder", "/runs/2/merge"), {}, {"merge_output_folder": "/runs/2/merge"}, {}
    )
    assert resolve_arguments(plan["train"], plan.pipeline, {"beta": 7, "other": 1}, folders) == StepArguments(
        argv=(
            *("--config", '{"lr": 0.1, "name": "\\u00e9"}'),
            *("--data", dataset_id("customers"), "--raw", "/project/logs"),
            *("--table", dataset_id("merge/merge_output_folder"), "--input-folder", "/runs/1/merge"),
            *("--alpha", "0.5", "--beta", "7", "--text", "a b"),
        ),
        inputs={
            "customers": {"kind": "dataset", "dataset": "customers"},
            "raw": {"kind": "dataset", "dataset": "raw", "path": "/project/logs"},
            "table": {"kind": "table", "path": "/runs/1/merge", "format": "parquet"},
            "unseen": {"kind": "dataset", "dataset": "customers"},
            "train_input_folder": {"kind": "folder", "path": "/runs/1/merge"},
        },
        outputs={},
        paths={"raw": "/project/logs", "train_input_folder": "/runs/1/merge"},
    )


def test_arguments_are_compared_by_names_where_paths_differ_from_run_to_run(plan):
    assert fixed_arguments(plan["merge"], {}) == ["--output-folder", {"output": "merge_output_folder"}]
    assert fixed_arguments(plan["train"], {"beta": 7}) == [
        *("--config", {"config": '{"lr": 0.1, "name": "\\u00e9"}'}),
        *("--data", {"input": "customers"}, "--raw", {"input": "raw"}, "--table", {"input": "table"}),
        *("--input-folder", {"input": "train_input_folder"}),
        *("--alpha", "0.5", "--beta", "7", "--text", "a b"),
    ]


def test_an_id_is_shaped_as_those_of_azure_and_the_same_in_every_run():
    assert dataset_id("customers") == "21eb2153-dd14-83cd-67a6-21fb2c7b2f65"


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("data/./a.csv", "/project/data/a.csv"), ("../a.csv", "/a.csv"), ("/a/*.csv", "/a/*.csv"), (None, "/project")],
)
def test_the_place_of_a_datasets_data(declared, expected):
    assert local_path(Dataset(local_path=declared), Path("/project")) == Path(expected)
