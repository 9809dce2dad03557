"""What a run says while it goes on and when it did not complete: whole texts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from azml_tasks.errors import ProjectError, RunError
from azml_tasks.local.outcome import failure_text, raise_for_status
from azml_tasks.local.record import RunRecord, StepRecord
from azml_tasks.local.runs import find_run
from azml_tasks.runs.events import RunFinished, RunStarted, StepFinished, StepReused, StepSkipped, StepStarted, Tick
from azml_tasks.runs.progress import LiveProgress, Progress, progress_on, seconds_text
from tests.local.conftest import PASS_ALONG

NEXT = "`invoke run` goes on from there: steps that have completed are reused"


def log_of(run: RunRecord, step: str) -> Path:
    return run[step].places.log


def test_a_failing_step_shows_its_own_traceback_its_log_what_was_skipped_and_how_to_go_on(project):
    project.write({"lib/parts.py": "def divide(a):\n    return a / 0\n"})
    project.line(
        prepare=PASS_ALONG,
        train="import sys\nfrom lib import parts\nprint('before')\nparts.divide(1)\n",
        evaluate=PASS_ALONG,
        report=PASS_ALONG,
    )

    run = project.run()

    with pytest.raises(RunError) as caught:
        raise_for_status(run)
    assert re.sub(r"\n +[~^]+(?=\n)", "", str(caught.value)) == (
        "step 'train' failed: exit status 1\n"
        "  Traceback (most recent call last):\n"
        '    File "train.py", line 4, in <module>\n'
        "      parts.divide(1)\n"
        '    File "lib/parts.py", line 2, in divide\n'
        "      return a / 0\n"
        "  ZeroDivisionError: division by zero\n"
        f"its log: {log_of(run, 'train')}\n"
        "skipped: evaluate and report\n"
        f"{NEXT}"
    )
    assert caught.value.exit_status == 1
    assert "before\n" in project.log(run, "train")


def test_what_an_error_arose_from_is_shown_too(project):
    run = project.line(
        a="try:\n    {}['x']\nexcept KeyError as error:\n    raise ValueError('no x') from error\n"
    ).run()

    assert re.sub(r"\n +[~^]+(?=\n)", "", run["a"].detail) == (
        "Traceback (most recent call last):\n"
        '  File "a.py", line 2, in <module>\n'
        "    {}['x']\n"
        "KeyError: 'x'\n"
        "\n"
        "The above exception was the direct cause of the following exception:\n"
        "\n"
        "Traceback (most recent call last):\n"
        '  File "a.py", line 4, in <module>\n'
        "    raise ValueError('no x') from error\n"
        "ValueError: no x"
    )


def test_without_a_traceback_the_last_lines_are_shown(project):
    run = project.line(a="for n in range(30): print(n)\nraise SystemExit(2)").run()

    assert failure_text(run) == (
        "step 'a' failed: exit status 2\n"
        + "".join(f"  {n}\n" for n in range(20, 30))
        + f"its log: {log_of(run, 'a')}\n{NEXT}"
    )


def test_a_long_log_and_a_deep_traceback_are_cut(project):
    run = project.line(
        a="""
            import sys
            sys.setrecursionlimit(10_000)
            print("x" * 10_000_000)
            def f(n):
                if n % 2:
                    g(n)
                else:
                    g(n)
            def g(n):
                h(n) if n else 1 / 0
            def h(n):
                f(n - 1)
            f(3000)
        """
    ).run()

    lines = run["a"].detail.splitlines()
    assert len(lines) <= 40
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_the_hint_says_which_include_mends_a_missing_file(project):
    project.write({"params.json": "{}"})
    run = project.line(a="open('params.json')").run()

    assert run["a"].hint == (
        "'params.json' is in the project, but not in the step's snapshot: add `include: [params.json]` to the step"
    )
    assert f"\n{run['a'].hint}\nits log: " in failure_text(run)


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (
            "import no_such_package",
            "'no_such_package' is neither in the project nor installed here: `pip install no_such_package`, and add "
            "no_such_package to pip_packages of the environment 'e'",
        ),
        ("try:\n    import no_such_package\nexcept ImportError as error:\n    raise SystemExit(f'{error}, sorry')", ""),
        ("print(\"ModuleNotFoundError: No module named 'no_such_package'\")\n1 / 0", ""),
    ],
)
def test_the_hint_says_what_installs_a_missing_package(project, script, hint):
    project.write(
        {
            "pipeline.yaml": "backend: local\nenv_name: e\nenvironments: {e: {}}\nsteps: {a: {script_name: a.py}}\n",
            "a.py": script,
        }
    )

    assert project.run()["a"].hint == hint


def test_a_killed_step_says_what_may_be_the_reason(project):
    run = project.line(a="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)").run()

    assert run["a"].message == "it was killed (SIGKILL), perhaps for want of memory"


def test_the_exit_status_decides_and_not_what_the_script_says_of_its_run(project):
    run = project.line(a="from azureml.core import Run\nRun.get_context().fail('the data are stale')", b="").run()

    assert project.statuses(run) == {"a": "completed", "b": "completed"}


def test_a_script_that_cancels_the_pipelines_run_has_not_completed(project):
    run = project.line(a="from azureml.core import Run\nRun.get_context().parent.cancel()", b="").run()

    assert project.statuses(run) == {"a": "cancelled", "b": "skipped"}
    assert run["a"].message == "it was stopped by run.parent.cancel()"
    assert project.run()["a"].status == "cancelled"


def test_a_script_that_cancels_the_pipelines_run_stops_the_other_steps_too(project):
    project.pipeline(
        """
        steps:
          judge: {script_name: judge.py, output_folders: []}
          long: {script_name: long.py, input_folders: {}}
          register: {script_name: any.py, input_folders: {}, run_after: [judge]}
        """,
        judge="from azureml.core import Run\nRun.get_context().parent.cancel()",
        long="import time; time.sleep(600)",
        any="",
    )

    run = project.run(jobs=2)

    assert (run.status, project.statuses(run)) == (
        "cancelled",
        {"judge": "cancelled", "long": "cancelled", "register": "skipped"},
    )
    assert failure_text(run) == (
        f"run {run.id} was stopped by run.parent.cancel() while judge and long were running\nskipped: register\n{NEXT}"
    )


DIAMOND = """
    {options}
    steps:
      bad: {{script_name: bad.py, output_folders: []}}
      good: {{script_name: good.py, input_folders: {{}}}}
      after_bad: {{script_name: any.py, input_folders: {{}}, run_after: [bad]}}
      after_good: {{script_name: any.py, input_folders: {{}}, run_after: [good]}}
      last: {{script_name: any.py, input_folders: {{}}, run_after: [after_bad, after_good]}}
"""


def test_after_a_failure_nothing_more_is_started(project):
    project.pipeline(DIAMOND.format(options=""), bad="raise SystemExit(1)", good="", any="")

    run = project.run(jobs=1)

    assert [(step.key, step.status, step.reason) for step in run.steps if step.status == "skipped"] == [
        (key, "skipped", "'bad' failed") for key in ("good", "after_bad", "after_good", "last")
    ]


def test_a_step_that_runs_when_another_fails_is_let_end(project, tmp_path):
    sign = tmp_path / "failed"
    project.pipeline(
        DIAMOND.format(options=""),
        bad=f"open({str(sign)!r}, 'w').close()\nraise SystemExit(1)",
        good=f"import os, time\nwhile not os.path.exists({str(sign)!r}): time.sleep(0.01)\ntime.sleep(0.2)",
        any="",
    )

    run = project.run(jobs=2)

    assert project.statuses(run)["good"] == "completed"


def test_continue_on_step_failure_runs_what_does_not_follow_the_failed_step(project):
    project.pipeline(
        DIAMOND.format(options="continue_on_step_failure: true"), bad="raise SystemExit(1)", good="", any=""
    )

    run = project.run()

    assert run.status == "failed"
    assert project.statuses(run) == {
        "bad": "failed",
        "good": "completed",
        "after_bad": "skipped",
        "after_good": "completed",
        "last": "skipped",
    }
    assert run["last"].reason == "it follows 'after_bad', which did not complete"


def test_files_that_cannot_be_run_from_stop_the_run_before_it_begins(project):
    project.line(a="x = (", b="", c="")
    (project.folder / "b.py").unlink()

    with pytest.raises(ProjectError) as caught:
        project.run()

    assert [problem.file for problem in caught.value.problems] == ["a.py", "b.py"]
    assert not (project.folder / ".azml/runs").exists()


def test_the_events_of_a_run_in_their_order(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three="raise SystemExit(1)", four=PASS_ALONG)
    project.run(only="one")

    run = project.run()

    assert [type(event) for event in project.events] == [
        RunStarted,
        StepReused,
        StepStarted,
        StepFinished,
        StepStarted,
        StepFinished,
        StepSkipped,
        RunFinished,
    ]
    assert project.events[-1].run == run


# Progress


def shown(progress_type, events, **texts) -> str:
    stream = io.StringIO()
    progress = progress_type(stream)
    for event in events:
        progress(event)
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "ID", stream.getvalue())
    return re.sub(r"\d+\.\d+ s", "N s", text)


def test_plain_lines_tell_what_happens_and_why(project):
    project.line(one=PASS_ALONG, two="raise SystemExit(3)", three=PASS_ALONG)
    project.run(only="one")
    project.run()

    assert shown(Progress, project.events) == (
        "run ID of experiment pipeline: 3 steps on this machine\n"
        "one: reused from ID\n"
        "two: started; it has no finished result yet\n"
        "two: failed after N s: exit status 3\n"
        "three: skipped; 'two' failed\n"
        "run ID failed after N s\n"
    )


def test_a_terminal_shows_one_running_line_below_those_that_are_over(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    project.run()
    events = [
        event for event in project.events for event in ([event, Tick()] if isinstance(event, StepStarted) else [event])
    ]

    assert screen(shown(LiveProgress, events)) == [
        "run ID of experiment pipeline: 2 steps on this machine",
        "one: completed after N s",
        "two: completed after N s",
        "run ID completed after N s",
    ]
    assert screen(shown(LiveProgress, events[:2])) == [
        "run ID of experiment pipeline: 2 steps on this machine",
        "running: one N s; 1 to go",
    ]
    assert screen(shown(LiveProgress, events[:4])) == [
        "run ID of experiment pipeline: 2 steps on this machine",
        "one: completed after N s",
    ]


def test_the_running_line_fits_a_terminal_of_80_columns(project, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    places = project_places(project)
    running = [StepStarted(StepRecord("a_step_with_a_long_name_" + "x" * n, places=places)) for n in range(9)]

    (line,) = screen(shown(LiveProgress, running))

    assert 60 < len(line) <= 79
    assert line.endswith("...")


def project_places(project):
    project.line(a="")
    return project.run()["a"].places


def screen(text: str) -> list[str]:
    """Return the lines that a terminal shows after this text."""
    lines, column = [""], 0
    for character in text:
        if character == "\n":
            lines.append("")
            column = 0
        elif character == "\r":
            column = 0
        elif character == "\b":
            column -= 1
        else:
            lines[-1] = lines[-1][:column].ljust(column) + character + lines[-1][column + 1 :]
            column += 1
    return [line.rstrip() for line in lines if line.strip()]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_drawn_on_unless_it_is_dumb_or_in_ci():
    assert isinstance(progress_on(Terminal(), {}), LiveProgress)
    assert not isinstance(progress_on(Terminal(), {"CI": "true"}), LiveProgress)
    assert not isinstance(progress_on(Terminal(), {"TERM": "dumb"}), LiveProgress)
    assert not isinstance(progress_on(io.StringIO(), {}), LiveProgress)


def test_a_reader_that_leaves_does_not_end_the_run(project):
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    project.line(a="")
    project.run()
    progress = Progress(Closed())
    for event in project.events:
        progress(event)

    assert find_run(project.folder).status == "completed"


def test_an_encoding_that_lacks_a_letter_does_not_end_the_run():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    record = StepRecord("prépare", "skipped", "…", places=None)
    Progress(stream)(StepSkipped(record))

    assert raw.getvalue() == b"pr?pare: skipped; ?\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.994, "0.99 s"),
        (0.996, "1.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (185, "3 min 5 s"),
        (3599.7, "1 h 0 min"),
        (7500, "2 h 5 min"),
    ],
)
def test_time_spans_as_people_say_them(seconds, text):
    assert seconds_text(seconds) == text
