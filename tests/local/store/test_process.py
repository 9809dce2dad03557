"""A run that goes on is known to, wherever its runner's process is not to be seen."""

from __future__ import annotations

import json
import os
import signal

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.prune import prune
from azml_tasks.local.runs import cancel_run, find_run, list_runs
from azml_tasks.local.store.process import is_held
from tests.local.conftest import linux
from tests.local.runners import wait_for


@pytest.fixture
def elsewhere(project, start):
    """A run that waits in its step, and whose process has another number there than here, as in a container."""
    project.line(one="import pathlib, time; pathlib.Path('begun').touch(); time.sleep(600)")
    runner = start("cold")
    wait_for(lambda: list(project.folder.glob(".azml/runs/*/steps/one/work/begun")))
    (record,) = project.folder.glob(".azml/runs/*/run.json")
    values = json.loads(record.read_text())
    record.write_text(json.dumps({**values, "process": {"pid": os.getpid(), "started": "another start"}}))
    return runner


@linux
def test_a_run_elsewhere_goes_on(project, elsewhere):
    run = find_run(project.folder)
    assert (run.status, project.statuses(run)) == ("running", {"one": "running"})


@linux
def test_a_run_elsewhere_is_not_pruned(project, elsewhere):
    assert prune(project.folder, keep=0).runs == []
    assert [run.status for run in list_runs(project.folder)] == ["running"]


@linux
def test_a_run_elsewhere_is_cancelled_there(project, elsewhere):
    with pytest.raises(RunError) as caught:
        cancel_run(project.folder)
    identifier = find_run(project.folder).id
    assert str(caught.value) == (
        f"the run {identifier} is running in another container or on another machine; cancel it there"
    )


@linux
def test_a_run_elsewhere_that_is_killed_is_interrupted(project, elsewhere):
    os.kill(elsewhere.process.pid, signal.SIGKILL)
    elsewhere.process.wait()
    assert find_run(project.folder).status == "interrupted"
    assert prune(project.folder, keep=0).runs == [elsewhere.run_id]


@linux
def test_a_run_whose_lock_was_deleted_is_known_by_its_process(project, start):
    project.line(one="import pathlib, time; pathlib.Path('begun').touch(); time.sleep(600)")
    start("cold")
    wait_for(lambda: list(project.folder.glob(".azml/runs/*/steps/one/work/begun")))
    (lock,) = project.folder.glob(".azml/runs/*/runner.lock")
    lock.unlink()
    assert find_run(project.folder).status == "running"


def test_a_run_that_is_over_holds_no_lock(project):
    project.line(one="")
    run = project.run()
    assert run.places.lock.read_bytes() == b""
    values = json.loads(run.places.record.read_text())
    run.places.record.write_text(json.dumps({**values, "status": "running", "process": None}))
    assert find_run(project.folder).status == "interrupted"


def test_a_lock_that_cannot_be_read_counts_as_not_held(project):
    project.line(one="")
    run = project.run()
    run.places.lock.unlink()
    run.places.lock.mkdir()
    assert not is_held(run.places)
