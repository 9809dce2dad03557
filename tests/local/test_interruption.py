"""A runner that is stopped or killed leaves readable records and no process, and the next run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from azml_tasks.local.run.failure import failure_text
from azml_tasks.local.runs import find_run
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.runs.records import StepFinished
from tests.local.conftest import PASS_ALONG, Project, linux
from tests.local.runners import RUNNER, children_of, ends, kill, text_of, wait_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

WAITS = "import os, sys, time\nopen({pid!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)\n"


@pytest.fixture
def waiting(project: Project, tmp_path: Path):
    """A project whose second step waits for ever, and the process that runs it, when it has come that far.

    The result of the first step is stored then, too.
    """
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
    wait_for(lambda: text_of(pid) and text_of(ProjectPaths.of(project.folder).results))
    yield project, process, pid.read_text()
    process.kill()
    process.communicate()


def test_ctrl_c_stops_the_steps_and_reports_it(waiting):
    project, process, pid = waiting
    run_id = find_run(project.folder).id

    # As a terminal does: to the whole foreground group.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert err == (
        f"run {run_id} was stopped by Ctrl-C while two was running\nskipped: three\n"
        "Run `invoke run` again to continue; completed steps are reused\n"
    )
    assert "the run was stopped by Ctrl-C; waiting for the running steps to end\n" in out
    assert ends(pid)
    run = find_run(project.folder)
    assert (run.status, project.statuses(run)) == (
        "cancelled",
        {"one": "completed", "two": "cancelled", "three": "skipped"},
    )
    assert run["two"].message == "stopped by Ctrl-C"


def press_ctrl_c(event: object) -> None:
    """Press it when a step has ended, and before another is started."""
    if isinstance(event, StepFinished):
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_between_two_steps_is_reported_too(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG)

    run = project.run(on_event=press_ctrl_c)

    assert project.statuses(run) == {"one": "completed", "two": "skipped"}
    assert failure_text(find_run(project.folder)) == (
        f"run {run.id} was stopped by Ctrl-C\nskipped: two\n"
        "Run `invoke run` again to continue; completed steps are reused"
    )


def test_ctrl_c_when_the_last_step_has_completed_changes_nothing(project):
    project.line(one=PASS_ALONG)

    run = project.run(on_event=press_ctrl_c)

    assert (run.status, find_run(project.folder).stopped_by) == ("completed", "")


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
            if "waiting for the running steps to end" in line:
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
    assert find_run(project.folder)["two"].message == "stopped by SIGTERM"


@pytest.mark.thorough
def test_a_run_that_is_to_outlive_its_terminal_does(project, tmp_path):
    begun, go = tmp_path / "begun", tmp_path / "go"
    project.line(
        one=f"""
            import os, time
            open({str(begun)!r}, "w").close()
            while not os.path.exists({str(go)!r}):
                time.sleep(0.01)
        """
    )
    command = ["sh", "-c", 'trap "" HUP INT; exec "$0" "$@"', sys.executable, "-c", RUNNER]
    with subprocess.Popen(command, cwd=project.folder, stdout=subprocess.DEVNULL) as process:
        wait_for(begun.exists)
        for number in (signal.SIGHUP, signal.SIGINT):
            process.send_signal(number)
        go.touch()

    assert process.returncode == 0
    assert find_run(project.folder).status == "completed"


@linux
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
        "Run `invoke run` again to continue; completed steps are reused"
    )
    project.write({"two.py": PASS_ALONG})
    after = project.run()
    assert project.statuses(after) == {"one": "reused", "two": "completed", "three": "completed"}
    assert project.log(after, "three") == "read: one two \n"


@linux
def test_a_killed_runner_without_a_waiting_parent_is_gone(waiting):
    """As in a container whose first process does not look after others."""
    project, process, pid = waiting

    process.kill()

    # The step is told before the runner itself is wholly gone.
    assert ends(pid)
    assert ends(str(process.pid))
    assert find_run(project.folder).status == "interrupted"


@linux
def test_a_runner_that_is_killed_with_the_fork_server_takes_its_steps_along(waiting):
    _, process, pid = waiting
    (server,) = children_of(process.pid)

    process.send_signal(signal.SIGSTOP)  # So that it does not see the other go.
    kill(server)
    process.kill()

    assert ends(pid)


def test_a_run_that_goes_on_is_running(waiting):
    project, _, _ = waiting

    run = find_run(project.folder)

    assert (run.status, project.statuses(run)) == (
        "running",
        {"one": "completed", "two": "running", "three": "waiting"},
    )
