"""Kills at random moments leave readable records and no process, and the next run goes on and is right."""

from __future__ import annotations

import os
import signal
import time
from random import Random

import pytest

from azml_tasks.local.runs import find_run, list_runs
from tests.local.conftest import PASS_ALONG, Project, linux
from tests.local.runners import Runner, kill, text_of, wait_for

pytestmark = linux

# A process in the background that stays in the step's group, and one that leaves its session.
CHILD = """
import time
if os.fork() == 0:
    time.sleep(600)
    os._exit(0)
"""
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
"""
TAKES_A_WHILE = "time.sleep(0.02)\n"


def the_runner(runner: Runner, chance: Random) -> None:
    runner.process.kill()


def everything(runner: Runner, chance: Random) -> None:
    runner.kill_everything(chance)


def any_process(runner: Runner, chance: Random) -> None:
    """Kill the runner, the process that starts its steps, a step or a child of one."""
    pids = runner.pids()
    if pids:
        kill(chance.choice(pids))


def in_vain(runner: Runner) -> bool:
    """Say whether the run ended as runs do, in spite of a kill: well, or with a sentence."""
    status, said = runner.process.wait(timeout=60), runner.err.read_text()
    assert "\nTraceback" not in f"\n{said}"
    assert status == -9 or bool(said) == (status == 1)
    return status in (0, 1)


def change(project: Project, script: str, number: int) -> None:
    """Change some of the scripts, so that some of the steps are reused."""
    for name, every in (("one", 8), ("two", 4), ("three", 2), ("four", 1)):
        project.write({f"{name}.py": f"{script}# {number // every}\n"})


@pytest.mark.parametrize("way", ["warm", pytest.param("cold", marks=pytest.mark.thorough)])
@pytest.mark.parametrize(
    ("killed", "script"),
    [
        (the_runner, PASS_ALONG + CHILD + DAEMON + TAKES_A_WHILE),
        pytest.param(everything, PASS_ALONG + CHILD + DAEMON + TAKES_A_WHILE, marks=pytest.mark.thorough),
        (any_process, PASS_ALONG + CHILD + TAKES_A_WHILE),
    ],
    ids=["the runner", "everything", "any process"],
)
def test_kills_at_many_moments(project, start, way, killed, script, chance, slow):
    project.line(one=script, two=script, three=script, four=script)
    began = time.monotonic()
    assert start(way).wait() == 0
    span = time.monotonic() - began
    for number in range(50 if slow else 3):
        change(project, script, number)
        before = {run.id for run in list_runs(project.folder)}
        runner = start(way)
        time.sleep(chance.uniform(0, span))
        killed(runner, chance)
        ended = in_vain(runner)
        assert runner.leaves_nothing()
        for run in list_runs(project.folder):
            if run.id not in before:
                assert run.status in (("completed", "failed", "interrupted") if ended else ("interrupted", "completed"))
                assert not {"running"} & {*project.statuses(run).values()}
        after = project.run()
        assert (after.status, project.log(after, "four")) == ("completed", "read: one two three \n")


@pytest.mark.thorough
def test_kills_of_a_runner_whose_steps_outlive_it(project, start, chance, slow):
    """As on macOS and Windows: they go on by themselves, and do not disturb the next run."""
    script = PASS_ALONG + CHILD + TAKES_A_WHILE
    project.line(one=script, two=script, three=script, four=script)
    began = time.monotonic()
    assert start("subprocesses").wait() == 0
    span = time.monotonic() - began
    for number in range(50 if slow else 3):
        change(project, script, number)
        runner = start("subprocesses")
        time.sleep(chance.uniform(0, span))
        killed = chance.choice([the_runner, everything])
        killed(runner, chance)
        runner.process.wait()
        interrupted = find_run(project.folder)
        assert interrupted.status in ("interrupted", "completed")
        after = project.run()
        assert (after.status, project.log(after, "four")) == ("completed", "read: one two three \n")
        runner.kill_everything(chance)


@pytest.mark.parametrize("way", ["warm", pytest.param("cold", marks=pytest.mark.thorough)])
def test_ctrl_c_at_many_moments(project, start, way, chance, slow):
    """From the first line that the run prints on, which may be before its steps or after them."""
    script = PASS_ALONG + CHILD + TAKES_A_WHILE
    project.line(one=script, two=script, three=script)
    for number in range(50 if slow else 3):
        change(project, script, number)
        runner = start(way)
        wait_for(lambda runner=runner: text_of(runner.out))
        time.sleep(chance.uniform(0, 0.4))
        os.killpg(runner.process.pid, signal.SIGINT)
        status, said = runner.wait(), runner.err.read_text()
        print(number, status, said)
        assert "Traceback" not in said
        assert status in (0, 1, -signal.SIGINT)
        assert runner.leaves_nothing()
        if runner.run_id:
            run = find_run(project.folder, runner.run_id)
            assert run.status in ("completed", "cancelled", "interrupted")
            assert (f"run {run.id} was stopped by Ctrl-C" in said) == (run.status == "cancelled")
        after = project.run()
        assert (after.status, project.log(after, "three")) == ("completed", "read: one two \n")
