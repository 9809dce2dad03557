"""A step that does not end is stopped, gently first."""

from __future__ import annotations


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

    assert run["gentle"].message == "it was stopped after 1 s, its max_run_duration_seconds"
    assert project.statuses(run) == {"gentle": "failed", "quick": "completed"}
    assert run["gentle"].seconds < 60


def test_a_step_that_does_not_end_when_told_is_killed(project, way):
    project.pipeline(
        "steps: {stubborn: {script_name: stubborn.py, max_run_duration_seconds: 1}}",
        stubborn="import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)",
    )

    run = project.run(grace=0.3, **way)

    assert (run["stubborn"].status, run["stubborn"].exit_code) == ("failed", -9)


def test_a_script_that_ends_well_when_told_to_stop_has_still_not_done_its_work(project, way):
    project.pipeline(
        "steps: {a: {script_name: a.py, max_run_duration_seconds: 1}}",
        a="import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *a: sys.exit(0))\ntime.sleep(600)",
    )

    run = project.run(**way)

    assert (run["a"].status, run["a"].exit_code) == ("failed", 0)
