"""Outputs that steps register on Azure ML v2: after success alone, once, and never under the name of a v1 dataset."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import Pace, RunRequest, Watch
from azml_tasks.errors import ProjectError, RunError
from tests.azure.v2 import projects
from tests.azure.v2.projects import SCRIPTS, stocked, v2_project

REGISTERING = """\
environments: {env: {pip_packages: [pandas]}}
publish: {name: churn}
steps:
  prepare:
    script_name: prepare.py
    step_config: {rows: 3}
    output_folders: {--output-folder: {register_on_complete: features}}
  train: {script_name: train.py}
"""
FAILING = {**SCRIPTS, "prepare.py": SCRIPTS["prepare.py"] + "raise SystemExit('no rows')\n"}


def run(project, **request):
    return projects.run(project, Watch(pace=Pace(0.3, 0.3)), **request)


def registered(service):
    return service.assets["data"].get("features", {})


def test_an_output_is_registered_after_success_with_its_files(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"

    run(v2_project(tmp_path, REGISTERING))

    step = azure_v2.job_runs()["prepare"].id
    (version,) = registered(azure_v2).values()
    address = f"azureml://datastores/workspaceblobstore/paths/azureml/{step}/output_folder"
    assert version["properties"]["dataUri"] == address
    assert version["properties"]["dataType"] == "uri_folder"
    assert version["properties"]["tags"] == {"azml_tasks.run": step}
    store = azure_v2.datastores["workspaceblobstore"]
    place = address.partition("/paths/")[2]
    assert azure_v2.blob(store.account, store.container, f"{place}/rows.txt") == b"xxx"
    log = azure_v2.artifacts(azure_v2.job_runs()["prepare"])["user_logs/std_log.txt"].decode()
    assert "the output is registered as the data asset 'features', version 1" in log


def test_the_output_of_a_failed_step_is_not_registered(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"

    with pytest.raises(RunError, match="no rows"):
        run(v2_project(tmp_path, REGISTERING, FAILING))

    assert registered(azure_v2) == {}


def test_a_step_that_completed_registers_although_a_later_one_fails(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    azure_v2.refuses_data_of_jobs = True

    with pytest.raises(RunError, match="'train' failed"):
        run(v2_project(tmp_path, REGISTERING, {**SCRIPTS, "train.py": "raise SystemExit(1)\n"}))

    assert list(registered(azure_v2)) == ["1"]


def test_the_command_registers_what_the_job_may_not(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    azure_v2.refuses_data_of_jobs = True

    run(v2_project(tmp_path, REGISTERING))

    step = azure_v2.job_runs()["prepare"].id
    (version,) = registered(azure_v2).values()
    assert version["properties"]["dataUri"].endswith(f"/azureml/{step}/output_folder")
    log = azure_v2.artifacts(azure_v2.job_runs()["prepare"])["user_logs/std_log.txt"].decode()
    assert "the output is not registered as 'features': 403" in log
    assert "az ml data create --name features" in log


def test_each_run_adds_a_version_and_a_reused_step_none(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path, REGISTERING)
    run(project)

    run(project)
    run(project, force=True)

    assert list(registered(azure_v2)) == ["1", "2"]
    assert len({one["properties"]["dataUri"] for one in registered(azure_v2).values()}) == 2


@pytest.mark.sampled(4)
@pytest.mark.parametrize("status", [0, 500, 409])
@pytest.mark.parametrize("before_effect", [True, False])
@pytest.mark.parametrize("route", ["/datacontainer$", "/dataversion/features/versions$"])
def test_a_fault_of_the_data_service_makes_no_second_version(azure_v2, tmp_path, route, status, before_effect):
    stocked(azure_v2).on_submit = "execute"
    azure_v2.fail("POST", route, status=status, before_effect=before_effect)

    run(v2_project(tmp_path, REGISTERING))

    assert list(registered(azure_v2)) == ["1"]


def test_a_published_run_registers_without_being_followed(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    backend = AzureV2Backend(v2_project(tmp_path, REGISTERING))
    list(backend.publish(prune=False, dry=False))

    backend.published.run(RunRequest())
    azure_v2.settle()

    assert list(registered(azure_v2)) == ["1"]


def test_a_destination_is_where_the_registered_files_are(azure_v2, tmp_path):
    stocked(azure_v2).add_datastore("raw")
    azure_v2.on_submit = "execute"
    text = REGISTERING.replace(
        "{register_on_complete: features}",
        "{register_on_complete: features, destination: {datastore_name: raw, path: 'out/{run-id}/{output-name}'}}",
    )

    run(v2_project(tmp_path, text))

    step = azure_v2.job_runs()["prepare"].id
    (version,) = registered(azure_v2).values()
    assert version["properties"]["dataUri"] == f"azureml://datastores/raw/paths/out/{step}/output_folder"
    assert azure_v2.blob("churnstore", "raw", f"out/{step}/output_folder/rows.txt") == b"xxx"


@pytest.mark.parametrize("task", ["run", "publish", "schedule"])
def test_the_name_of_a_v1_dataset_is_refused_with_its_line(azure_v2, tmp_path, task):
    stocked(azure_v2).add_datastore("raw")
    azure_v2.add_table("features", "raw", "features.csv", {"id": "int"})
    project = v2_project(tmp_path, REGISTERING + "schedule: {frequency: Day}\n")
    backend = AzureV2Backend(project)
    tasks = {
        "run": lambda: run(project),
        "publish": lambda: list(backend.publish(prune=False, dry=False)),
        "schedule": lambda: backend.schedule(run_now=False, dry=False),
    }

    with pytest.raises(ProjectError) as raised:
        tasks[task]()

    text = str(raised.value)
    assert text.startswith("pipeline.yaml:14: step 'prepare': register_on_complete: v1 has a dataset of this name")
    assert text.endswith("use another name, such as 'features-v2'")
    assert azure_v2.jobs == {}


def test_with_the_sdk_azure_registers_also_after_a_failure_and_a_note_says_so(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path, REGISTERING.replace("{pip_packages: [pandas]}", "{azureml: sdk}"), FAILING)

    notes = [str(note) for note in AzureV2Backend(project).notes()]

    assert any("Azure ML v2 registers 'features' also when the step fails" in note for note in notes)
    with pytest.raises(RunError):
        run(project)
    assert list(registered(azure_v2)) == ["1"]
