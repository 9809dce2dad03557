"""A runner that is stopped or killed leaves readable records and no process, and the next run goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from azml_tasks.local.outcome import failure_text
from azml_tasks.local.runs import find_run, list_runs
from tests.local.conftest import PASS_ALONG, Project
from tests.local.runners import RUNNER, ends, text_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

WAITS = "import os, sys, time\nopen({pid!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.fixture
def waiting(project: Project, tmp_path: Path):
    """A project whose second step waits for ever, and the process that runs it, when it has come that far."""
    pid = tmp_path / "pid"
    project.line(one=PASS_ALONG, two=WAITS.format(pid=str(pid)), three=PASS_ALONG)
    process = subprocess.Popen(
        [sys.executable, "-c", RUNNER],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: text_of(pid))
    yield project, process, pid.read_text()
    process.kill()
    process.communicate()


def test_ctrl_c_stops_the_steps_and_says_so(waiting):
    project, process, pid = waiting
    run_id = find_run(project.folder).id

    # As a terminal does: to the whole foreground group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err == (
        f"run {run_id} was stopped by Ctrl-C while two was running\nskipped: three\n"
        "`invoke run` goes on from there: steps that have completed are reused\n"
    )
    assert "the run was stopped by Ctrl-C; waiting for its steps to end\n" in out
    assert ends(pid)
    run = find_run(project.folder)
    assert (run.status, project.statuses(run)) == (
        "cancelled",
        {"one": "completed", "two": "cancelled", "three": "skipped"},
    )
    assert run["two"].message == "it was stopped by Ctrl-C"


def test_a_second_ctrl_c_does_not_wait(project, tmp_path):
    pid = tmp_path / "pid"
    ignores = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    project.line(one=ignores + WAITS.format(pid=str(pid)))
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER], cwd=project.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        wait_for(lambda: text_of(pid))
        process.send_signal(signal.SIGINT)
        for line in process.stdout:
            if "waiting for its steps to end" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=4)

    assert process.returncode == 1
    assert ends(pid.read_text())


def test_sigterm_stops_the_run_like_ctrl_c(waiting):
    project, process, pid = waiting

    process.terminate()
    process.communicate(timeout=60)

    assert ends(pid)
    assert find_run(project.folder)["two"].message == "it was stopped by SIGTERM"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere steps outlive a runner that was killed")
def test_a_runner_that_is_killed_takes_its_steps_along_and_the_next_run_goes_on(waiting):
    project, process, pid = waiting

    process.kill()
    process.communicate()

    assert ends(pid)
    run = find_run(project.folder)
    assert (run.status, project.statuses(run)) == (
        "interrupted",
        {"one": "completed", "two": "interrupted", "three": "waiting"},
    )
    assert failure_text(run) == (
        f"run {run.id} was interrupted while two was running\n"
        "`invoke run` goes on from there: steps that have completed are reused"
    )
    project.write({"two.py": PASS_ALONG})
    after = project.run()
    assert project.statuses(after) == {"one": "reused", "two": "completed", "three": "completed"}
    assert project.log(after, "three") == "read: one two \n"


def test_a_run_that_goes_on_is_running(waiting):
    project, _, _ = waiting

    run = find_run(project.folder)

    assert (run.status, project.statuses(run)) == (
        "running",
        {"one": "completed", "two": "running", "three": "waiting"},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere steps outlive a runner that was killed")
def test_kills_at_many_moments_leave_every_record_readable_and_the_next_run_right(project, slow: bool):
    script = PASS_ALONG.replace("way = ", "import time; time.sleep(0.02)\nway = ", 1)
    project.line(one=script, two=script, three=script, four=script)
    kills = 50 if slow else 12
    for kill in range(kills):
        project.write({"one.py": script + f"# {kill}\n"})
        with subprocess.Popen(
            [sys.executable, "-c", RUNNER], cwd=project.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            runs = len(list_runs(project.folder))
            wait_for(lambda before=runs: len(list_runs(project.folder)) > before)
            time.sleep(random.Random(kill).uniform(0, 0.25))
            process.kill()
        run = find_run(project.folder)
        assert run.status in ("interrupted", "completed")
        assert not {"running"} & set(project.statuses(run).values())

    final = project.run()

    assert final.status == "completed"
    assert project.log(final, "four") == "read: one two three \n"


def test_two_runs_at_once_do_not_mix(project):
    slow = PASS_ALONG.replace("way = ", "import time; time.sleep(0.1)\nway = ", 1)
    project.line(one=slow, two=slow, three=slow)
    command = [sys.executable, "-c", RUNNER]

    both = [subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL) for _ in range(2)]

    assert [process.wait() for process in both] == [0, 0]
    runs = list_runs(project.folder)
    assert [run.status for run in runs] == ["completed", "completed"]
    assert len({run.id for run in runs}) == 2
    for run in runs:
        assert project.log(run, "three") == "read: one two \n"
