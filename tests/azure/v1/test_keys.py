"""Every key of pipeline.yaml that has to do with steps acts on Azure: seen in what arrived at the service."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.projects import write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.register import register
from azml_tasks.azure.v1.submit import run
from tests.azure.workspace import stocked
from tests.service.graphs import FromDataset, FromStep, ParameterOf, ToOutput

DATA = """
env_name: env
compute_name: cpu
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, account_key: "${CHURN_KEY}"}
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv}
  images: {datastore_name: churn_blob, path: images/**, type: file, mode: mount}
  archive: {datastore_name: churn_blob, path: archive/**, type: file, mode: download}
  old-one: {datastore_name: churn_blob, path: old.csv, version: 1, name: old_one}
"""


@pytest.fixture
def ws(azure: Any) -> Any:
    for path in ("customers.csv", "old.csv", "images/a.png", "archive/b.txt"):
        azure.put_blob("churnstore", "raw", path, b"id,age\n1,30\n2,40\n")
    return stocked(azure)


def registered(ws: Any, folder: Any, steps: str) -> Any:
    """Write the project, and register what it declares."""
    project = write_project(folder, DATA + steps, variables={"CHURN_KEY": "a2V5"})
    list(register(ws, project))
    return project


def test_datasets_arrive_by_name_following_the_latest_version_in_their_mode(azure, ws, tmp_path):
    project = registered(
        ws,
        tmp_path,
        """
steps:
  read:
    script_name: read.py
    input_datasets: {--new-data: customers, --images: images, --archive: archive, --old: old-one, again: customers}
""",
    )

    run(project, ws, wait=False)

    read = azure.steps()["read"]
    assert read.arguments == (
        "--new-data",
        FromDataset("customers", None, "customers"),
        "--images",
        FromDataset("images", None, "images", "mount"),
        "--archive",
        FromDataset("archive", None, "archive", "download"),
        "--old",
        FromDataset("old-one", 1, "old_one"),
    )
    assert read.inputs["again"] == FromDataset("customers", None, "again")


def test_a_dataset_that_several_steps_read_is_looked_up_once(azure, ws, tmp_path):
    steps = "".join(f"  s{n}: {{script_name: s.py, input_datasets: {{--d: customers}}}}\n" for n in range(5))
    project = registered(ws, tmp_path, "steps:\n" + steps)
    azure.requests.clear()

    run(project, ws, wait=False)

    assert len(azure.requests.matching("GET", r"/datasets/query/name=customers")) == 1


def test_folders_and_tables_go_where_the_file_declares(azure, ws, tmp_path):
    project = registered(
        ws,
        tmp_path,
        """
steps:
  prepare:
    script_name: prepare.py
    output_folders:
      --kept: {destination: {datastore_name: churn_blob, path: "runs/{run-id}"}, register_on_complete: prepared}
      --table:
      --top: {destination: {datastore_name: churn_blob}}
  merge:
    script_name: merge.py
    input_folders: {--kept: prepare/--kept}
    input_datasets:
      --parquet: {step: prepare, output: --table}
      text: {step: prepare, output: --table, format: delimited}
    output_folders: []
  last:
    script_name: last.py
    input_folders: {}
    run_after: [merge]
    arguments: [--flag, positional, 3, --flag]
""",
    )

    run(project, ws, wait=False)

    steps = azure.steps()
    assert steps["prepare"].arguments == (
        "--kept",
        ToOutput("prepare_kept", "churn_blob", "runs/{run-id}", register_as="prepared"),
        "--table",
        ToOutput("prepare_table"),
        "--top",
        ToOutput("prepare_top", "churn_blob", "dataset/{run-id}/{output-name}"),
    )
    assert steps["merge"].arguments == (
        "--parquet",
        FromStep("prepare", "prepare_table", "parquet", "direct", table=True),
        "--kept",
        FromStep("prepare", "prepare_kept", "merge_kept"),
    )
    assert steps["merge"].inputs["text"] == FromStep("prepare", "prepare_table", "text", "direct", table=True)
    assert (steps["last"].arguments, steps["last"].run_after) == (("--flag", "positional", "3", "--flag"), ("merge",))


def test_what_a_step_reports_of_its_machine_and_its_run_arrives(azure, ws, tmp_path):
    project = registered(
        ws,
        tmp_path,
        """
environments:
  own-env: {pip_packages: [pandas==2.2]}
pipeline_parameters: {alpha: 0.5, rounds: 3, mode: fast}
steps:
  plain: {script_name: a.py, output_folders: []}
  special:
    step_name: The special one
    script_name: b.py
    script_directory: steps
    env_name: own-env
    environment_variables: {MODE: fast}
    max_run_duration_seconds: 60
    allow_reuse: false
    arguments: {--alpha: "${{ parameters.alpha }}", --rounds: "${{ parameters.rounds }}"}
    include: [params.json, "sql/**"]
""",
    )
    for path in ("steps/params.json", "steps/sql/a/b.sql", "steps/unused.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("{}", encoding="utf-8")

    run(project, ws, wait=False)

    steps = azure.steps()
    assert list(steps) == ["plain", "The special one"]
    special = steps["The special one"]
    assert (special.script, special.target, special.allow_reuse) == ("b.py", "cpu", False)
    assert special.environment == ("own-env", "1")
    assert (special.runconfig["environmentVariables"], special.runconfig["maxRunDurationSeconds"]) == (
        {"MODE": "fast"},
        60,
    )
    assert special.arguments == ("--alpha", ParameterOf("alpha"), "--rounds", ParameterOf("rounds"))
    assert sorted(special.files) == ["b.py", "params.json", "sql/a/b.sql"]
    assert (steps["plain"].allow_reuse, steps["plain"].environment) == (True, ("env", "1"))
    sent = azure.graphs[azure.submitted[-1].graph]
    assert sent.defaults == {"alpha": "0.5", "rounds": "3"}


def test_a_run_pins_the_environments_version_and_registers_what_is_new(azure, ws, tmp_path):
    steps = "steps: {a: {script_name: a.py, env_name: own}}\nenvironments: {own: {pip_packages: [%s]}}\n"
    run(registered(ws, tmp_path, steps % "pandas"), ws, wait=False)
    assert azure.steps()["a"].environment == ("own", "1")

    run(write_project(tmp_path, DATA + steps % "polars", variables={"CHURN_KEY": "a2V5"}), ws, wait=False)

    assert azure.steps()["a"].environment == ("own", "2")
    assert list(azure.environments["own"]) == ["1", "2"]


def test_whole_directories_are_sent_less_what_amlignore_names(azure, ws, tmp_path):
    project = registered(ws, tmp_path, "steps: {a: {script_name: a.py, script_directory: src, snapshot: directory}}\n")
    for path, text in {"src/.amlignore": "*.log\n", "src/x.log": "", "src/deep/y.txt": "y"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    run(project, ws, wait=False)

    assert sorted(azure.steps()["a"].files) == ["a.py", "deep/y.txt"]
