"""What `plan` predicts of a run on Azure ML v2, and what happens then; computes that do not exist."""

from __future__ import annotations

import pytest

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import RunRequest
from tests.azure.v2.projects import SCRIPTS, TWO_STEPS, add_data, run, stocked, v2_project

NAMED = """\
environments: {env: {pip_packages: [pandas]}}
steps:
  a: {script_name: a.py, input_datasets: {--data: customers}}
publish: {name: churn}
schedule: {frequency: Day}
"""


def forecast(project, **request):
    found = AzureV2Backend(project).forecast(RunRequest(**request))
    return [(step.key, step.verdict, str(step.reason)) for step in found.steps], found.notes


def verdicts(project, **request):
    return [(key, verdict) for key, verdict, _ in forecast(project, **request)[0]]


def test_without_a_run_nothing_is_known_and_nothing_asked(azure_v2, tmp_path):
    steps, notes = forecast(v2_project(tmp_path))

    assert [(key, verdict) for key, verdict, _ in steps] == [("prepare", "may run"), ("train", "may run")]
    assert notes == ("no run has been sent from this folder yet; Azure ML reuses steps that were sent from elsewhere",)
    assert len(azure_v2.requests) == 0


def test_an_unchanged_run_is_reused_as_predicted(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    first = run(project)

    steps, notes = forecast(project)

    assert [(key, verdict) for key, verdict, _ in steps] == [("prepare", "reused"), ("train", "reused")]
    assert notes[0].startswith(f"forecast from what was last sent from this folder: run {first.id}")
    assert [step.status for step in run(project).steps] == ["reused", "reused"]
    assert verdicts(project) == [("prepare", "reused"), ("train", "reused")]
    assert verdicts(project, force=True) == [("prepare", "runs"), ("train", "runs")]


@pytest.mark.parametrize(
    ("old", "new", "script", "expected", "reason"),
    [
        ("rows: 3", "rows: 4", "", ("runs", "runs"), "rows 3 -> 4"),
        ("[pandas]", "[pandas, numpy]", "", ("runs", "runs"), "numpy"),
        ("", "", "train.py", ("reused", "runs"), "train.py"),
        (
            "script_name: train.py",
            "script_name: train.py, environment_variables: {A: b}",
            "",
            ("reused", "runs"),
            "variable A",
        ),
    ],
)
def test_a_change_is_predicted_with_its_reason(azure_v2, tmp_path, old, new, script, expected, reason):
    stocked(azure_v2)
    run(v2_project(tmp_path))
    scripts = {**SCRIPTS, **({script: SCRIPTS[script] + "print(2)\n"} if script else {})}
    project = v2_project(tmp_path, TWO_STEPS.replace(old, new) if old else TWO_STEPS, scripts)

    steps, _ = forecast(project)

    assert tuple(verdict for _, verdict, _ in steps) == expected
    assert reason in next(text for _, verdict, text in steps if verdict == "runs")
    ended = {"completed": "runs", "reused": "reused"}
    assert tuple(ended[step.status] for step in run(project).steps) == expected


def test_a_dataset_in_another_place_is_predicted(azure_v2, tmp_path):
    stocked(azure_v2).add_datastore("raw")
    text = NAMED + (
        "datastores: {raw: {container_name: raw, account_name: churnstore}}\n"
        "datasets: {customers: {datastore_name: raw, path: a.csv}}\n"
    )
    run(v2_project(tmp_path, text, {"a.py": "print(1)\n"}))

    ((_, verdict, reason),), _ = forecast(v2_project(tmp_path, text.replace("a.csv", "b.csv"), {"a.py": "print(1)\n"}))

    assert verdict == "runs"
    assert "dataset customers raw/a.csv -> raw/b.csv" in reason


def test_a_new_version_of_a_dataset_that_is_only_named_is_predicted_and_the_schedule_drifts(azure_v2, tmp_path):
    add_data(stocked(azure_v2), "customers")
    project = v2_project(tmp_path, NAMED, {"a.py": "print(1)\n"})
    run(project)
    backend = AzureV2Backend(project)
    _, made = backend.schedule(run_now=False, dry=False)
    add_data(azure_v2, "customers")

    ((_, verdict, reason),), _ = forecast(project)
    _, drift = backend.schedule(run_now=False, dry=True)
    _, again = backend.schedule(run_now=False, dry=False)

    assert made.notes == ("it keeps these versions until `invoke schedule` is run again: customers:1, env:1",)
    assert (verdict, "dataset customers version 1 -> 2" in reason) == ("runs", True)
    assert str(drift) == "schedule churn: would be updated: datasets customers:1 -> customers:2"
    assert str(again) == "schedule churn: updated: datasets customers:1 -> customers:2"
    sent = azure_v2.schedules_v2["churn"]["action"]["jobDefinition"]["inputs"]["customers"]
    assert sent["uri"].endswith("customers/versions/2") or sent["uri"].endswith("customers:2")


def test_a_dataset_that_is_nowhere_is_named_before_anything_is_sent(azure_v2, tmp_path):
    add_data(stocked(azure_v2), "customer")

    with pytest.raises(MissingError, match=r"no dataset 'customers' in the workspace .*; did you mean 'customer'"):
        run(v2_project(tmp_path, NAMED, {"a.py": "print(1)\n"}))

    assert azure_v2.jobs == {}


def test_a_compute_that_does_not_exist_is_named_before_anything_is_sent(azure_v2, tmp_path):
    azure_v2.add_compute("cpus")

    with pytest.raises(MissingError, match="the workspace 'churn-ws' has no compute 'cpu'; did you mean 'cpus'"):
        run(v2_project(tmp_path))

    assert [record for record in azure_v2.requests.matching("PUT") if "/components/" in record.path] == []


def test_a_declared_compute_that_does_not_exist_names_the_command_that_creates_it(azure_v2, tmp_path):
    text = TWO_STEPS + "computes: {cpu: {vm_size: STANDARD_D4DS_V4}}\nschedule: {frequency: Day}\n"

    for task in (
        run,
        lambda project: AzureV2Backend(project).schedule(run_now=False, dry=False),
    ):
        with pytest.raises(MissingError, match="has no compute 'cpu'; create it with `invoke register-compute`"):
            task(v2_project(tmp_path, text))


def test_a_plan_for_a_new_workspace_has_no_errors(azure_v2, tmp_path):
    text = NAMED.replace("{pip_packages: [pandas]}", "{azureml: sdk}") + (
        "computes: {cpu: {vm_size: STANDARD_D4DS_V4}}\n"
        "datastores: {raw: {container_name: raw, account_name: churnstore}}\n"
        "datasets: {customers: {datastore_name: raw, path: a.csv}}\n"
    )

    _, done = AzureV2Backend(v2_project(tmp_path, text, {"a.py": "print(1)\n"})).schedule(run_now=False, dry=True)

    assert str(done) == "schedule churn: would be created"
    assert done.notes == ("it keeps these versions until `invoke schedule` is run again: customers:new, env:new",)


def test_a_compute_of_an_earlier_run_is_not_asked_for_again(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    azure_v2.requests.clear()

    run(project)

    assert list(azure_v2.requests.matching(path="/computes/")) == []
    del azure_v2.workspace.computes["cpu"]
    with pytest.raises(MissingError, match="has no compute 'cpu'"):
        run(project)
