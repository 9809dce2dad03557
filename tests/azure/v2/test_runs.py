"""Runs on Azure ML v2, read again."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.errors import RunError, UsageError
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.records import RunFinished, StepFinished, StepOutput
from tests.azure.v2.projects import run, stocked, v2_project


def runs_of(project):
    return AzureV2Backend(project).runs


def test_runs_are_listed_newest_first(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    first = run(project)
    azure_v2.failing["train"] = "no memory"
    with pytest.raises(RunError):
        run(project, force=True)

    found = runs_of(project).list()

    assert [record.status for record in found] == ["failed", "completed"]
    assert found[1].id == first.id
    assert found[1].experiment == "churn"
    assert found[1].started
    assert found[1].finished
    assert runs_of(project).list("another") == []


def test_a_run_is_found_by_how_its_id_begins(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    record = run(project)

    found = runs_of(project).find(record.id[:6])

    assert found.id == record.id
    assert [(step.key, step.status) for step in found.steps] == [("prepare", "completed"), ("train", "completed")]
    with pytest.raises(UsageError, match="has no run 'zzz'"):
        runs_of(project).find("zzz")
    with pytest.raises(UsageError, match="has no run"):
        runs_of(project).find("0" * 36)


def test_without_runs_it_says_how_to_start_one(azure_v2, tmp_path):
    with pytest.raises(RunError, match="no runs in the experiment 'churn' yet"):
        runs_of(v2_project(tmp_path)).find()


def test_metrics_are_those_that_the_job_logged_with_mlflow(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    step = azure_v2.job_runs()["train"]
    from tests.service.routes.mlflow import _log_metric

    for place, value in enumerate((3.5, 2.0, 1.0)):
        _log_metric(step, {"key": "loss", "value": value, "step": place, "timestamp": 1})
    _log_metric(step, {"key": "rows", "value": 7.0, "step": 0, "timestamp": 1})

    found = runs_of(project).find()

    assert found["train"].metrics() == [
        {"name": "loss", "kind": "list", "value": [3.5, 2.0, 1.0]},
        {"name": "rows", "kind": "scalar", "value": 7},
    ]
    assert found["prepare"].metrics() == []


def test_logs_are_those_of_the_steps(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)

    found = {log.step.key: "".join(log.pieces) for log in runs_of(project).logs()}

    assert found == {name: f"Step {name} ran on the stand-in.\n" for name in ("prepare", "train")}
    assert [log.step.key for log in runs_of(project).logs(step="train")] == ["train"]
    with pytest.raises(UsageError, match=r"has no step 'trian'.*did you mean 'train'"):
        list(runs_of(project).logs(step="trian"))


def test_logs_are_followed_to_the_end(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)

    events = list(runs_of(project).follow_logs())

    assert [event.step.key for event in events if isinstance(event, StepOutput)] == ["prepare", "train"]
    assert [event.step.key for event in events if isinstance(event, StepFinished)] == ["prepare", "train"]
    assert isinstance(events[-1], RunFinished)


def test_a_run_is_cancelled(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    project = v2_project(tmp_path)
    record = run(project, wait=False)

    runs_of(project).cancel()

    assert azure_v2.workspace.runs[record.id].status == "Canceled"
    with pytest.raises(RunError, match="has already ended"):
        runs_of(project).cancel(record.id)


@pytest.mark.parametrize("before_effect", [True, False])
def test_a_lost_answer_of_a_cancellation_is_no_failure(azure_v2, tmp_path, before_effect):
    stocked(azure_v2).on_submit = "hold"
    project = v2_project(tmp_path)
    record = run(project, wait=False)
    azure_v2.drop("POST", "/cancel$", before_effect=before_effect)

    runs_of(project).cancel()

    assert azure_v2.workspace.runs[record.id].status == "Canceled"


def test_details_have_the_files_and_the_graph(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    record = run(project)

    runs = runs_of(project)
    details = runs.details(runs.find(record.id), with_logs=True)

    train = next(step for step in details.steps if step.key == "train")
    assert [file.name for file in train.files] == ["outputs/model.txt"]
    assert train.files[0].read(100) == b"model of 3 rows"
    assert train.files[0].read(3) is None
    assert train.log.text == "read 3\n"
    assert train.origin.after == ("prepare",)


LOGGING = """\
from azureml.core import Run

run = Run.get_context()
run.log("loss", 0.5)
run.log("state", "good")
run.log_list("names", ["a", "b"])
run.log_row("score", label="x", auc=0.5)
run.log_row("score", label="y", auc=0.75)
run.log_table("weights (kg)", {"name": ["a", "b", "c"], "value": [1, 2, 3]})
run.tag("owner", "sales")
"""


def test_rows_tables_and_texts_are_metrics_as_they_were_logged(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    text = "environments:\n  env: {pip_packages: [pandas]}\nsteps:\n  train: {script_name: train.py}\n"
    project = v2_project(tmp_path, text, {"train.py": LOGGING})
    record = run(project)

    runs = runs_of(project)
    (step,) = runs.details(runs.find(record.id)).steps

    metrics = Metrics.of(step.metrics)
    assert {series.name: series.values for series in metrics.series} == {
        "loss": (0.5,),
        "state": ("good",),
        "names": ("a", "b"),
    }
    assert {table.name: [*table.rows()] for table in metrics.tables} == {
        "score": [("x", 0.5), ("y", 0.75)],
        "weights (kg)": [("a", 1), ("b", 2), ("c", 3)],
    }
    assert step.tags == {"owner": "sales"}
    assert metrics.values()["score.auc"] == 0.75


def test_children_come_in_pages(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    azure_v2.page_size = 1

    assert [step.key for step in runs_of(project).find().steps] == ["prepare", "train"]


def test_files_are_downloaded_and_output_folders_are_named(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    run(project)
    said: list[str] = []
    runs = runs_of(project)

    found = list(runs.files(runs.find(), "train", said.append))
    found[0].save(tmp_path / "model.txt")

    assert [(file.step, file.name) for file in found] == [
        ("train", "outputs/model.txt"),
        ("train", "user_logs/std_log.txt"),
    ]
    assert (tmp_path / "model.txt").read_bytes() == b"model of 3 rows"
    assert said == ["output folders are not downloaded from Azure ML v2; the files in outputs/ and the logs are"]
    with pytest.raises(UsageError, match="has no step 'x'"):
        list(runs.files(runs.find(), "x", said.append))
