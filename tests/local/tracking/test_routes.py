"""Each call that MLflow makes, as MLflow 2 and 3 send it, and what is then in the step's record."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import url2pathname

import pytest

from azml_tasks.local.store.files import read_json, read_lines, write_json
from azml_tasks.local.store.records import LocalStepRecord
from azml_tasks.local.tracking.server import TrackingServer
from azml_tasks.local.tracking.step import StepTracking
from tests.local.tracking.steps import STARTED, Client, step_in

HERE = Path(__file__).parent
RUN = "run_train"


def record_of(step: StepTracking) -> LocalStepRecord:
    return LocalStepRecord("train", places=step.places)


def send_recorded(client: Client, version: str) -> list[Any]:
    """Send what this MLflow sends for tests/mlflow/calls.py, and return the answers."""
    answers, models = [], []
    for method, path, values in json.loads((HERE / f"requests-{version}.json").read_text(encoding="utf-8")):
        text = json.dumps([path, values])
        for number, model in enumerate(models):
            text = text.replace(f"MODEL{number}", model)
        sent_path, sent = json.loads(text)
        status, answer = client.send(method, sent_path, sent)
        assert status == 200, (method, sent_path, answer)
        if sent_path.endswith("/logged-models"):
            models.append(answer["model"]["info"]["model_id"])
        answers.append((sent_path, answer))
    return answers


@pytest.mark.parametrize("version", ["2", "3"])
def test_what_mlflow_sends_for_a_script_becomes_the_step_s_record(client: Client, step: StepTracking, version: str):
    answers = send_recorded(client, version)

    record = record_of(step)
    assert record.parameters() == {"lr": "0.1", "epochs": "3", "note": "zwölf"}
    assert [(line["name"], line["value"], line["step"]) for line in record.metrics()] == [
        ("loss", 0.5, 1),
        ("nothing", "NaN", 0),
        ("precision", 0.25, 2),
        ("recall", "Infinity", 2),
        ("batch", 1.0, 7),
    ]
    tags = record.recorded_tags()
    assert {name: tag for name, tag in tags.items() if not name.startswith("mlflow.")} == {
        "stage": "proof",
        "team": "a",
    }
    child, further = record.children()
    assert (child.name, [(line["name"], line["value"]) for line in child.metrics]) == ("train>child", [("score", 0.75)])
    assert further.name == "train>run-2"
    found = [answer["runs"] for path, answer in answers if path.endswith("runs/search")]
    assert [run["info"]["run_name"] for run in found[0]] == ["child"]


def test_metrics_have_their_steps_and_times_to_the_millisecond(client: Client, step: StepTracking):
    for number, value in enumerate((0.5, "NaN", "-Infinity", 1e300)):
        client.call("runs/log-metric", run_id=RUN, key="loss", value=value, timestamp=1_700_000_000_123, step=number)

    assert record_of(step).metrics()[0] == {
        "name": "loss",
        "kind": "scalar",
        "value": 0.5,
        "type": "double",
        "time": "2023-11-14T22:13:20.123000Z",
        "step": 0,
    }
    history = client.call("metrics/get-history", run_id=RUN, metric_key="loss")["metrics"]
    assert [(one["value"], one["timestamp"], one["step"]) for one in history] == [
        (0.5, 1_700_000_000_123, 0),
        ("NaN", 1_700_000_000_123, 1),
        ("-Infinity", 1_700_000_000_123, 2),
        (1e300, 1_700_000_000_123, 3),
    ]
    pages = client.call("metrics/get-history", run_id=RUN, metric_key="loss", max_results=3)
    assert (len(pages["metrics"]), pages["next_page_token"]) == (3, "3")


def test_the_latest_value_of_a_metric_is_that_of_the_highest_step(client: Client):
    for step, value in ((1, 0.5), (3, 0.25), (2, 0.75)):
        client.call("runs/log-metric", run_id=RUN, key="loss", value=value, timestamp=5, step=step)

    run = client.call("runs/get", run_id=RUN)["run"]
    assert [(metric["key"], metric["value"]) for metric in run["data"]["metrics"]] == [("loss", 0.25)]


def test_what_run_log_records_is_a_metric_too_and_in_one_file_with_mlflow_s(client: Client, step: StepTracking):
    with (step.places.root / "metrics.jsonl").open("w") as file:
        file.write('{"name": "rows", "kind": "scalar", "value": 3, "type": "int"}\n{"name": "te')
    client.call("runs/log-metric", run_id=RUN, key="loss", value=0.5, timestamp=5)

    assert [line["name"] for line in record_of(step).metrics()] == ["rows", "loss"]
    run = client.call("runs/get", run_id=RUN)["run"]
    assert {metric["key"]: metric["value"] for metric in run["data"]["metrics"]} == {"rows": 3.0, "loss": 0.5}


def test_a_parameter_does_not_change_and_mlflow_s_own_message_says_so(client: Client, step: StepTracking):
    client.call("runs/log-parameter", run_id=RUN, key="lr", value="0.1")
    client.call("runs/log-parameter", run_id=RUN, key="lr", value="0.1")
    params = [{"key": "new", "value": "1"}, {"key": "lr", "value": "0.3"}]

    assert client.send("POST", "/api/2.0/mlflow/runs/log-parameter", {"run_id": RUN, "key": "lr", "value": "0.2"}) == (
        400,
        {
            "error_code": "INVALID_PARAMETER_VALUE",
            "message": "Changing param values is not allowed. Param with key='lr' was already logged with value='0.1' "
            "for run ID='run_train'. Attempted logging new value '0.2'.",
        },
    )
    status, answer = client.send("POST", "/api/2.0/mlflow/runs/log-batch", {"run_id": RUN, "params": params})
    assert (status, answer["message"]) == (
        400,
        "Changing param values is not allowed. Params were already logged='[{'key': 'lr', 'old_value': '0.1', "
        "'new_value': '0.3'}]' for run ID='run_train'.",
    )
    assert record_of(step).parameters() == {"lr": "0.1"}


def test_a_tag_can_be_set_again_and_deleted(client: Client, step: StepTracking):
    client.call("runs/set-tag", run_id=RUN, key="stage", value="one")
    client.call("runs/set-tag", run_id=RUN, key="stage", value="two")
    client.call("runs/set-tag", run_id=RUN, key="gone", value="")
    client.call("runs/delete-tag", run_id=RUN, key="gone")

    assert record_of(step).recorded_tags() == {"stage": "two"}
    status, answer = client.send("POST", "/api/2.0/mlflow/runs/delete-tag", {"run_id": RUN, "key": "gone"})
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_the_end_of_the_step_s_own_run_is_ignored(client: Client, step: StepTracking):
    answer = client.call("runs/update", run_id=RUN, status="FAILED", end_time=5)

    assert answer["run_info"]["status"] == "RUNNING"
    run = client.call("runs/get", run_id=RUN)["run"]
    assert run["info"]["start_time"] == STARTED * 1000
    assert "end_time" not in run["info"]
    assert not (step.places.root / "status.json").exists()


def test_a_second_run_is_a_child_and_a_nested_one_is_below_its_own(client: Client, step: StepTracking):
    tags = [{"key": "mlflow.runName", "value": "second"}]
    second = client.call("runs/create", experiment_id="0", start_time=7, tags=tags)["run"]["info"]
    above = [{"key": "mlflow.parentRunId", "value": second["run_id"]}]
    nested = client.call("runs/create", experiment_id="0", run_name="nested", start_time=8, tags=above)["run"]["info"]
    client.call("runs/update", run_id=nested["run_id"], status="FAILED", end_time=1_700_000_000_000)

    assert [child.name for child in record_of(step).children()] == ["train>second", "train>second>nested"]
    info = client.call("runs/get", run_id=nested["run_id"])["run"]["info"]
    assert (info["status"], info["start_time"], info["end_time"]) == ("FAILED", 8, 1_700_000_000_000)
    # As the stand-in for azureml reads it.
    folder = step.places.root / "children" / "1" / "children" / "1"
    assert (read_json(folder / "run.json") or {})["name"] == "train>second>nested"
    assert (read_json(folder / "status.json") or {})["status"] == "Failed"


def test_a_deleted_child_is_not_found_any_more_until_it_is_restored(client: Client):
    child = client.call("runs/create", experiment_id="0")["run"]["info"]["run_id"]
    client.call("runs/delete", run_id=child)

    def found(view: str) -> list[str]:
        return [
            run["info"]["run_id"]
            for run in client.call("runs/search", **{"experiment_ids": ["0"]} | {"run_view_type": view})["runs"]
        ]

    assert (found("ACTIVE_ONLY"), found("DELETED_ONLY")) == ([RUN], [child])
    client.call("runs/restore", run_id=child)
    assert sorted(found("ACTIVE_ONLY")) == [RUN, child]
    assert client.send("POST", "/api/2.0/mlflow/runs/delete", {"run_id": RUN})[0] == 400


def test_files_are_next_to_the_record_of_the_run(client: Client, step: StepTracking):
    uri = client.call("runs/get", run_id=RUN)["run"]["info"]["artifact_uri"]

    assert Path(url2pathname(urlparse(uri).path)) == step.places.artifacts


def test_datasets_that_were_read_are_part_of_the_run(client: Client):
    dataset = {"dataset": {"name": "frame", "digest": "1", "source_type": "local", "source": "x"}, "tags": []}
    client.call("runs/log-inputs", run_id=RUN, datasets=[dataset])

    assert client.call("runs/get", run_id=RUN)["run"]["inputs"]["dataset_inputs"] == [dataset]


def test_a_model_of_mlflow_3_lies_among_the_run_s_files_under_its_name(client: Client, step: StepTracking):
    made = [client.call("logged-models", experiment_id="0", name="model", source_run_id=RUN) for _ in range(2)]
    infos = [answer["model"]["info"] for answer in made]
    path = f"/api/2.0/mlflow/logged-models/{infos[0]['model_id']}"
    client.send("POST", f"{path}/params", {"params": [{"key": "depth", "value": "3"}]})
    client.send("PATCH", f"{path}/tags", {"tags": [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]})
    client.send("DELETE", f"{path}/tags/a")
    client.send("PATCH", path, {"status": "LOGGED_MODEL_READY"})

    places = [Path(url2pathname(urlparse(info["artifact_uri"]).path)) for info in infos]
    assert places == [step.places.artifacts / "model", step.places.artifacts / "model_2"]
    status, answer = client.send("GET", path)
    info = answer["model"]["info"]
    assert (status, info["status"], info["tags"]) == (200, "LOGGED_MODEL_READY", [{"key": "b", "value": "2"}])
    assert answer["model"]["data"]["params"] == [{"key": "depth", "value": "3"}]
    found = client.call("logged-models/search", experiment_ids=["0"], filter="name = 'model'")["models"]
    assert {model["info"]["model_id"] for model in found} == {info["model_id"] for info in infos}
    assert client.send("DELETE", path, {})[0] == 200
    assert client.send("GET", path)[0] == 404


def test_metrics_that_are_sent_again_for_a_model_are_recorded_once(client: Client, step: StepTracking):
    model = client.call("logged-models", experiment_id="0", name="model", source_run_id=RUN)["model"]["info"][
        "model_id"
    ]
    metric = {"key": "accuracy", "value": 0.9, "timestamp": 5, "step": 0}
    client.call("runs/log-metric", run_id=RUN, **metric)
    client.call("runs/log-batch", run_id=RUN, metrics=[{**metric, "model_id": model}])
    client.call("runs/log-metric", run_id=RUN, **{**metric, "key": "f1"}, model_id=model)

    assert [line["name"] for line in record_of(step).metrics()] == ["accuracy", "f1"]
    found = client.send("GET", f"/api/2.0/mlflow/logged-models/{model}")[1]["model"]["data"]["metrics"]
    assert [(one["key"], one["value"]) for one in found] == [("accuracy", 0.9), ("f1", 0.9)]


def test_a_model_s_name_does_not_lead_out_of_the_run_s_files(client: Client):
    for name in ("../model", "..", "a/b", "C:x"):
        assert client.send("POST", "/api/2.0/mlflow/logged-models", {"name": name})[0] == 400


def test_a_model_s_name_that_no_folder_can_have_is_refused_in_a_sentence(client: Client):
    status, answer = client.send("POST", "/api/2.0/mlflow/logged-models", {"name": "é" * 150})

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer["message"] == f"Invalid model name ({'é' * 57}...) provided: it has more than 250 bytes."
    assert client.send("POST", "/api/2.0/mlflow/logged-models", {"name": "a\\b"})[0] == 400


def test_the_run_s_experiment_is_there_and_others_can_be_made(client: Client):
    assert client.call("experiments/get-by-name", experiment_name="churn")["experiment"]["experiment_id"] == "0"
    status, answer = client.send("GET", "/api/2.0/mlflow/experiments/get-by-name", {"experiment_name": "other"})
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
    assert client.call("experiments/create", name="other") == {"experiment_id": "1"}
    assert client.call("experiments/get", experiment_id="1")["experiment"]["name"] == "other"
    found = client.call("experiments/search", filter="name LIKE 'o%'", max_results=10)["experiments"]
    assert [experiment["name"] for experiment in found] == ["other"]
    status, answer = client.send("POST", "/api/2.0/mlflow/experiments/create", {"name": "other"})
    assert (status, answer["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")


@pytest.mark.parametrize(
    ("method", "path", "sentence"),
    [
        (
            "POST",
            "/api/2.0/mlflow/registered-models/create",
            "the model registry of MLflow is not available in local runs; use azureml.core.Model.register to register "
            "a model",
        ),
        (
            "GET",
            "/api/2.0/mlflow/model-versions/search",
            "the model registry of MLflow is not available in local runs; use azureml.core.Model.register to register "
            "a model",
        ),
        (
            "POST",
            "/api/3.0/mlflow/traces",
            "traces and evaluation data of MLflow are not available in local runs; traces and what belongs to them are "
            "not recorded",
        ),
        (
            "POST",
            "/v1/traces",
            "traces and evaluation data of MLflow are not available in local runs; traces and what belongs to them are "
            "not recorded",
        ),
    ],
)
def test_the_registry_and_traces_are_refused_in_a_sentence(client: Client, method: str, path: str, sentence: str):
    assert client.send(method, path, {}) == (400, {"error_code": "FEATURE_DISABLED", "message": sentence})


def test_another_call_does_not_exist(client: Client):
    status, answer = client.send("POST", "/api/2.0/mlflow/runs/dance", {})

    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("runs/log-metric", {"key": "loss", "value": 1}),
        ("runs/log-metric", {"run_id": RUN, "value": 1}),
        ("runs/log-metric", {"run_id": RUN, "key": "loss", "value": "much"}),
        ("runs/log-batch", {"run_id": RUN, "metrics": "loss"}),
        ("runs/search", {"experiment_ids": ["0"], "filter": "metrics.loss >"}),
        ("runs/log-model", {"run_id": RUN, "model_json": "{"}),
    ],
)
def test_a_bad_request_is_refused_and_records_nothing(client: Client, step: StepTracking, name: str, values: dict):
    status, answer = client.send("POST", f"/api/2.0/mlflow/{name}", values)

    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert record_of(step).metrics() == []


def test_runs_of_other_steps_can_be_read_and_not_changed(server: TrackingServer, tmp_path: Path):
    earlier = step_in(tmp_path, "prepare")
    Client(server.address_for(earlier)).call("runs/log-parameter", run_id="run_prepare", key="rows", value="3")
    step = step_in(tmp_path)
    client = Client(server.address_for(step))

    run = client.call("runs/get", run_id="run_prepare")["run"]
    assert run["data"]["params"] == [{"key": "rows", "value": "3"}]
    assert str(earlier.places.root / "params.jsonl") in step.looked
    status, answer = client.send("POST", "/api/2.0/mlflow/runs/set-tag", {"run_id": "run_prepare", "key": "a"})
    assert (status, answer["message"]) == (
        403,
        "run 'run_prepare' belongs to another step; in a local run, a step can only log to its own run and that run's "
        "children",
    )
    assert client.send("GET", "/api/2.0/mlflow/runs/get", {"run_id": "run_absent"})[0] == 404


def test_the_run_of_a_reused_step_is_that_of_its_result(server: TrackingServer, tmp_path: Path):
    old = step_in(tmp_path, "prepare", "old")
    Client(server.address_for(old)).call("runs/log-parameter", run_id="old_prepare", key="rows", value="3")
    step = step_in(tmp_path)
    reused = {"status": "reused", "producer": "old"}
    write_json(step.places.of_run.step("prepare").record, reused)
    client = Client(server.address_for(step))

    run = client.call("runs/get", run_id="run_prepare")["run"]
    assert run["data"]["params"] == [{"key": "rows", "value": "3"}]
    assert Path(url2pathname(urlparse(run["info"]["artifact_uri"]).path)) == old.places.artifacts


def test_only_a_search_beyond_the_step_s_own_runs_is_noted(client: Client, step: StepTracking):
    search = {"experiment_ids": ["0"], "filter": f"tags.mlflow.parentRunId = '{RUN}'"}
    client.call("runs/search", **search)
    assert not step.has_searched

    client.call("runs/search", experiment_ids=["0"])
    assert step.has_searched


def test_secrets_are_hidden_in_the_record_and_not_from_the_script(server: TrackingServer, tmp_path: Path):
    step = step_in(tmp_path)
    step.run._hide = lambda name, value: "***" if name == "password" else value
    client = Client(server.address_for(step))
    client.call("runs/log-parameter", run_id=RUN, key="password", value="hunter2")
    client.call("runs/set-tag", run_id=RUN, key="password", value="hunter2")

    assert record_of(step).parameters() == {"password": "***"}
    assert record_of(step).recorded_tags() == {"password": "***"}
    data = client.call("runs/get", run_id=RUN)["run"]["data"]
    assert {"key": "password", "value": "hunter2"} in data["params"]
    assert {"key": "password", "value": "hunter2"} in data["tags"]
    client.call("runs/log-parameter", run_id=RUN, key="password", value="hunter2")
    assert (
        client.send("POST", "/api/2.0/mlflow/runs/log-parameter", {"run_id": RUN, "key": "password", "value": "***"})[0]
        == 400
    )


def test_secrets_of_models_inputs_and_child_runs_are_not_stored(server: TrackingServer, tmp_path: Path):
    step = step_in(tmp_path)
    step.run._hide = lambda name, value: "***" if "hunter2" in value else value
    client = Client(server.address_for(step))
    pair = {"key": "password", "value": "hunter2"}
    made = client.call("logged-models", name="m", source_run_id=RUN, params=[pair], tags=[pair])["model"]
    client.call(f"logged-models/{made['info']['model_id']}/params", params=[{"key": "more", "value": "hunter2"}])
    source = {"name": "d", "source": '{"url": "https://x/?sig=hunter2"}', "tags": ["hunter2"]}
    client.call("runs/log-inputs", run_id=RUN, datasets=[{"dataset": source}])
    child = client.call("runs/create", run_name="hunter2", user_id="hunter2", tags=[])["run"]

    assert child["info"]["run_name"] == "hunter2"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) >= 3
    assert [path for path in written if "hunter2" in path.read_text()] == []


def test_numbers_beyond_a_float_are_answered(client: Client, step: StepTracking):
    metrics = step.run.folder / "metrics.jsonl"
    metrics.parent.mkdir(parents=True, exist_ok=True)
    metrics.write_text(json.dumps({"name": "big", "value": 10**400}) + "\n")

    found = client.call("runs/search", experiment_ids=["0"], filter="metrics.big > 1")["runs"]
    assert found[0]["data"]["metrics"][0]["value"] == "Infinity"
    for path, sent in (
        ("runs/log-metric", {"run_id": RUN, "key": "k", "value": 10**400}),
        ("runs/log-metric", {"run_id": RUN, "key": "k", "value": 1, "step": math.inf}),
        ("runs/create", {"tags": "abc"}),
        ("runs/create", {"start_time": "soon"}),
    ):
        status, answer = client.send("POST", f"/api/2.0/mlflow/{path}", sent)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_mlflow_2_lists_its_models_in_a_tag(client: Client):
    for number in (1, 2):
        client.call("runs/log-model", run_id=RUN, model_json=json.dumps({"model_uuid": number}))

    tags = {tag["key"]: tag["value"] for tag in client.call("runs/get", run_id=RUN)["run"]["data"]["tags"]}
    assert json.loads(tags["mlflow.log-model.history"]) == [{"model_uuid": 1}, {"model_uuid": 2}]


def test_lines_are_whole_json_whatever_the_values(client: Client, step: StepTracking):
    client.call("runs/log-metric", run_id=RUN, key="a\nb", value=math.pi, timestamp=10**30)
    client.call("runs/set-tag", run_id=RUN, key="tag", value="\ud800 zwölf\n")

    assert [line["name"] for line in read_lines(step.places.root / "metrics.jsonl")] == ["a\nb"]
    assert record_of(step).recorded_tags() == {"tag": "\ud800 zwölf\n"}
