"""Local runs on a tracking server of MLflow: what is there, once, without secrets."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.backend import Exported, RunRequest, Watch
from azml_tasks.errors import ServiceError, UsageError
from azml_tasks.local.backend import LocalRuns
from azml_tasks.local.tracking.client import TrackingClient
from azml_tasks.reading import load_project
from azml_tasks.tasks.project import backend_of
from tests.local.receiver import Received, Receiver, basic, receiving

pytestmark = pytest.mark.processes

PIPELINE = """\
backend: local
experiment_name: rich
pipeline_parameters: {alpha: 0.5}
steps:
  prepare: {script_name: prepare.py, step_config: {rows: 5}}
  train:
    script_name: train.py
    step_config: {lr: 0.5, opt: {name: adam}}
    arguments: {--alpha: "${{ parameters.alpha }}"}
"""
PREPARE = """\
from azureml.core import Run
run = Run.get_context()
run.log("rows", 5)
"""
TRAIN = """\
from azureml.core import Run
run = Run.get_context()
for number in range(1500):
    run.log("loss", 1 / (number + 1))
run.log("accuracy", 0.875)
run.log("lift", 2.0, step=7)
run.log("note", "a text")
run.log("not a: name/../é", float("nan"))
run.log_table("curve", {"x": [0, 1], "y": ["a", None]})
run.tag("family", "tree")
run.tag("long", "x" * 9000)
run.tag("password", "hush-hush")
run.tag("place", "https://me:token-of-mine@example.com/")
for number in range(250):
    run.tag(f"t{number}", number)
open("m.txt", "w").write("model")
run.upload_file("outputs/dir/m é.txt", "m.txt")
run.parent.log("best", 0.875)
run.parent.tag("deploy", "yes")
with run.child_run("fold 1") as fold:
    fold.log("accuracy", 0.5)
    fold.upload_file("fold.txt", "m.txt")
    with fold.child_run("inner") as inner:
        inner.log("z", True)
print("trained with known-secret")
"""


def project(folder: Path) -> Any:
    for name, text in (("pipeline.yaml", PIPELINE), ("prepare.py", PREPARE), ("train.py", TRAIN)):
        (folder / name).write_text(text, encoding="utf-8")
    return load_project(folder / "pipeline.yaml")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> LocalRuns:
    """Return the runs of a project: a complete one, and one that reused it."""
    folder = tmp_path_factory.mktemp("project")
    backend = backend_of(project(folder))
    for _ in range(2):
        backend.run(RunRequest(), Watch())
    return LocalRuns(folder)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def exported(runs: LocalRuns, receiver: Receiver, *, newest: bool = False) -> tuple[list[Exported], list[str]]:
    """Send the first run, or both, and return what was done and said."""
    said: list[str] = []
    records = [*reversed(runs.list())] if newest else [runs.list()[-1]]
    return list(runs.export(records, receiver.address, ["known-secret"], said.append)), said


def test_a_run_has_its_settings_metrics_tags_files_and_steps(runs, receiver):
    (done,), said = exported(runs, receiver)
    record = runs.list()[-1]

    (run,) = receiver.active()
    prepare, train = run.children
    assert (done.run_id, done.is_new, done.steps, done.files, said) == (record.id, True, 2, 5, [])
    assert done.url == f"{receiver.address}/#/experiments/1/runs/{run.info['run_id']}"
    assert receiver.experiments == {"0": "Default", "1": "rich"}
    assert run.params == {
        "prepare.rows": "5",
        "train.lr": "0.5",
        "train.opt.name": "adam",
        "alpha": "0.5",
    }
    assert run.metrics == {"best": [(0, 0.875)]}
    kept = ("deploy", "azml_tasks.run_id", "mlflow.source.name")
    assert {key: run.tags[key] for key in kept} == {
        "deploy": "yes",
        "azml_tasks.run_id": record.id,
        "mlflow.source.name": "invoke run",
    }
    assert (run.info["run_name"], run.info["status"]) == (record.id, "FINISHED")
    assert (run.info["start_time"], run.info["end_time"]) == (
        round(record.started * 1000),
        round(record.finished * 1000),
    )
    assert (prepare.info["run_name"], prepare.params) == ("prepare", {"rows": "5"})
    assert (train.params, train.info["status"]) == ({"lr": "0.5", "opt.name": "adam"}, "FINISHED")
    assert train.info["start_time"] == round(record["train"].started * 1000)


def test_metrics_have_steps_and_everything_fits_the_limits_of_mlflow(runs, receiver):
    exported(runs, receiver)

    ((_, train),) = (run.children for run in receiver.active())
    assert train.metrics["loss"] == [(number, 1 / (number + 1)) for number in range(1500)]
    assert train.metrics["lift"] == [(7, 2.0)]
    assert train.metrics["not a_ name/é"] == [(0, "NaN")]
    assert train.tags["note"] == "a text"
    assert train.tags["t249"] == "249"
    assert (len(train.tags["long"]), train.tags["long"][-3:]) == (5000, "...")
    assert receiver.requests.count("POST /api/2.0/mlflow/runs/log-batch") < 12


def test_files_tables_logs_and_child_runs_are_sent(runs, receiver):
    exported(runs, receiver)

    ((_, train),) = (run.children for run in receiver.active())
    (fold,) = train.children
    (inner,) = fold.children
    assert train.files.pop("log.txt").endswith(b"\ntrained with ***\n")
    assert train.files == {
        "outputs/dir/m é.txt": b"model",
        "tables/curve.json": json.dumps({"columns": ["x", "y"], "data": [[0, "a"], [1, None]]}).encode(),
    }
    assert (fold.info["run_name"], fold.metrics, fold.files) == (
        "fold 1",
        {"accuracy": [(0, 0.5)]},
        {"fold.txt": b"model"},
    )
    assert (inner.info["run_name"], inner.metrics, inner.info["status"]) == ("inner", {"z": [(0, 1.0)]}, "FINISHED")
    assert train.info["start_time"] <= fold.info["start_time"] <= fold.info["end_time"]


def everything(run: Received) -> str:
    return f"{run.params}{run.tags}{run.metrics}{run.files}" + "".join(map(everything, run.children))


def test_no_secret_is_sent(runs, receiver):
    exported(runs, receiver)

    (run,) = receiver.active()
    for secret in ("hush-hush", "token-of-mine", "known-secret"):
        assert secret not in everything(run)
    assert run.children[1].tags["password"] == "***"
    assert run.children[1].tags["place"] == "***"


def test_a_second_export_sends_nothing_again_and_a_reused_step_is_complete(runs, receiver):
    exported(runs, receiver)
    before = len(receiver.runs)

    (first, second), _ = exported(runs, receiver, newest=True)

    assert (first.is_new, second.is_new) == (False, True)
    assert len(receiver.runs) == before + 5
    _, run = receiver.active()
    assert run.children[1].tags["azml_tasks.reused_from"] == runs.list()[-1].id
    assert run.children[1].metrics["accuracy"] == [(0, 0.875)]
    assert run.children[1].files["outputs/dir/m é.txt"] == b"model"


@pytest.mark.parametrize("calls", [0, 1, 2, 5, 9, 14, 20])
def test_what_breaks_off_is_completed_by_the_next_export_and_never_there_twice(runs, receiver, calls):
    receiver.breaks_after = calls
    with pytest.raises(ServiceError, match=r"^http://127\.0\.0\.1:\d+ answered with status 500$"):
        exported(runs, receiver)
    receiver.breaks_after = -1

    exported(runs, receiver)

    (run,) = receiver.active()
    assert run.info["status"] == "FINISHED"
    assert [child.info["run_name"] for child in run.children] == ["prepare", "train"]
    assert len(run.children[1].metrics["loss"]) == 1500


def test_a_server_that_does_not_take_files_gets_the_rest(runs, receiver):
    receiver.artifacts = "s3://bucket/{run}?sig=0123456789abcdefABCDEF"

    (done,), said = exported(runs, receiver)

    assert done.files == 0
    place = f"s3://bucket/{1:032}?sig=***"
    assert said == [f"files are not sent: the server does not take them itself, but has them in {place}"]
    assert receiver.active()[0].children[1].metrics["accuracy"] == [(0, 0.875)]


def test_the_login_is_sent_and_never_shown(runs, receiver, monkeypatch):
    receiver.login = basic("me", "p@ss word")
    place = receiver.address.removeprefix("http://")
    with pytest.raises(ServiceError, match="refused the login") as caught:
        list(runs.export([runs.find()], f"http://me:wrong-one@{place}", (), print))
    assert "wrong-one" not in str(caught.value)

    (done,) = runs.export([runs.find()], f"http://me:p%40ss%20word@{place}/", (), print)
    assert done.url.startswith(f"{receiver.address}/#/")

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "p@ss word")
    (done,) = runs.export([runs.find()], receiver.address, (), print)
    assert not done.is_new
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "t0ken")
    receiver.login = "Bearer t0ken"
    assert list(runs.export([runs.find()], receiver.address, (), print)) == [done]


@pytest.mark.parametrize(
    "uri", ["mlruns", "file:///tmp/x", "sqlite:///x.db", "databricks", "http://", "http://a:b:c/", "azureml://x"]
)
def test_what_is_not_the_address_of_a_server_is_a_sentence(uri):
    with pytest.raises(UsageError, match=r"^--mlflow must be the address of a tracking server"):
        TrackingClient(uri)


def test_a_server_that_is_not_there_or_another_one_is_a_sentence(runs, receiver):
    with pytest.raises(ServiceError, match=r"^http://127\.0\.0\.1:9 cannot be reached: Connection refused$"):
        list(runs.export([runs.find()], "http://me:secret-word@127.0.0.1:9", (), print))
    receiver.answer = lambda *_: []  # type: ignore[assignment]
    with pytest.raises(ServiceError, match=r"does not answer as a tracking server of MLflow does$"):
        exported(runs, receiver)


@pytest.mark.parametrize(
    "answer",
    [{}, {"experiment": 1}, {"experiment": {"experiment_id": None}}, {"runs": {"a": 1}}, {"runs": [{"info": []}]}],
)
def test_an_answer_of_another_form_is_a_sentence(runs, receiver, answer):
    real = receiver.answer

    def answered(method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        is_meant = path == ("runs/search" if "runs" in answer else "experiments/get-by-name")
        return answer if is_meant else real(method, path, values)

    receiver.answer = answered  # type: ignore[assignment]
    with pytest.raises(ServiceError, match=r"does not answer as a tracking server of MLflow does$"):
        exported(runs, receiver)


def test_a_run_that_is_sent_twice_at_once_is_there_once(runs, receiver):
    real = receiver.answer

    def slow(method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        time.sleep(0.005)
        return real(method, path, values)

    receiver.answer = slow  # type: ignore[assignment]
    with ThreadPoolExecutor(3) as pool:
        done = [one for found, _ in pool.map(lambda _: exported(runs, receiver), range(3)) for one in found]

    (run,) = receiver.active()
    assert sorted(one.is_new for one in done) == [False, False, True]
    assert run.info["status"] == "FINISHED"
    assert [child.info["run_name"] for child in run.children] == ["prepare", "train"]


def test_an_experiment_that_another_export_creates_meanwhile_is_used(runs, receiver):
    real = receiver.answer

    def answered(method: str, path: str, values: dict[str, Any]) -> dict[str, Any]:
        if path == "experiments/create":
            real(method, path, values)
            raise ValueError("RESOURCE_ALREADY_EXISTS", "there")
        return real(method, path, values)

    receiver.answer = answered  # type: ignore[assignment]
    (done,), _ = exported(runs, receiver)
    assert done.is_new
