"""Runs afterwards: listed, found, read."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from azml_tasks.errors import RunError, UsageError
from azml_tasks.local.prune import prune
from azml_tasks.local.runs import find_run, list_runs
from azml_tasks.local.store.process import ProcessIdentity
from tests.local.conftest import PASS_ALONG


def test_runs_are_listed_the_newest_first_as_they_were_recorded(project):
    project.line(a="", b="raise SystemExit(1)")
    runs = [project.run(experiment=name) for name in ("first", "second", "third")]

    listed = list_runs(project.folder)

    assert [(run.id, run.experiment, run.status) for run in listed] == [
        (run.id, run.experiment, "failed") for run in reversed(runs)
    ]
    assert listed[-1].steps == runs[0].steps
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", run.id) for run in runs)


def test_a_run_is_found_by_the_beginning_of_its_id(project):
    project.line(a="")
    first, second = project.run(), project.run()

    assert find_run(project.folder).id == second.id
    assert find_run(project.folder, first.id).id == first.id
    assert find_run(project.folder, second.id[:-1] if second.id[:-1] != first.id[:-1] else second.id).id == second.id
    with pytest.raises(UsageError) as several:
        find_run(project.folder, first.id[:4])
    assert str(several.value) == f"several runs start with '{first.id[:4]}': {second.id} and {first.id}"
    with pytest.raises(UsageError) as none:
        find_run(project.folder, "nosuch")
    assert str(none.value) == "no run 'nosuch'; `invoke runs.list` lists the runs"


def test_nothing_has_been_run_yet(project):
    with pytest.raises(RunError) as none:
        find_run(project.folder)

    assert str(none.value) == "no runs yet; start one with `invoke run`"
    assert list_runs(project.folder) == []


@pytest.mark.skipif(sys.platform == "win32", reason="a link that leads to itself")
def test_runs_that_cannot_be_read_are_said(project):
    (project.folder / ".azml").mkdir()
    (project.folder / ".azml/runs").symlink_to("runs")

    for looks in (list_runs, find_run, prune):
        with pytest.raises(RunError, match=r"^the runs cannot be read: .*runs$"):
            looks(project.folder)


def test_a_run_that_ends_while_it_is_looked_at_is_not_mistaken_for_interrupted(project, monkeypatch):
    project.line(a="")
    run = project.run()
    replace(run, status="running", process=ProcessIdentity.own()).save()

    def ends(process: ProcessIdentity) -> bool:
        run.save()
        return False

    monkeypatch.setattr(ProcessIdentity, "is_alive", ends)

    assert find_run(project.folder).status == "completed"


def test_a_folder_without_a_readable_record_is_no_run(project):
    project.line(a="")
    run = project.run()
    for name, content in (("99990101-000000-0000", "{"), ("99990101-000000-0001", '{"version": 99}')):
        project.write({f".azml/runs/{name}/run.json": content})
    project.write({".azml/runs/99990101-000000-0002/other": ""})

    assert [found.id for found in list_runs(project.folder)] == [run.id]
    assert find_run(project.folder).id == run.id


def test_a_process_that_has_the_number_of_another_is_not_mistaken_for_it():
    own = ProcessIdentity.own()

    assert own.is_alive()
    assert not ProcessIdentity(own.pid, "another start").is_alive()
    assert not ProcessIdentity(2**22 + 1, "").is_alive()


def test_a_record_is_what_its_values_say_and_its_log_and_metrics_are_found(project):
    project.line(a="from azureml.core import Run\nRun.get_context().log('x', 1)\nprint('hello')")
    project.run()

    step = find_run(project.folder)["a"]

    assert (step.status, step.exit_code, step.argv) == ("completed", 0, ("a.py",))
    assert 0 <= step.seconds < 60
    assert [(metric["name"], metric["value"]) for metric in step.metrics()] == [("x", 1)]
    assert step.places.log.read_text() == "hello\n"


def test_a_reused_step_shows_the_log_and_metrics_of_the_run_that_made_it(project):
    project.line(a="from azureml.core import Run\nRun.get_context().log('x', 1)\nprint('hello')")
    first = project.run()
    project.run()

    step = find_run(project.folder)["a"]

    assert (step.status, step.producer) == ("reused", first.id)
    assert [metric["value"] for metric in step.metrics()] == [1]
    assert step.places.log.read_text() == "hello\n"


def test_no_secret_of_the_environment_is_in_any_file_of_azml(project, monkeypatch):
    monkeypatch.setenv("STORAGE_KEY", "s3cr3t-value")
    project.line(a=PASS_ALONG, b="raise ValueError")
    project.run()

    for file in (project.folder / ".azml").rglob("*"):
        assert not file.is_file() or b"s3cr3t-value" not in file.read_bytes(), file


def test_azml_ignores_itself_in_git(project):
    project.line(a="").run()

    assert (project.folder / ".azml/.gitignore").read_text() == "*\n"
