"""Pipelines by the real SDK: built, submitted, watched, cancelled, reused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .example import SCRIPTS, build_pipeline, open_workspace, prepare_workspace
from .graphs import FromDataset, FromStep, ParameterOf, ToOutput
from .service import Service


@pytest.fixture
def ws(azure: Service) -> Any:
    prepare_workspace(azure)
    ws = open_workspace()
    azure.requests.clear()
    return ws


def submit(ws: Any, pipeline: Any, **more: Any) -> Any:
    from azureml.core import Experiment

    return Experiment(ws, "churn").submit(pipeline, **more)


def test_a_submitted_pipeline_finishes(azure: Service, ws: Any, tmp_path: Path) -> None:
    run = submit(ws, build_pipeline(ws, tmp_path, shared=True), tags={"owner": "me"})
    assert run.wait_for_completion(show_output=False) == "Finished"
    assert [(step.name, step.get_status()) for step in run.get_steps()] == [
        ("prepare", "Finished"),
        ("train", "Finished"),
        ("evaluate", "Finished"),
    ]
    step = run.find_step_run("train")[0]
    assert step.get_stdout_log() == "Step train ran on the stand-in.\n"
    assert list(step.get_details()["logFiles"]) == ["user_logs/std_log.txt"]
    assert run.get_tags() == {"owner": "me"}
    assert azure.runs[run.id].status == "Completed"


def test_the_service_understands_the_graph_so(azure: Service, ws: Any, tmp_path: Path) -> None:
    submit(ws, build_pipeline(ws, tmp_path), pipeline_parameters={"alpha": 0.7})
    assert azure.submitted[-1].parameters == {"alpha": "0.7"}
    steps = azure.steps()
    assert list(steps) == ["prepare", "train", "evaluate"]
    prepared = FromStep("prepare", "prepare_output_folder", "train_input_folder")
    assert {name: step.arguments for name, step in steps.items()} == {
        "prepare": (
            "--config",
            '{"min_age": 35}',
            "--new-data",
            FromDataset("customers", 1, "customers"),
            "--output-folder",
            ToOutput("prepare_output_folder"),
        ),
        "train": (
            "--alpha",
            ParameterOf("alpha"),
            "--input-folder",
            prepared,
            "--output-folder",
            ToOutput("train_output_folder", "churn_blob", "models/{run-id}"),
        ),
        "evaluate": ("--input-folder", FromStep("train", "train_output_folder", "evaluate_input_folder")),
    }
    train = steps["train"]
    assert (train.script, train.target, train.upstream, train.run_after, train.allow_reuse) == (
        "train.py",
        "cpu-cluster",
        ("prepare",),
        (),
        True,
    )
    assert train.inputs == {"train_input_folder": prepared}
    assert train.files == {"train.py": SCRIPTS["train"].encode()}
    assert train.environment == ("churn-env", "1")


def test_the_second_run_reuses_every_step_and_sends_no_file(azure: Service, ws: Any, tmp_path: Path) -> None:
    first = submit(ws, build_pipeline(ws, tmp_path / "a"))
    azure.requests.clear()
    second = submit(ws, build_pipeline(ws, tmp_path / "b"))
    assert azure.requests.matching("PUT", "blob").counts() == {}
    assert azure.requests.counts()["modules.get_module_by_hash"] == 3
    assert {step.name: step.properties["azureml.reusedrunid"] for step in second.get_steps()} == {
        step.name: step.id for step in first.get_steps()
    }
    third = submit(ws, build_pipeline(ws, tmp_path / "c"), pipeline_parameters={"alpha": 0.9})
    assert {step.name: "azureml.reusedrunid" in step.properties for step in third.get_steps()} == {
        "prepare": True,
        "train": False,
        "evaluate": False,
    }
    fourth = submit(ws, build_pipeline(ws, tmp_path / "d"), regenerate_outputs=True)
    assert ["azureml.reusedrunid" in step.properties for step in fourth.get_steps()] == [False] * 3


def test_a_step_that_fails_stops_the_pipeline(azure: Service, ws: Any, tmp_path: Path) -> None:
    from azureml.exceptions import ActivityFailedException

    azure.failing["train"] = "No space left on device"
    run = submit(ws, build_pipeline(ws, tmp_path, shared=True))
    with pytest.raises(ActivityFailedException, match="Pipeline has some failed steps"):
        run.wait_for_completion(show_output=False)
    assert {name: step.status for name, step in azure.step_runs().items()} == {
        "prepare": "Completed",
        "train": "Failed",
    }
    assert run.find_step_run("train")[0].get_details()["error"]["error"]["message"] == "No space left on device"


def test_a_held_pipeline_continues_on_request_and_can_be_cancelled(azure: Service, ws: Any, tmp_path: Path) -> None:
    azure.on_submit = "hold"
    run = submit(ws, build_pipeline(ws, tmp_path, shared=True))
    assert [(step.name, step.get_status()) for step in run.get_steps()] == [("prepare", "Running")]
    azure.end_step("prepare", log=b"prepared\n")
    assert [(step.name, step.get_status()) for step in run.get_steps()] == [
        ("prepare", "Finished"),
        ("train", "Running"),
    ]
    run.cancel()
    assert run.get_status() == "Canceled"
    assert {name: step.status for name, step in azure.step_runs().items()} == {
        "prepare": "Completed",
        "train": "Canceled",
    }


def test_a_graph_for_a_compute_that_is_not_there_is_refused(azure: Service, ws: Any, tmp_path: Path) -> None:
    from azureml.pipeline.core._restclients.aeva.models import ErrorResponseException

    pipeline = build_pipeline(ws, tmp_path, shared=True)
    del azure.computes["cpu-cluster"]
    with pytest.raises(ErrorResponseException):
        submit(ws, pipeline)
    refused = azure.requests.matching("POST", "CreationInfoWithGraph")
    assert [record.status for record in refused] == [400]
