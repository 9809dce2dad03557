"""Scripts that really run from their snapshot, with the real SDK's `Run.get_context()` in them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .example import build_pipeline, open_workspace, prepare_workspace
from .service import Service


@pytest.fixture
def ws(azure: Service) -> Any:
    prepare_workspace(azure)
    return open_workspace()


def submit(ws: Any, pipeline: Any, **more: Any) -> Any:
    from azureml.core import Experiment

    return Experiment(ws, "churn").submit(pipeline, **more)


def test_the_example_runs_and_leaves_metrics_logs_and_outputs(azure: Service, ws: Any, tmp_path: Path) -> None:
    azure.on_submit = "execute"
    run = submit(ws, build_pipeline(ws, tmp_path), pipeline_parameters={"alpha": 0.7})
    assert run.wait_for_completion(show_output=False) == "Finished", _logs(azure)
    steps = azure.step_runs()
    assert {name: {m: metric.values for m, metric in step.metrics.items()} for name, step in steps.items()} == {
        "prepare": {"rows": [2]},
        "train": {"mean": [45.0]},
        "evaluate": {"score": [0.0, 0.7, 1.4], "ages": [1, 2]},
    }
    assert azure.runs[run.id].metrics["score"].values == [45.0]
    assert azure.artifacts(steps["prepare"])["user_logs/std_log.txt"].decode().endswith("prepared 2 rows\n")
    model = {"alpha": 0.7, "mean": 45.0}
    assert json.loads(azure.artifacts(steps["train"])["outputs/model.json"]) == model
    assert json.loads(azure.blob("churnstore", "raw", f"models/{steps['train'].id}/model.json")) == model
    assert steps["evaluate"].tags["stage"] == "evaluated"
    assert run.find_step_run("evaluate")[0].get_metrics() == {"score": [0.0, 0.7, 1.4], "ages": [1, 2]}


def test_a_script_that_fails_fails_its_step(azure: Service, ws: Any, tmp_path: Path) -> None:
    pipeline = build_pipeline(ws, tmp_path)
    (tmp_path / "prepare" / "prepare.py").write_text("print('to here')\nraise SystemExit(3)\n")
    azure.on_submit = "execute"
    run = submit(ws, pipeline)
    assert run.wait_for_completion(show_output=False, raise_on_error=False) == "Failed"
    step = run.get_steps().__next__()
    assert (step.name, step.get_status(), step.get_stdout_log()) == ("prepare", "Failed", "to here\n")
    assert "exited with status code 3" in step.get_details()["error"]["error"]["message"]


def _logs(azure: Service) -> str:
    return "\n".join(str(azure.artifacts(step)) for step in azure.step_runs().values())


WRITE = """\
import argparse, os, shutil
from azureml.core import Run

parser = argparse.ArgumentParser()
parser.add_argument("--files")
parser.add_argument("--copied")
parser.add_argument("folder")
args = parser.parse_args()
run = Run.get_context()
assert run.input_datasets["files"] == args.files
assert run.output_datasets["written"] == args.folder
assert os.environ["AZUREML_DATAREFERENCE_written"] == args.folder
with open(os.path.join(args.folder, "table.csv"), "w") as file:
    file.write("name;size\\n")
    for name in sorted(os.listdir(args.files)):
        file.write(name + ";" + str(os.path.getsize(os.path.join(args.files, name))) + "\\n")
shutil.copy(os.path.join(args.copied, "a.txt"), args.folder + "/../copy.txt")
"""

READ = """\
import os
from azureml.core import Run

run = Run.get_context()
frame = run.input_datasets["table"].to_pandas_dataframe()
run.log_table("sizes", {name: list(frame[name]) for name in frame})
run.log("colour", os.environ["COLOUR"])
run.upload_file("outputs/extra.txt", __file__)
"""


def test_tables_mounts_and_registered_outputs(azure: Service, ws: Any, tmp_path: Path) -> None:
    from azureml.core import Dataset, Environment, RunConfiguration
    from azureml.data import OutputFileDatasetConfig
    from azureml.pipeline.core import Pipeline
    from azureml.pipeline.steps import PythonScriptStep

    for name, content in {"a.txt": b"a", "b.txt": b"bbb"}.items():
        azure.put_blob("churnstore", "raw", f"folder/{name}", content)
    azure.add_files("files", "churn_blob", "folder")
    (tmp_path / "write.py").write_text(WRITE)
    (tmp_path / "read.py").write_text(READ)
    settings = RunConfiguration()
    settings.environment = Environment.get(ws, "churn-env")
    settings.environment_variables = {"COLOUR": "blue"}
    files = Dataset.get_by_name(ws, "files")
    written = OutputFileDatasetConfig(name="written").register_on_complete("written_files")
    place = {"source_directory": str(tmp_path), "compute_target": "cpu-cluster", "runconfig": settings}
    write = PythonScriptStep(
        name="write",
        script_name="write.py",
        arguments=[
            "--files",
            files.as_named_input("files").as_mount(),
            "--copied",
            files.as_named_input("copied").as_download(),
            written,
        ],
        **place,
    )
    table = written.read_delimited_files(separator=";").as_input("table")
    read = PythonScriptStep(name="read", script_name="read.py", inputs=[table], **place)
    azure.on_submit = "execute"
    run = submit(ws, Pipeline(ws, steps=[write, read]))
    assert run.wait_for_completion(show_output=False, raise_on_error=False) == "Finished", _logs(azure)
    record = azure.step_runs()["read"]
    assert record.metrics["sizes"].values == [{"name": "a.txt", "size": "1"}, {"name": "b.txt", "size": "3"}]
    assert record.metrics["colour"].values == ["blue"]
    assert azure.artifacts(record)["outputs/extra.txt"].decode() == READ
    assert Dataset.get_by_name(ws, "written_files").to_path() == ["/table.csv"]


def test_a_cancelled_pipeline_stops_its_script(azure: Service, ws: Any, tmp_path: Path) -> None:
    pipeline = build_pipeline(ws, tmp_path)
    (tmp_path / "prepare" / "prepare.py").write_text("import time\nprint('started')\ntime.sleep(60)\n")
    azure.on_submit = "execute"
    run = submit(ws, pipeline)
    run.cancel()
    azure.settle()
    assert run.get_status() == "Canceled"
    assert {name: step.status for name, step in azure.step_runs().items()} in ({}, {"prepare": "Canceled"})
