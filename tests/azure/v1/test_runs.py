from __future__ import annotations

from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.runs.details import run_details
from azml_tasks.azure.v1.runs.runs import cancel_run, find_run, follow_logs, list_runs, read_logs
from azml_tasks.azure.v1.submit import run
from azml_tasks.errors import RunError, UsageError
from azml_tasks.text import listed
from tests.azure.workspace import stocked

LOGGING = """
    from azureml.core import Run
    run = Run.get_context()
    run.log("rows", 3)
    for loss in (0.5, 0.25):
        run.log("loss", loss)
    print("trained")
    run.complete()
"""


@pytest.fixture
def ws(azure: Any) -> Any:
    return stocked(azure)


def submitted(project: Any, ws: Any, **more: Any) -> str:
    return run(project, ws, wait=False, **more).id


def test_an_experiment_that_is_not_there_has_no_runs_and_is_not_made_by_looking(azure, ws):
    assert list_runs(ws, "churn") == []
    with pytest.raises(RunError, match=r"^no runs in the experiment 'churn' yet; start one with `invoke run`$"):
        find_run(ws, "churn")
    assert list(azure.experiments) == []


def test_runs_are_listed_newest_first_and_the_newest_is_shown(azure, ws, tmp_path):
    project = write_project(tmp_path, line_of_steps(2, "tags: {owner: me}\n"))
    first = submitted(project, ws, settings=["s1.n=7"])
    azure.on_submit = "hold"
    second = submitted(project, ws)
    submitted(project, ws, experiment="other")

    found = list_runs(ws, "pipeline")
    assert [(run.id, run.experiment, run.status, run.tags) for run in found] == [
        (second, "pipeline", "running", {"owner": "me"}),
        (first, "pipeline", "completed", {"owner": "me"}),
    ]
    assert found[1].parameters == {"s1_config": '{"n": 7}', "s2_config": '{"n": 2}'}
    assert found[1].finished >= found[1].started > 0
    assert found[0].finished is None
    assert list_runs(ws, "pipeline", limit=1) == found[:1]

    shown = find_run(ws, "pipeline")
    assert (shown.id, [(step.key, step.status) for step in shown.steps]) == (second, [("s1", "running")])
    assert [(step.key, step.status) for step in find_run(ws, "pipeline", first).steps] == [
        ("s1", "completed"),
        ("s2", "completed"),
    ]
    azure.finish(azure.submitted[1])


def test_a_run_is_found_by_the_beginning_of_its_id(azure, ws, tmp_path):
    project = write_project(tmp_path, line_of_steps(1))
    ids = [submitted(project, ws) for _ in range(3)]

    assert find_run(ws, "pipeline", ids[0][:13]).id == ids[0]
    for wanted in (ids[0][:-1] + "x", "nothing"):
        with pytest.raises(UsageError) as caught:
            find_run(ws, "pipeline", wanted)
        assert str(caught.value) == (
            f"the experiment 'pipeline' has no run '{wanted}'; `invoke runs.list` lists the runs"
        )


def test_several_runs_of_the_same_beginning_are_named(azure, ws, tmp_path):
    project = write_project(tmp_path, line_of_steps(1))
    ids = [submitted(project, ws) for _ in range(17)]
    beginning = next(one for one in "0123456789abcdef" if sum(other.startswith(one) for other in ids) > 1)

    with pytest.raises(UsageError) as caught:
        find_run(ws, "pipeline", beginning)

    same = [identifier for identifier in reversed(ids) if identifier.startswith(beginning)]
    assert str(caught.value) == f"several runs start with '{beginning}': {listed(same)}"


def test_what_scripts_logged_and_printed_on_the_cluster_is_shown(azure, ws, tmp_path):
    azure.on_submit = "execute"
    project = write_project(tmp_path, line_of_steps(2), {"steps/s2.py": LOGGING})
    submitted(project, ws)
    azure.settle()

    assert [(step.key, step.status, step.metrics()) for step in find_run(ws, "pipeline").steps] == [
        ("s1", "completed", []),
        (
            "s2",
            "completed",
            [
                {"name": "rows", "kind": "scalar", "value": 3},
                {"name": "loss", "kind": "list", "value": [0.5, 0.25]},
            ],
        ),
    ]
    assert [(log.step.key, log.name, log.text) for log in read_logs(ws, "pipeline")] == [
        ("s1", "user_logs/std_log.txt", "s1.py\n"),
        ("s2", "user_logs/std_log.txt", "trained\n"),
    ]
    assert [log.text for log in read_logs(ws, "pipeline", step="s2")] == ["trained\n"]
    with pytest.raises(UsageError, match=r"has no step 's3': started steps: s1 and s2$"):
        read_logs(ws, "pipeline", step="s3")


def test_the_logs_of_a_run_are_followed_until_its_steps_have_ended(azure, ws, tmp_path):
    azure.on_submit = "hold"
    submitted(write_project(tmp_path, line_of_steps(2)), ws)
    azure.put_log("s1", b"one\n")
    looks = []

    def pause(seconds):
        looks.append(seconds)
        if len(looks) == 1:
            azure.put_log("s1", b"one\ntwo\n")
        elif len(looks) == 2:
            azure.end_step("s1", log=b"one\ntwo\nthree\n")
            azure.put_log("s2", b"first\n")
        else:
            azure.end_step("s2", log=b"first\nlast\n")

    events = list(follow_logs(ws, "pipeline", pause=pause))

    assert [(event.step.key, getattr(event, "text", event.step.status)) for event in events[:-1]] == [
        ("s1", "one\n"),
        ("s1", "two\n"),
        ("s1", "three\n"),
        ("s1", "completed"),
        ("s2", "first\n"),
        ("s2", "last\n"),
        ("s2", "completed"),
    ]
    assert (len(looks), events[-1].run.status) == (3, "completed")


def test_one_step_is_followed_to_its_own_end(azure, ws, tmp_path):
    azure.on_submit = "hold"
    project = write_project(tmp_path, line_of_steps(2))
    submitted(project, ws)
    azure.end_step("s1", log=b"one\n")

    events = list(follow_logs(ws, "pipeline", step="s1", plan=project.plan))

    assert [getattr(event, "text", type(event).__name__) for event in events] == [
        "one\n",
        "StepFinished",
        "RunFinished",
    ]
    with pytest.raises(UsageError, match=r"has no step 's3': started steps: s1 and s2$"):
        list(follow_logs(ws, "pipeline", step="s3", plan=project.plan))


def test_a_reused_step_reports_whose_result_it_has_and_shows_that_log(azure, ws, tmp_path):
    azure.on_submit = "execute"
    project = write_project(tmp_path, line_of_steps(1))
    submitted(project, ws)
    azure.settle()
    first = find_run(ws, "pipeline").steps[0]
    submitted(project, ws)
    azure.settle()

    again = find_run(ws, "pipeline").steps[0]

    assert (again.status, again.producer) == ("reused", first.run_id)
    assert [log.text for log in read_logs(ws, "pipeline")] == ["s1.py\n"]


def test_a_failed_step_reports_why(azure, ws, tmp_path):
    azure.failing["s1"] = "The disk is full."
    submitted(write_project(tmp_path, line_of_steps(2)), ws)

    found = find_run(ws, "pipeline")

    assert (found.status, [(step.key, step.status, step.message) for step in found.steps]) == (
        "failed",
        [("s1", "failed", "The disk is full.")],
    )


def test_a_run_that_goes_on_is_cancelled_and_one_that_is_over_is_not(azure, ws, tmp_path):
    azure.on_submit = "hold"
    identifier = submitted(write_project(tmp_path, line_of_steps(2)), ws)

    assert cancel_run(ws, "pipeline").id == identifier
    assert azure.runs[identifier].status == "Canceled"
    with pytest.raises(RunError, match=rf"^cannot cancel the run {identifier}: it has already ended \(cancelled\)$"):
        cancel_run(ws, "pipeline", identifier[:8])


def test_steps_have_their_keys_where_the_plan_has_their_label(azure, ws, tmp_path):
    azure.on_submit = "execute"
    project = write_project(tmp_path, line_of_steps(2).replace("{n: 1}", "{n: 1}, step_name: The first"))
    submitted(project, ws)
    azure.settle()

    assert [step.key for step in find_run(ws, "pipeline").steps] == ["The first", "s2"]
    assert [step.key for step in find_run(ws, "pipeline", plan=project.plan).steps] == ["s1", "s2"]
    assert [log.text for log in read_logs(ws, "pipeline", step="s1", plan=project.plan)] == ["s1.py\n"]


CHILDREN = """
    from azureml.core import Run
    run = Run.get_context()
    with run.child_run("fold 1") as fold:
        fold.log("loss", 0.5)
        fold.tag("kind", "fold")
        with fold.child_run("inner") as inner:
            inner.log("z", 1)
"""


def test_the_child_runs_of_a_script_are_among_the_details_of_its_step(azure, ws, tmp_path):
    azure.on_submit = "execute"
    project = write_project(tmp_path, line_of_steps(2), {"steps/s2.py": CHILDREN})
    submitted(project, ws)
    azure.settle()

    found = run_details(ws, find_run(ws, "pipeline"), project.plan, with_logs=False)

    assert found.steps[0].record.children() == ()
    fold, inner = found.steps[1].record.children()
    assert (fold.name, [*fold.metrics], fold.tags) == (
        "s2>fold 1",
        [{"name": "loss", "kind": "scalar", "value": 0.5}],
        {"kind": "fold"},
    )
    assert (inner.name, [metric["value"] for metric in inner.metrics]) == ("s2>fold 1>inner", [1])
