"""Runs on Azure ML v2, read again."""

from __future__ import annotations

import json

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.errors import RunError, UsageError
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.records import RunFinished, StepFinished, StepOutput
from azml_tasks.runs.results.download import Download
from azml_tasks.runs.summary import as_json
from tests.azure.v2.projects import run, stocked, v2_project
from tests.service.storage import Blob


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
    found = json.loads(as_json(details))["run"]
    assert (found["id"], found["experiment"], found["status"]) == (record.id, "churn", "completed")
    assert found["steps"][1]["files"] == [{"name": "outputs/model.txt", "size": None, "path": None}]


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


@pytest.mark.parametrize("tag", ['{"state": 5}', '{"score": [["auc"]], "names": {"a": 1}}', "[" * 100_000, "[1]", "{"])
def test_a_damaged_tag_of_the_metrics_hides_no_run(azure_v2, tmp_path, tag):
    stocked(azure_v2).on_submit = "execute"
    text = "environments:\n  env: {pip_packages: [pandas]}\nsteps:\n  train: {script_name: train.py}\n"
    project = v2_project(
        tmp_path, text, {"train.py": 'from azureml.core import Run\nRun.get_context().log("loss", 0.5)\n'}
    )
    record = run(project)
    azure_v2.job_runs()["train"].tags["azml_tasks.metrics"] = tag
    azure_v2.job_runs()["train"].tags["loss_text"] = "[" * 100_000

    runs = runs_of(project)
    (step,) = runs.details(runs.find(record.id)).steps

    assert Metrics.of(step.metrics).values() == {"loss": 0.5}


def test_children_come_in_pages(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    azure_v2.page_size = 1

    assert [step.key for step in runs_of(project).find().steps] == ["prepare", "train"]


def downloaded(project, folder, step=None):
    done, said = Download(folder), []
    runs = runs_of(project)
    for file in runs.files(runs.find(), step, said.append):
        done.put(file)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return files, said


FILES = {
    "prepare/prepare_output_folder/rows.txt": b"xxx",
    "prepare/user_logs/std_log.txt": b"wrote 3\n",
    "train/outputs/model.txt": b"model of 3 rows",
    "train/user_logs/std_log.txt": b"read 3\n",
}


def test_files_logs_and_output_folders_are_downloaded(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    run(project)

    assert downloaded(project, tmp_path / "to") == (FILES, [])

    run(project)
    assert [step.status for step in runs_of(project).find().steps] == ["reused", "reused"]
    of_one = {name: content for name, content in FILES.items() if name.startswith("prepare/")}
    assert downloaded(project, tmp_path / "again", "prepare") == (of_one, [])
    with pytest.raises(UsageError, match="has no step 'x'"):
        downloaded(project, tmp_path / "to", "x")


OWN_STORE = """\
environments:
  env: {pip_packages: [pandas]}
datastores:
  mine: {container_name: raw, account_name: minestore}
steps:
  prepare:
    script_name: prepare.py
    step_config: {rows: 3}
    output_folders: {--output-folder: {destination: {datastore_name: mine, path: out}}}
  train: {script_name: train.py}
"""


def test_output_folders_are_read_with_the_secret_of_the_datastore_or_the_login(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path, OWN_STORE)
    list(AzureV2Backend(project).register(["datastore"], upload=False, dry=False, say=print))
    run(project)
    azure_v2.requests.clear()

    files, said = downloaded(project, tmp_path / "to")

    assert (files, said) == (FILES, [])
    asked = [record for record in azure_v2.requests if record.host.startswith("minestore.")]
    assert {record.request.headers.get("authorization", "")[:7] for record in asked} == {"Bearer "}


def test_output_folders_that_cannot_be_read_are_named_and_the_rest_is_downloaded(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    run(project)
    azure_v2.fail("POST", "/rundata$", status=403, times=9)
    rest = {name: content for name, content in FILES.items() if "output_folder" not in name}

    assert downloaded(project, tmp_path / "to") == (
        rest,
        [f"step '{key}': its output folders cannot be read" for key in ("prepare", "train")],
    )


@pytest.mark.parametrize("status", [403, 404])
def test_a_file_that_cannot_be_downloaded_does_not_stop_the_others(azure_v2, tmp_path, status):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    run(project)
    azure_v2.fail("GET", "blob.core.windows.net/.*(rows|model).txt$", status=status, times=9)
    done, runs = Download(tmp_path / "to"), runs_of(project)

    for file in runs.files(runs.find(), None, print):
        done.put(file)

    gone = ["prepare/prepare_output_folder/rows.txt", "train/outputs/model.txt"]
    assert [text.partition(" failed: ")[0] for text in done.failed.values()] == [f"downloading {name}" for name in gone]
    assert list(done.failed) == gone
    assert sum(counts.files for counts in done.written.values()) == len(FILES) - len(gone)


def test_names_that_lead_out_of_the_folder_are_refused(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)
    run(project)
    for containers in azure_v2.state.storage.accounts.values():
        for blobs in containers.values():
            for path in [path for path in blobs if path.endswith("rows.txt")]:
                blobs[path.replace("rows.txt", "../../../../out.txt")] = blobs[path]
                # Of a folder that was made in the portal or by another program.
                blobs[path.removesuffix("/rows.txt")] = blobs[path.replace("rows.txt", "empty/")] = Blob(b"")

    assert downloaded(project, tmp_path / "a" / "to") == (FILES, [])
    assert list(tmp_path.rglob("out.txt")) == []


REGISTERING = """\
environments:
  env: {pip_packages: [pandas]}
datastores:
  raw: {container_name: raw, account_name: churnstore}
datasets:
  customers: {datastore_name: raw, path: customers/, type: file, tags: {team: crm}}
  later: {datastore_name: raw, path: later/, type: file}
steps:
  prepare:
    script_name: prepare.py
    step_config: {rows: 3}
    output_folders: {--output-folder: {register_on_complete: rows_of_run}}
  train: {script_name: train.py}
"""


def test_datasets_are_those_of_the_file_with_their_versions(azure_v2, tmp_path):
    project = v2_project(tmp_path, REGISTERING)
    for text in (REGISTERING, REGISTERING.replace("crm", "it")):
        backend = AzureV2Backend(v2_project(tmp_path, text))
        list(backend.register(["dataset"], upload=False, dry=False, say=print))
    del azure_v2.assets["data"]["later"]

    found = runs_of(project).registered("dataset")

    assert [(one.name, one.version, one.kind, one.tags) for one in found] == [
        ("customers", 2, "uri_folder", {"team": "it"}),
        ("later", None, "", {}),
        ("rows_of_run", None, "", {}),
    ]
    assert found[0].created
    every = runs_of(project).registered("dataset", every_version=True)
    assert [(one.name, one.version) for one in every] == [
        ("customers", 2),
        ("customers", 1),
        ("later", None),
        ("rows_of_run", None),
    ]


def test_models_are_those_of_the_workspace_the_newest_first(azure_v2, tmp_path):
    def model(version, created, **properties):
        body = {"modelUri": "azureml://x", "modelType": "custom_model", "isAnonymous": False, **properties}
        return {version: {"properties": body, "created": f"2026-01-{created:02}T08:00:00.0000000Z"}}

    azure_v2.assets["models"] = {
        "churn": {**model("1", 5), **model("2", 6, jobName="job-7", tags={"auc": "0.9"})},
        "other": model("spring", 7),
    }
    runs = runs_of(v2_project(tmp_path))

    found = runs.registered("model")

    assert [(one.name, one.version, one.source, one.tags) for one in found] == [
        ("other", "spring", "", {}),
        ("churn", 2, "job-7", {"auc": "0.9"}),
    ]
    every = runs.registered("model", every_version=True)
    assert [(one.name, one.version) for one in every] == [("other", "spring"), ("churn", 2), ("churn", 1)]
    azure_v2.assets["models"].clear()
    assert runs.registered("model") == []
