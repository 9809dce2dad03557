"""A step that does not end is stopped, gently first."""

from __future__ import annotations

import os

import pytest


def test_a_step_that_takes_too_long_is_stopped(project, way):
    project.pipeline(
        """
        continue_on_step_failure: true
        steps:
          gentle: {script_name: gentle.py, max_run_duration_seconds: 1}
          quick: {script_name: quick.py, input_folders: {}, max_run_duration_seconds: 100}
        """,
        gentle="import time; time.sleep(600)",
        quick="",
    )

    run = project.run(**way)

    assert run["gentle"].message == "stopped after 1 s (max_run_duration_seconds)"
    assert project.statuses(run) == {"gentle": "failed", "quick": "completed"}
    assert run["gentle"].seconds < 60


def test_a_step_that_ignores_the_request_to_stop_is_killed(project, way):
    project.pipeline(
        "steps: {stubborn: {script_name: stubborn.py, max_run_duration_seconds: 1}}",
        stubborn="import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    )

    run = project.run(grace=0.3, **way)

    assert (run["stubborn"].status, run["stubborn"].exit_code) == ("failed", -9)


@pytest.mark.thorough
def test_a_script_that_ends_well_after_a_request_to_stop_has_still_not_done_its_work(project, way):
    project.pipeline(
        "steps: {a: {script_name: a.py, max_run_duration_seconds: 1}}",
        a="import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(0))\ntime.sleep(600)",
    )

    run = project.run(**way)

    assert (run["a"].status, run["a"].exit_code) == ("failed", 0)


NEVER_END = {
    "stops": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    "blocks": "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals()); signal.pause()",
    "thread": "import threading; threading.Thread(target=threading.Event().wait).start()",
    "waits": "import threading; threading.Barrier(2).wait()",
    "loops": "while True: pass",
    "catches": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "command": "import subprocess; subprocess.run(['sh', '-c', 'trap \"\" TERM; sleep 600; sleep 600'])",
    "exit": "import atexit, time; atexit.register(time.sleep, 600)",
}


@pytest.mark.thorough
def test_steps_that_never_end_are_ended(project, way):
    options = "input_folders: {}, max_run_duration_seconds: 1"
    steps = "".join(f"  {name}: {{script_name: {name}.py, {options}}}\n" for name in NEVER_END)
    project.pipeline(f"continue_on_step_failure: true\nsteps:\n{steps}", **NEVER_END)

    run = project.run(grace=0.2, jobs=len(NEVER_END), **way)

    message = "stopped after 1 s (max_run_duration_seconds)"
    assert {step.key: (step.status, step.message) for step in run.steps} == dict.fromkeys(
        NEVER_END, ("failed", message)
    )


def test_ctrl_c_kills_a_step_that_ignores_the_request_to_stop(project, way):
    project.line(
        a=f"""
            import os, signal, time
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            os.kill({os.getpid()}, signal.SIGINT)
            time.sleep(600)
        """
    )

    run = project.run(grace=0.3, **way)

    assert (run.status, run["a"].status, run["a"].exit_code) == ("cancelled", "cancelled", -9)
