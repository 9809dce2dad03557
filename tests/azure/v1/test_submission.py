from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.azure.v1.submit import run
from azml_tasks.backend import Pace, Watch
from azml_tasks.checks.azure import RESERVED_PARAMETERS
from azml_tasks.errors import ProjectError, RunError, ServiceError
from azml_tasks.runs.progress import Progress
from azml_tasks.runs.records import Remark, RunFinished, RunStarted, StepOutput, StepStarted, Tick
from tests.azure.workspace import opened, stocked
from tests.service.graphs import FromStep, ParameterOf, ToOutput

FAST = Pace(first=0.01, longest=0.01)


def run_it(project: Any, ws: Any, listener: Any = lambda event: None, **more: Any) -> Any:
    return run(project, ws, watch=Watch(listener, FAST), **more)


def told_by(event: Any) -> str:
    who = getattr(event, "step", None)
    return f"{type(event).__name__} {who.key} {who.status}" if who else f"{type(event).__name__} {event.run.status}"


def test_three_steps_arrive_wired_so_that_each_reads_its_predecessors_folder(azure, tmp_path):
    run_it(write_project(tmp_path, line_of_steps(3)), stocked(azure))

    assert {name: step.arguments for name, step in azure.steps().items()} == {
        "s1": ("--config", ParameterOf("s1_config"), "--output-folder", ToOutput("s1_output_folder")),
        "s2": (
            "--config",
            ParameterOf("s2_config"),
            "--input-folder",
            FromStep("s1", "s1_output_folder", "s2_input_folder"),
            "--output-folder",
            ToOutput("s2_output_folder"),
        ),
        "s3": (
            "--config",
            ParameterOf("s3_config"),
            "--input-folder",
            FromStep("s2", "s2_output_folder", "s3_input_folder"),
        ),
    }


def test_ten_steps_arrive_with_one_edge_and_their_own_file_each(azure, tmp_path):
    run_it(write_project(tmp_path, line_of_steps(10)), stocked(azure))

    assert {name: (step.upstream, dict(step.files)) for name, step in azure.steps().items()} == {
        "s1": ((), {"s1.py": b"print('s1.py')\n"}),
        **{f"s{n}": ((f"s{n - 1}",), {f"s{n}.py": f"print('s{n}.py')\n".encode()}) for n in range(2, 11)},
    }


def test_ten_steps_take_at_most_97_requests_at_first_and_57_unchanged(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(10))
    stocked(azure)
    counts = []
    for _ in range(2):
        azure.requests.clear()
        run_it(project, opened())
        counts.append(len(azure.requests.without_polling()))

    # 163 is what the original wrapper sends for ten steps with a directory each.
    assert counts[0] <= 0.6 * 163, azure.requests
    assert counts[1] <= 0.35 * 163, azure.requests


def test_an_unchanged_pipeline_makes_nothing_and_editing_a_step_makes_its_module_alone(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(3))
    ws = stocked(azure)
    run_it(project, ws)
    assert (len(azure.modules), len(azure.snapshots)) == (3, 3)

    events: list[Any] = []
    run_it(project, ws, events.append)

    assert (len(azure.modules), len(azure.snapshots)) == (3, 3)
    assert [told_by(event) for event in events] == [
        "RunStarted waiting",
        "StepReused s1 reused",
        "StepReused s2 reused",
        "StepReused s3 reused",
        "RunFinished completed",
    ]

    (tmp_path / "steps/s2.py").write_text("print('edited')\n", encoding="utf-8")
    events.clear()
    run_it(project, ws, events.append)

    assert [module.name for module in list(azure.modules.values())[3:]] == ["s2"]
    assert [told_by(event) for event in events[1:-1]] == [
        "StepReused s1 reused",
        "StepFinished s2 completed",
        "StepFinished s3 completed",
    ]


def test_steps_of_the_same_content_share_a_snapshot(azure, tmp_path):
    project = write_project(
        tmp_path,
        """
        env_name: env
        compute_name: cpu
        steps:
          one: {script_name: same.py}
          two: {script_name: same.py}
          three: {script_name: same.py}
        """,
    )

    run_it(project, stocked(azure))

    assert len(azure.modules) == 3
    assert len(azure.snapshots) == 1


def test_settings_are_parameters_of_the_run_and_make_no_module(azure, tmp_path):
    text = "pipeline_parameters: {alpha: 1}\n" + line_of_steps(2).replace(
        "{n: 2}", "{n: 2}, arguments: {--alpha: '${{ parameters.alpha }}'}"
    )
    project = write_project(tmp_path, text)
    ws = stocked(azure)
    run_it(project, ws)

    record = run_it(project, ws, settings=["s2.n=5", "alpha=3"])

    assert len(azure.modules) == 2
    assert [run.parameters for run in azure.submitted] == [{}, {"s2_config": '{"n": 5}', "alpha": "3"}]
    assert record.parameters == {"s2_config": '{"n": 5}', "alpha": 3}
    assert azure.steps()["s2"].parameters == {"s2_config": "s2_config", "alpha": "alpha"}


def test_settings_that_look_like_secrets_or_are_not_read_are_noted_before_the_run_is_sent(azure, tmp_path):
    script = "import argparse, json\nparser = argparse.ArgumentParser()\n"
    script += "parser.add_argument('--config', type=json.loads)\nprint(parser.parse_args().config.get('rows', 1))\n"
    pipeline = line_of_steps(1).replace("{n: 1}", "{row: 3, password: hush-1}")
    project = write_project(tmp_path, pipeline, {"steps/s1.py": script})
    events: list[Any] = []

    run_it(project, stocked(azure), events.append)

    stored = "pipeline.yaml:4: step 's1': step_config.password looks like a secret and would be stored with each run; "
    note = (
        "pipeline.yaml:4: step 's1' sets 'row' in step_config, but steps/s1.py reads 'rows' (steps/s1.py:4); "
        "did you mean 'rows'?"
    )
    assert [isinstance(event, Remark) for event in events[:4]] == [True, True, True, False]
    said = [event.text for event in events if isinstance(event, Remark)]
    assert (said[0].startswith(stored), said[1]) == (True, note)


def test_force_runs_every_step_again(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(2))
    ws = stocked(azure)
    run_it(project, ws)

    events: list[Any] = []
    run_it(project, ws, events.append, force=True)

    assert {name: step.regenerate for name, step in azure.steps().items()} == {"s1": True, "s2": True}
    assert [told_by(event) for event in events[1:-1]] == ["StepFinished s1 completed", "StepFinished s2 completed"]


def test_what_the_file_declares_of_a_run_arrives_with_it(azure, tmp_path):
    extra = "experiment_name: churn\ndescription: Weekly\ntags: {owner: me}\ncontinue_on_step_failure: true\n"
    project = write_project(tmp_path, line_of_steps(1, extra))

    record = run_it(project, stocked(azure))

    sent = azure.submitted[-1]
    assert (sent.experiment, sent.description, sent.continue_on_failure) == ("churn", "Weekly", True)
    assert azure.runs[record.id].tags == {"owner": "me"}
    assert record.tags == {"owner": "me"}


def test_a_run_in_another_experiment(azure, tmp_path):
    record = run_it(write_project(tmp_path, line_of_steps(1)), stocked(azure), experiment="trial")

    assert record.experiment == azure.runs[record.id].experiment == "trial"
    assert record.url.startswith(f"https://ml.azure.com/runs/{record.id}?")


def test_not_waiting_returns_at_once(azure, tmp_path):
    azure.on_submit = "hold"
    events: list[Any] = []

    record = run_it(write_project(tmp_path, line_of_steps(2)), stocked(azure), events.append, wait=False)

    assert record.status == "waiting"
    assert [told_by(event) for event in events] == ["RunStarted waiting"]
    assert [asked.route for asked in azure.requests if asked.polling] == []
    azure.finish()


def test_steps_are_reported_as_they_start_and_end(azure, tmp_path):
    azure.on_submit = "hold"
    told: list[str] = []

    def tell(event: Any) -> None:
        told.append(told_by(event))
        if told[-1] in ("StepStarted s1 running", "StepStarted s2 running"):
            azure.end_step(event.step.key)

    run_it(write_project(tmp_path, line_of_steps(2)), stocked(azure), tell)

    assert told == [
        "RunStarted waiting",
        "StepStarted s1 running",
        "StepFinished s1 completed",
        "StepStarted s2 running",
        "StepFinished s2 completed",
        "RunFinished completed",
    ]


def test_between_two_looks_the_listener_hears_that_time_passes(azure, tmp_path):
    azure.on_submit = "hold"
    told: list[str] = []

    def tell(event: Any) -> None:
        told.append(type(event).__name__)
        if told.count("Tick") == 3:
            azure.finish()

    run(write_project(tmp_path, line_of_steps(1)), stocked(azure), watch=Watch(tell, Pace(0.2, 0.2), tick=0.05))

    assert list(dict.fromkeys(told)) == [
        "RunStarted",
        "StepStarted",
        "Tick",
        "StepOutput",
        "StepFinished",
        "RunFinished",
    ]


def test_the_log_of_a_running_step_is_streamed_and_ends_before_the_step(azure, tmp_path):
    azure.on_submit = "hold"
    log, told = b"", []

    def tell(event: Any) -> None:
        nonlocal log
        if not isinstance(event, (RunStarted, Tick, RunFinished)):
            told.append(getattr(event, "text", type(event).__name__))
        if isinstance(event, StepStarted):
            log = "epoch 1: é".encode()[:-1]  # cut within a letter
            azure.put_log("s1", log)
        elif isinstance(event, StepOutput):
            log += b"\xa9\n" if log.endswith(b"\xc3") else b"epoch 2\n"
            azure.end_step("s1", log=log) if b"epoch 2" in log else azure.put_log("s1", log)

    run_it(write_project(tmp_path, line_of_steps(1)), stocked(azure), tell)

    assert told == ["StepStarted", "epoch 1: ", "é\n", "epoch 2\n", "StepFinished"]


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_log_that_cannot_be_read_for_a_while_is_read_later(azure, tmp_path, status):
    azure.on_submit = "hold"
    told = []

    def tell(event: Any) -> None:
        told.append(getattr(event, "text", type(event).__name__))
        if isinstance(event, StepStarted):
            azure.put_log("s1", b"one\n")
        elif told[-1] == "one\n":
            azure.fail("GET", "/azureml/ExperimentRun/.*std_log.txt", status=status, times=2)
            azure.put_log("s1", b"one\ntwo\n")
        elif told[-1] == "two\n":
            azure.end_step("s1", log=b"one\ntwo\n")

    with retrying(RetryPolicy(tries=1)):
        run_it(write_project(tmp_path, line_of_steps(1)), stocked(azure), tell)

    assert [text for text in told if text.endswith("\n")][:2] == ["one\n", "two\n"]


def test_a_failed_run_names_its_step_and_ends_with_its_log(azure, tmp_path):
    azure.on_submit = "hold"
    told: list[str] = []
    log = b"".join(b"line %d\n" % number for number in range(1, 41))

    def tell(event: Any) -> None:
        told.append(told_by(event))
        if told[-1] == "StepStarted s2 running":
            azure.end_step("s2", "Failed", "boom", log)
        elif told[-1] == "StepStarted s1 running":
            azure.end_step("s1")

    with pytest.raises(RunError) as caught:
        run_it(write_project(tmp_path, line_of_steps(3)), stocked(azure), tell)

    identifier = azure.submitted[-1].id
    text, _, address = str(caught.value).rpartition("\n")
    assert text.splitlines() == [
        "step 's2' failed: boom",
        *(f"  line {number}" for number in range(11, 41)),
        "skipped: s3",
        f"full logs: `invoke runs.logs --run {identifier}`",
        "Run `invoke run` again to continue; completed steps are reused",
    ]
    assert address.startswith(f"https://ml.azure.com/runs/{identifier}?")
    assert caught.value.exit_status == 1
    assert told[-3:] == ["StepFinished s2 failed", "StepSkipped s3 skipped", "RunFinished failed"]


def test_a_log_that_cannot_be_read_does_not_hide_why_a_step_failed(azure, tmp_path):
    azure.failing["s1"] = "The image could not be built."
    azure.fail("GET", "std_log.txt", status=403)

    with pytest.raises(RunError) as caught:
        run_it(write_project(tmp_path, line_of_steps(1)), stocked(azure))

    first, reason, *_ = str(caught.value).splitlines()
    assert first == "step 's1' failed: The image could not be built."
    assert reason.startswith("  reading its log failed: Refused with 403")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (True, "cancelling the run {run}"),
        (
            False,
            "stopped following; the run {run} continues: show it with `invoke runs.show --run {run}`, stop it with "
            "`invoke runs.cancel --run {run}`",
        ),
        (
            None,
            "stopped following; the run {run} continues: show it with `invoke runs.show --run {run}`, stop it with "
            "`invoke runs.cancel --run {run}`",
        ),
    ],
)
def test_ctrl_c_cancels_when_asked_to_and_else_explains_how_to_go_on(azure, tmp_path, answer, sentence):
    azure.on_submit = "hold"

    def interrupt(event: Any) -> None:
        if told_by(event) == "StepStarted s1 running":
            raise KeyboardInterrupt

    watch = Watch(interrupt, FAST, None if answer is None else lambda: answer)
    with pytest.raises(RunError) as caught:
        run(write_project(tmp_path, line_of_steps(2)), stocked(azure), watch=watch)

    identifier = azure.submitted[-1].id
    assert str(caught.value) == sentence.replace("{run}", identifier)
    assert azure.runs[identifier].status == ("Canceled" if answer else "Running")


def test_a_service_that_no_longer_shows_the_run_is_an_error_with_how_to_continue(azure, tmp_path):
    azure.fail("POST", "/Graph/AllNodes/Status$", status=503, times=2)

    with retrying(RetryPolicy(tries=2, wait=0.01)), pytest.raises(ServiceError) as caught:
        run_it(write_project(tmp_path, line_of_steps(1)), stocked(azure))

    identifier = azure.submitted[-1].id
    reason, _, going_on = str(caught.value).partition("\n")
    assert "AllNodes/Status failed 2 times" in reason
    assert going_on == (
        f"the run {identifier} continues: show it with `invoke runs.show --run {identifier}`, stop it with `invoke "
        f"runs.cancel --run {identifier}`"
    )


def test_a_run_that_is_cancelled_elsewhere_is_reported_as_cancelled(azure, tmp_path):
    azure.on_submit = "hold"

    def cancel(event: Any) -> None:
        if told_by(event) == "StepStarted s1 running":
            azure.progress.cancel(azure.workspace, azure.submitted[-1])

    with pytest.raises(RunError, match=r"^the run [-\w]+ was cancelled\nskipped: s2\n"):
        run_it(write_project(tmp_path, line_of_steps(2)), stocked(azure), cancel)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "compute_name: cpu",
            "compute_name: cpuu",
            "the workspace 'churn-ws' has no compute 'cpuu'; did you mean 'cpu'?",
        ),
        (
            "env_name: env",
            "env_name: enw",
            "no environment 'enw' in the file or the workspace 'churn-ws'; did you mean 'env'?",
        ),
        (
            "script_name: s1.py,",
            "script_name: s1.py, input_datasets: {--data: customers},",
            "the workspace 'churn-ws' has no dataset 'customers'",
        ),
        (
            "script_name: s1.py,",
            "script_name: s1.py, output_folders: {--o: {destination: {datastore_name: elsewhere}}},",
            "the workspace 'churn-ws' has no datastore 'elsewhere'",
        ),
    ],
)
def test_what_the_workspace_lacks_is_named_before_anything_is_sent(azure, tmp_path, old, new, sentence):
    project = write_project(tmp_path, line_of_steps(2).replace(old, new))

    with pytest.raises(ServiceError) as caught:
        run_it(project, stocked(azure))

    assert str(caught.value) == sentence
    assert len(azure.snapshots) == len(azure.modules) == len(azure.submitted) == 0


def test_files_that_are_missing_are_all_named_before_azure_is_asked(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(3))
    ws = stocked(azure)
    (tmp_path / "steps/s1.py").unlink()
    (tmp_path / "steps/s3.py").unlink()

    with pytest.raises(ProjectError) as caught:
        run_it(project, ws)

    assert str(caught.value) == (
        "pipeline.yaml:4: step 's1': steps/s1.py: the script does not exist\n"
        "pipeline.yaml:6: step 's3': steps/s3.py: the script does not exist"
    )
    assert list(azure.requests) == []


def test_a_step_without_compute_or_environment_is_named_before_azure_is_asked(azure, tmp_path):
    project = write_project(tmp_path, "steps:\n  a: {script_name: a.py, env_name: env}\n  b: {script_name: b.py}\n")

    with pytest.raises(ProjectError) as caught:
        run_it(project, None)

    assert str(caught.value) == (
        "pipeline.yaml:2: step 'a' has no compute: Azure needs compute_name, in the step or at the top level\n"
        "pipeline.yaml:3: step 'b' has no compute: Azure needs compute_name, in the step or at the top level\n"
        "pipeline.yaml:3: step 'b' has no environment: Azure needs env_name, in the step or at the top level"
    )


def test_names_that_azure_uses_itself_are_refused(azure, tmp_path):
    from azureml.pipeline.core._module_parameter_provider import _ModuleParameterProvider

    assert {parameter.name.lower() for parameter in _ModuleParameterProvider().get_params_list()} == RESERVED_PARAMETERS
    text = "pipeline_parameters:\n  Script: x\n  text: |\n    a\n    b\n" + line_of_steps(1).replace(
        "{n: 1}", "{n: 1}, input_datasets: {a: b, s1_o: c}, output_folders: [--o]"
    )
    project = write_project(tmp_path, text)

    with pytest.raises(ProjectError) as caught:
        run_it(project, None)

    assert str(caught.value) == (
        "pipeline.yaml:2: 'Script' is reserved by Azure; use another name\n"
        "pipeline.yaml:3: the default of 'text' has several lines; Azure allows one\n"
        "pipeline.yaml:9: step 's1' has an input and an output with the name 's1_o' in Azure; rename the input"
    )


def test_ctrl_c_while_the_pipeline_is_sent_reports_where_to_look(azure, tmp_path, monkeypatch):
    def interrupted(*arguments: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    ws = stocked(azure)
    project = write_project(tmp_path, line_of_steps(1))
    monkeypatch.setattr(type(ws), "get_default_datastore", interrupted)

    sentence = (
        r"^interrupted while submitting the pipeline; check with `invoke runs.list` whether a run started, and "
        "stop it with `invoke runs.cancel`$"
    )
    with pytest.raises(RunError, match=sentence):
        run_it(project, ws)


LOGGING = """
    from azureml.core import Run
    run = Run.get_context()
    for loss in (0.5, 0.25):
        run.log("loss", loss)
    run.parent.log("total", 7)
"""


def test_a_run_ends_with_the_metrics_of_its_steps_for_one_request_a_step(azure, tmp_path, capsys):
    project = write_project(tmp_path, line_of_steps(2), {"steps/s1.py": LOGGING})
    ws = stocked(azure)
    azure.on_submit = "execute"

    record = run_it(project, ws, Progress(sys.stdout))

    assert record["s1"].metrics() == [{"name": "loss", "kind": "scalar", "value": 0.25}]
    assert capsys.readouterr().out.splitlines()[-4:] == [
        "  s1: loss = 0.25",
        "  total = 7",
        f"details: `invoke runs.show --run {record.id}`",
        f"as a page: `invoke runs.report --open --run {record.id}`",
    ]
    assert len(azure.requests.matching("GET", "/mlflow/runs/get$")) == 3


def test_a_run_whose_metrics_cannot_be_read_completes(azure, tmp_path):
    project = write_project(tmp_path, line_of_steps(2))
    ws = stocked(azure)
    azure.fail("GET", "/mlflow/runs/get$", status=403, times=9)

    assert run_it(project, ws).status == "completed"
