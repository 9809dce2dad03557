from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.azure.projects import write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azureml.pipeline.core import Schedule, ScheduleRecurrence

from azml_tasks.azure.v1.doctor import examine_workspace
from azml_tasks.azure.v1.register import register
from azml_tasks.azure.v1.schedules.manage import pause
from azml_tasks.azure.v1.schedules.reconcile import schedule
from azml_tasks.checks.doctor import Finding
from azml_tasks.checks.files import project_problems
from azml_tasks.reading import load_project
from tests.azure.connections import forget_connections
from tests.azure.workspace import FILE, opened

DECLARED = f"""\
{FILE}
env_name: own
compute_name: cpu
publish: {{name: churn}}
environments: {{own: {{pip_packages: [pandas]}}}}
computes: {{cpu: {{vm_size: STANDARD_DS3_V2}}}}
datastores: {{raw: {{container_name: raw, account_name: churnstore, account_key: "${{KEY}}"}}}}
datasets: {{customers: {{datastore_name: raw, path: customers.csv, set_column_types: {{a: long}}}}}}
steps:
  prepare: {{script_name: prepare.py, input_datasets: {{--new: customers}}}}
  train: {{script_name: train.py}}
"""
NAMED = f"""\
{FILE}
env_name: theirs@3
compute_name: cpu
steps:
  prepare:
    script_name: prepare.py
    input_datasets: {{--new: customers}}
    output_folders: {{--output-folder: {{destination: {{datastore_name: elsewhere}}}}}}
  train: {{script_name: train.py, compute_name: gpu}}
"""
OPENED = Finding("good", "the workspace churn-ws in churn-rg can be opened")
COMPLETE = Finding("good", "the workspace has everything in the file")


def findings(folder: Path, text: str, target: str | None = None) -> list[Finding]:
    forget_connections()
    write_project(folder, text)
    project = load_project(folder / "pipeline.yaml", target, variables={**os.environ, "KEY": "a2V5"})
    return list(examine_workspace(project))


def test_everything_declared_and_missing_is_named_with_the_command_that_makes_it(azure, tmp_path):
    assert findings(tmp_path, DECLARED) == [
        OPENED,
        Finding("bad", "the workspace 'churn-ws' has no environment 'own'", "invoke register-env"),
        Finding("bad", "the workspace 'churn-ws' has no compute 'cpu'", "invoke register-compute"),
        Finding("bad", "the workspace 'churn-ws' has no datastore 'raw'", "invoke register-datastore"),
        Finding("bad", "the workspace 'churn-ws' has no dataset 'customers'", "invoke register-csv"),
    ]


def test_the_commands_name_the_target(azure, tmp_path):
    found = findings(tmp_path, DECLARED + "targets: {prod: {tags: {a: b}}}\n", "prod")
    assert [finding.remedy for finding in found if finding.verdict == "bad"] == [
        "invoke register-env --target prod",
        "invoke register-compute --target prod",
        "invoke register-datastore --target prod",
        "invoke register-csv --target prod",
    ]


def test_what_only_the_workspace_could_have_is_to_be_declared_or_corrected(azure, tmp_path):
    azure.add_environment("theirs")
    azure.add_compute("cpu")
    azure.add_compute("gpus")
    assert findings(tmp_path, NAMED) == [
        OPENED,
        Finding(
            "bad",
            "the environment 'theirs' has no version 3 in the workspace 'churn-ws'",
            "declare it in `environments:`, or correct the name",
        ),
        Finding(
            "bad",
            "the workspace 'churn-ws' has no compute 'gpu'; did you mean 'gpus'?",
            "declare it in `computes:`, or correct the name",
        ),
        Finding(
            "bad",
            "the workspace 'churn-ws' has no datastore 'elsewhere'",
            "declare it in `datastores:`, or correct the name",
        ),
        Finding(
            "bad",
            "the workspace 'churn-ws' has no dataset 'customers'",
            "declare it in `datasets:`, or correct the name",
        ),
    ]


def test_when_nothing_is_missing_doctor_reports_it(azure, tmp_path):
    azure.put_blob("churnstore", "raw", "customers.csv", b"a\n1\n")
    write_project(tmp_path, DECLARED)
    project = load_project(tmp_path / "pipeline.yaml", variables={**os.environ, "KEY": "a2V5"})
    list(register(opened(), project))
    assert findings(tmp_path, DECLARED) == [OPENED, COMPLETE]

    changed = findings(tmp_path, DECLARED.replace("[pandas]", "[polars]"))
    assert changed == [
        OPENED,
        Finding(
            "note",
            "the environment 'own' in the workspace differs from the file: "
            "pip package polars added, pip package pandas removed",
            "invoke register-env",
        ),
    ]


def test_a_workspace_that_is_not_there_is_a_finding(azure, tmp_path):
    assert findings(tmp_path, DECLARED.replace("ws_name: churn-ws", "ws_name: churn-wz")) == [
        Finding(
            "bad",
            "no workspace 'churn-wz' in the resource group 'churn-rg', which has 'churn-ws'; did you mean 'churn-ws'?",
            "correct ws_name, resource_group and subscription_id, or create the workspace in Azure",
        )
    ]


def test_a_workspace_that_is_not_named_was_found_in_the_file_already(azure, tmp_path):
    text = DECLARED.replace("ws_name: churn-ws\n", "")
    assert findings(tmp_path, text) == []
    assert [str(problem) for problem in project_problems(load_project(tmp_path / "pipeline.yaml"))] == [
        "pipeline.yaml:1: Azure needs ws_name, which is not set in the file"
    ]


def test_a_login_that_fails_is_a_finding(azure, tmp_path):
    found = findings(tmp_path, DECLARED + "auth: cli\n")
    assert [(finding.verdict, finding.remedy) for finding in found] == [("bad", "az login")]
    assert found[0].message.startswith("Could not log in to Azure. Tried, in order:\n  Azure CLI: ")


def test_a_doubled_schedule_and_one_that_is_off_are_findings(azure, tmp_path):
    azure.add_environment("env")
    azure.add_compute("cpu")
    text = f"{FILE}env_name: env\ncompute_name: cpu\npublish: {{name: churn}}\nsteps: {{a: {{script_name: a.py}}}}\n"
    daily = text + "schedule: {frequency: Day, start_time: 2090-01-01T06:30:00}\n"
    off = Finding("note", "the schedule 'churn' is not enabled", "invoke schedule")
    assert findings(tmp_path, text) == [OPENED, COMPLETE]
    assert findings(tmp_path, daily) == [OPENED, COMPLETE, off]

    project, ws = write_project(tmp_path, daily), opened()
    published, _ = schedule(project, ws)
    on = Finding("good", "the schedule 'churn' is enabled, next on Sun 2090-01-01 06:30 UTC")
    assert findings(tmp_path, daily) == [OPENED, COMPLETE, on]
    assert findings(tmp_path, text + "schedule: {frequency: Day, enabled: false}\n")[2:] == [
        Finding("note", "the schedule 'churn' is enabled, but the file has `enabled: false`", "invoke schedule")
    ]

    made = Schedule.create(
        ws, "churn", published.id, "x", ScheduleRecurrence("Day", 1, start_time="2090-01-01T00:00:00")
    )
    kept = next(iter(azure.schedules.values()))
    reason = f"duplicates {kept.id}, created on {kept.created[:16].replace('T', ' ')}"
    assert findings(tmp_path, daily)[2:] == [Finding("bad", f"the schedule 'churn' {reason}", "invoke schedules.prune")]
    made.disable()
    pause(project, ws)
    assert findings(tmp_path, daily)[2:] == [off]


def test_a_blob_schedule_on_a_datastore_without_a_key_is_a_finding(azure, tmp_path):
    azure.add_environment("env")
    azure.add_compute("cpu")
    azure.add_datastore("raw", key=None)
    text = f"{FILE}env_name: env\ncompute_name: cpu\nsteps: {{a: {{script_name: a.py}}}}\n"
    found = findings(tmp_path, text + "schedule: {on_blob_change: {datastore_name: raw}}\n")
    assert found[1].message == (
        "a schedule can only watch a datastore with an account key, but 'raw' has none: set `account_key: "
        "${SOME_VARIABLE}` in the file and register it again"
    )
