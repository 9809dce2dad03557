"""What a script logs in a job is in the job's run."""

from __future__ import annotations

import json
import os

import pytest

HEAD = """
from azureml.core import Run

run = Run.get_context()
"""


def test_numbers_are_metrics_with_their_steps(job, server):
    done = job(
        HEAD
        + """
run.log("rows", 3)
run.log("loss", 0.5)
run.log("loss", 0.25)
run.log("late", 1.5, step=7)
run.log("done", True)
run.log_list("list", [1, 2.5, 4])
run.log("nothing", float("nan"))
run.log("endless", float("-inf"))
run.log_row("row", x=1, y=2.5)
run.log_row("row", x=3, y=4.5)
run.log_table("table", {"a": [1, 2], "b": [3, 4]})
"""
    ).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    metrics = dict(server.step.metrics)
    assert str(metrics.pop("nothing")) == "[(0, nan)]"
    assert metrics == {
        "rows": [(0, 3.0)],
        "loss": [(0, 0.5), (1, 0.25)],
        "late": [(7, 1.5)],
        "done": [(0, 1.0)],
        "list": [(0, 1.0), (1, 2.5), (2, 4.0)],
        "endless": [(0, float("-inf"))],
        "row.x": [(0, 1.0), (1, 3.0)],
        "row.y": [(0, 2.5), (1, 4.5)],
        "table.a": [(0, 1.0), (1, 2.0)],
        "table.b": [(0, 3.0), (1, 4.0)],
    }


def test_texts_and_tags_are_tags(job, server):
    done = job(
        HEAD
        + """
run.log("state", "good")
run.log_list("names", ["a", "b"])
run.log_row("row", label="x", size=1)
run.tag("owner", "sales")
run.set_tags({"stage": "dev", "gone": "1"})
run.add_properties({"kind": "forest"})
import time
time.sleep(2.5)
run.remove_tags("gone")
"""
    ).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert server.step.tags == {
        "state": "good",
        "names": json.dumps(["a", "b"]),
        "row.label": "x",
        "owner": "sales",
        "stage": "dev",
        "kind": "forest",
        "azml_tasks.metrics": json.dumps({"state": None, "names": None, "row": ["label", "size"]}),
    }
    assert server.step.metrics == {"row.size": [(0, 1.0)]}


def test_the_parent_is_the_pipeline_s_job_and_children_are_runs_of_their_own(job, server):
    done = job(
        HEAD
        + """
print(run.id, run.parent.id, run.experiment.name, run.experiment.workspace.name)
run.parent.log("total", 5)
run.parent.tag("by", "train")
child = run.child_run("fold")
child.log("loss", 0.5)
child.log_list("x", [1, 2])
child.fail("no")
for number, one in enumerate(run.create_children(2)):
    one.log("number", number)
"""
    ).run(server)

    assert (done.stdout, done.stderr) == ("step root churn churn-ws\n", "")
    assert (server.runs["root"].metrics, server.runs["root"].tags) == ({"total": [(0, 5.0)]}, {"by": "train"})
    fold = server.children["fold"]
    assert (fold.metrics, fold.status) == ({"loss": [(0, 0.5)], "x": [(0, 1.0), (1, 2.0)]}, "FAILED")
    others = [run for name, run in server.children.items() if name != "fold"]
    assert [run.metrics for run in others] == [{"number": [(0, 0.0)]}, {"number": [(0, 1.0)]}]
    assert {run.status for run in others} == {"FINISHED"}


def test_files_that_are_uploaded_and_logged_are_in_outputs(job, server):
    made = job(
        HEAD
        + """
import os
open("model.bin", "w").write("model")
run.upload_file("model/model.bin", "model.bin")
open("outputs/same.txt", "w").write("same")
run.upload_file("outputs/same.txt", "outputs/same.txt")
run.log_confusion_matrix("matrix", {"schema_type": "confusion_matrix"})
open("logs/own.txt", "w").write("log")
open("plot.png", "wb").write(b"\\x89PNG\\r\\n\\x1a\\n")
run.log_image("plot", path="plot.png")
run.child_run("fold").upload_file("x.txt", "model.bin")
print(sorted(run.get_file_names()))
"""
    )

    done = made.run(server)

    assert (done.returncode, done.stderr) == (0, "")
    there = {
        str(path.relative_to(made.folder)): path.read_text()
        for name in ("outputs", "logs")
        for path in (made.folder / name).rglob("*")
        if path.is_file() and path.suffix != ".png"
    }
    assert there == {
        "outputs/model/model.bin": "model",
        "outputs/same.txt": "same",
        "outputs/matrix": '{"schema_type": "confusion_matrix"}',
        "outputs/children/1/x.txt": "model",
        "logs/own.txt": "log",
    }
    assert (made.folder / "outputs/plot.png").read_bytes().startswith(b"\x89PNG")


def test_models_are_registered_from_the_files_of_the_job(job, server):
    made = job(
        HEAD
        + """
from azureml.core import Model
import os
os.makedirs("net")
open("net/a.bin", "w").write("a")
open("forest.pkl", "w").write("forest")
Model.register(run.experiment.workspace, "net", "net", tags={"kind": "net"}, description="Large")
run.upload_file("outputs/forest.pkl", "forest.pkl")
model = run.register_model("forest", "outputs/forest.pkl", properties={"depth": "3"})
Model.register(run.experiment.workspace, "forest.pkl", "forest")
print(Model(run.experiment.workspace, "forest").version)
"""
    )

    done = made.run(server)

    assert done.stdout.splitlines()[-1] == "2"
    assert done.stderr.splitlines() == [
        "azml-tasks: model 'forest' is registered as version 1",
        "azml-tasks: model 'forest' is registered as version 2",
        "azml-tasks: model 'net' is registered as version 1",
    ]
    base = "azureml://region/mlflow/v2.0/experiments/7/runs/step/artifacts/outputs/models"
    assert [(model["name"], model["source"], model["tags"]) for model in server.models] == [
        ("forest", f"{base}/forest/1/forest.pkl", [{"key": "depth", "value": "3"}]),
        ("forest", f"{base}/forest/2/forest.pkl", []),
        ("net", f"{base}/net/1/net", [{"key": "kind", "value": "net"}]),
    ]
    assert (made.folder / "outputs/models/net/1/net/a.bin").read_text() == "a"


def test_names_that_mlflow_does_not_take_are_changed_and_said(job, server):
    done = job(HEAD + 'run.log("f1@5", 1)\nrun.log("f1@5", 2)\nrun.tag("a:b", "x" * 6000)\n').run(server)

    assert server.step.metrics == {"f1_5": [(0, 1.0), (1, 2.0)]}
    assert server.step.tags == {"a_b": "x" * 5000}
    assert sorted(done.stderr.splitlines()) == [
        "azml-tasks: 'a:b' is recorded as 'a_b', a name that MLflow accepts",
        "azml-tasks: 'f1@5' is recorded as 'f1_5', a name that MLflow accepts",
        "azml-tasks: the text 'a_b' is cut off after 5,000 characters",
    ]


def test_as_many_texts_as_a_tag_can_hold_are_recorded(job, server):
    done = job(HEAD + 'for n in range(5000):\n    run.log("state", "x" * 100)\nrun.log("none", None)\n').run(server)

    assert json.loads(server.step.tags["state"]) == ["x" * 100] * 48
    assert server.step.tags["none"] == ""
    assert done.stderr == "azml-tasks: only the first 48 texts of 'state' are recorded\n"


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no other disk")
def test_files_on_another_disk_are_copied_while_the_script_runs(job, server):
    script = """
import os, time
open("model.bin", "w").write("model")
run.upload_file("model.bin", "model.bin")
ends = time.monotonic() + 60
while not os.path.exists("outputs/model.bin") and time.monotonic() < ends:
    time.sleep(0.1)
print(open("outputs/model.bin").read())
run.upload_file("late.bin", "model.bin")
"""
    made = job(HEAD + script)

    done = made.run(server, TMPDIR="/dev/shm")

    assert (done.returncode, done.stdout, done.stderr) == (0, "model\n", "")
    assert (made.folder / "outputs/late.bin").read_text() == "model"


def test_what_the_script_writes_to_outputs_itself_is_not_overwritten(job, server):
    made = job(
        HEAD
        + """
open("mine.txt", "w").write("uploaded")
open("outputs/mine.txt", "w").write("written")
run.upload_file("mine.txt", "mine.txt")
"""
    )

    done = made.run(server)

    assert (made.folder / "outputs/mine.txt").read_text() == "written"
    assert done.stderr == (
        "azml-tasks: outputs/mine.txt is not what the script uploaded by this name; the file in outputs/ is kept\n"
    )


def test_what_is_logged_arrives_while_the_script_runs(job, server):
    import time

    process = job(HEAD + 'import time\nrun.log("early", 1)\nprint("x", flush=True)\ntime.sleep(60)\n').start(server)
    try:
        assert process.stdout.readline() == "x\n"
        ends = time.monotonic() + 20
        while not server.step.metrics and time.monotonic() < ends:
            time.sleep(0.05)
        assert server.step.metrics == {"early": [(0, 1.0)]}
    finally:
        process.terminate()
        process.communicate()


@pytest.mark.parametrize("count", [1, 10_000])
def test_many_values_arrive_in_few_requests(count, job, server):
    script = f"""
for number in range({count}):
    run.log("loss", number / 2)
for number in range(1500):
    run.log(f"metric {{number % 40}}", number)
run.set_tags({{f"tag {{number}}": number for number in range(250)}})
"""
    done = job(HEAD + script).run(server)

    assert (done.returncode, done.stderr) == (0, "")
    assert server.step.metrics.pop("loss") == [(step, step / 2) for step in range(count)]
    assert {name: len(values) for name, values in server.step.metrics.items()} == {
        f"metric {number}": 38 if number < 20 else 37 for number in range(40)
    }
    assert len(server.step.tags) == 250
    assert len(server.requests) <= 12 + count // 250
