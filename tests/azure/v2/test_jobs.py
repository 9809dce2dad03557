"""A run on Azure ML v2: what is sent, what is reported, how it ends."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import Watch
from azml_tasks.errors import RunError
from azml_tasks.runs.records import Remark, RunFinished, RunStarted, StepFinished, StepOutput, StepReused, StepStarted
from tests.azure.v2.projects import AT_ONCE, SCRIPTS, TWO_STEPS, run, stocked, v2_project
from tests.service.routes.mlflow import _log_metric


def test_the_scripts_run_from_the_uploaded_code(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path)

    record = run(project, settings=("prepare.rows=5",))

    assert record.status == "completed"
    assert [(step.key, step.status) for step in record.steps] == [("prepare", "completed"), ("train", "completed")]
    assert azure_v2.artifacts(azure_v2.job_runs()["train"])["outputs/model.txt"] == b"model of 5 rows"
    assert azure_v2.artifacts(azure_v2.job_runs()["train"])["user_logs/std_log.txt"] == b"read 5\n"
    assert record.parameters == {"prepare_config": '{"rows": 5}'}
    assert azure_v2.job.name == record.id
    assert azure_v2.job.properties["experimentName"] == "churn"


def test_events_tell_what_happens(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    events = []

    run(v2_project(tmp_path), Watch(events.append, AT_ONCE))

    assert isinstance(events[0], RunStarted)
    assert events[0].steps == ("prepare", "train")
    assert [event.step.key for event in events if isinstance(event, StepFinished)] == ["prepare", "train"]
    assert isinstance(events[-1], RunFinished)


def test_settings_that_look_like_secrets_or_are_not_read_are_noted_before_the_run_is_sent(azure_v2, tmp_path):
    prepare = SCRIPTS["prepare.py"].replace('args.config["rows"]', 'args.config.get("rows", 1)')
    pipeline = TWO_STEPS.replace("{rows: 3}", "{row: 3, password: hush-1}")
    events = []

    stocked(azure_v2)
    run(v2_project(tmp_path, pipeline, {**SCRIPTS, "prepare.py": prepare}), Watch(events.append, AT_ONCE))

    stored = "pipeline.yaml:11: step 'prepare': step_config.password looks like a secret and would be stored with each "
    note = (
        "pipeline.yaml:11: step 'prepare' sets 'row' in step_config, but prepare.py reads 'rows' (prepare.py:8); "
        "did you mean 'rows'?"
    )
    said = [event.text for event in events if isinstance(event, Remark)]
    assert events[0] == Remark(said[0])
    assert (said[0].startswith(stored), said[1]) == (True, note)


def test_a_run_ends_with_the_last_values_of_its_metrics_for_one_request_a_step(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    events = []

    def listen(event):
        events.append(event)
        if isinstance(event, StepStarted):
            for step, loss in enumerate((0.5, 0.25)):
                values = {"key": "loss", "value": loss, "step": step, "timestamp": 1}
                _log_metric(azure_v2.job_runs()[event.step.key], values)
            azure_v2.end_node(event.step.key)

    record = run(v2_project(tmp_path), Watch(listen, AT_ONCE))

    logged = [{"name": "loss", "kind": "scalar", "value": 0.25}]
    assert [step.metrics() for step in record.steps] == [logged, logged]
    assert events[-1] == RunFinished(record)
    assert len(azure_v2.requests.matching("GET", "/mlflow/")) == 3


def test_a_run_whose_metrics_cannot_be_read_completes(azure_v2, tmp_path):
    stocked(azure_v2).fail("GET", "/mlflow/runs/get$", status=403, times=9)

    assert run(v2_project(tmp_path)).status == "completed"


def test_the_log_of_a_running_step_comes_piece_by_piece(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"
    seen: list[object] = []

    def listen(event):
        seen.append(event)
        if isinstance(event, StepStarted):
            azure_v2.write_log(azure_v2.job_runs()[event.step.key], b"first\n")
        elif isinstance(event, StepOutput) and event.text == "first\n":
            azure_v2.end_node(event.step.key, log=b"first\nsecond\n")

    run(v2_project(tmp_path), Watch(listen, AT_ONCE))

    texts = [(event.step.key, event.text) for event in seen if isinstance(event, StepOutput)]
    assert texts == [("prepare", "first\n"), ("prepare", "second\n"), ("train", "first\n"), ("train", "second\n")]


def test_an_unchanged_run_is_reused_unless_it_is_forced(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    events = []

    again = run(project, Watch(events.append, AT_ONCE))

    assert [step.status for step in again.steps] == ["reused", "reused"]
    assert [event.step.key for event in events if isinstance(event, StepReused)] == ["prepare", "train"]
    assert [step.status for step in run(project, force=True).steps] == ["completed", "completed"]
    assert azure_v2.job.properties["settings"]["force_rerun"] is True


def test_another_setting_runs_what_depends_on_it(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    components = len(azure_v2.assets["components"]["azureml_anonymous"])

    run(project, settings=("prepare.rows=9",))

    assert azure_v2.job.properties["inputs"]["prepare_config"]["value"] == '{"rows": 9}'
    assert len(azure_v2.assets["components"]["azureml_anonymous"]) == components


def test_a_failing_script_is_told_with_the_end_of_its_log(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    project = v2_project(tmp_path, scripts={"prepare.py": "raise SystemExit('no rows')\n", "train.py": "print(1)\n"})

    with pytest.raises(RunError) as raised:
        run(project)

    lines = str(raised.value).splitlines()
    assert lines[0] == "step 'prepare' failed: Execution failed. User process exited with status code 1."
    assert lines[1] == "  no rows"
    assert "skipped: train" in lines
    assert lines[-1].startswith("https://ml.azure.com/runs/")


def test_without_waiting_only_the_job_is_sent(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"

    record = run(v2_project(tmp_path), wait=False)

    assert record.status == "waiting"
    assert record.url.startswith("https://ml.azure.com/runs/")
    assert list(azure_v2.requests.matching(path="/history/")) == []


def test_ctrl_c_leaves_the_run_going(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"

    def interrupt(event):
        if isinstance(event, StepStarted):
            raise KeyboardInterrupt

    with pytest.raises(RunError, match=r"stopped following; the run .* continues"):
        run(v2_project(tmp_path), Watch(interrupt, AT_ONCE))

    assert azure_v2.workspace.runs[azure_v2.job.name].status == "Running"


def test_ctrl_c_cancels_the_run_if_the_user_agrees(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "hold"

    def interrupt(event):
        if isinstance(event, StepStarted):
            raise KeyboardInterrupt

    with pytest.raises(RunError, match="cancelling the run"):
        run(v2_project(tmp_path), Watch(interrupt, AT_ONCE, asks_to_cancel=lambda: True))

    assert azure_v2.workspace.runs[azure_v2.job.name].status == "Canceled"


def test_a_misspelt_compute_is_named(azure_v2, tmp_path):
    azure_v2.add_compute("cpus")

    with pytest.raises(Exception, match="has no compute 'cpu'; did you mean 'cpus'"):
        run(v2_project(tmp_path))

    assert azure_v2.jobs == {}


def test_a_run_registers_its_environment_once(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    run(project)
    run(project)

    assert list(azure_v2.assets["environments"]["env"]) == ["1"]
    component = next(iter(azure_v2.assets["components"]["azureml_anonymous"].values()))
    assert component["properties"]["componentSpec"]["environment"].endswith("/environments/env/versions/1")


def test_what_a_run_was_started_from_is_read_again(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path)
    record = run(project, settings=("prepare.rows=5",))

    found = AzureV2Backend(project).runs.find(record.id)

    assert found.settings == {"prepare": {"rows": 5}}
    assert found.origin.changes == ("prepare.rows=5",)
    assert found.provenance().environments["env"].name == "env:1"
