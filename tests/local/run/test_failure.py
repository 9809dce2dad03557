"""What a run that did not complete prints: whole texts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from azml_tasks.errors import ProjectError, RunError
from azml_tasks.local.run.failure import failure_text, raise_for_status
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.runs.records import RunFinished, RunStarted, StepFinished, StepReused, StepSkipped, StepStarted
from tests.local.conftest import PASS_ALONG

NEXT = "Run `invoke run` again to continue; completed steps are reused"


def log_of(run: LocalRunRecord, step: str) -> Path:
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
        f"log: {log_of(run, 'train')}\n"
        "skipped: evaluate and report\n"
        f"{NEXT}"
    )
    assert caught.value.exit_status == 1
    assert "before\n" in project.log(run, "train")


def test_the_same_error_with_another_remedy_is_shown_again(project):
    project.pipeline(
        "continue_on_step_failure: true\nsteps:\n"
        "  a: {script_name: a.py, env_name: one, input_folders: {}, output_folders: []}\n"
        "  b: {script_name: a.py, env_name: two, input_folders: {}, output_folders: []}\n"
        "environments:\n  one: {pip_packages: [gone-away]}\n  two: {pip_packages: []}",
        a="import gone_away\n",
    )

    run = project.run()

    text = failure_text(run)
    assert "failed like" not in text
    assert [step.hint in text for step in run.steps] == [True, True]
    assert len({step.hint for step in run.steps}) == 2


def test_an_error_of_several_steps_is_shown_once(project):
    project.pipeline(
        "continue_on_step_failure: true\nsteps:\n"
        "  a: {script_name: a.py, arguments: [1], input_folders: {}, output_folders: []}\n"
        "  b: {script_name: a.py, arguments: [1], input_folders: {}, output_folders: []}\n"
        "  c: {script_name: a.py, arguments: [2], input_folders: {}, output_folders: []}\n"
        "  d: {script_name: d.py, input_folders: {}, output_folders: []}\n"
        "  e: {script_name: d.py, input_folders: {}, output_folders: []}",
        a="import os, sys\nopen(os.path.abspath(sys.argv[1]))\n",
        d="raise SystemExit(3)\n",
    )

    run = project.run()

    text = re.sub(r"\n +[~^]+(?=\n)", "", failure_text(run).replace(str(project.folder), "."))
    assert text.replace(run.id, "RUN") == (
        "step 'a' failed: exit status 1\n"
        "  Traceback (most recent call last):\n"
        '    File "a.py", line 2, in <module>\n'
        "      open(os.path.abspath(sys.argv[1]))\n"
        "  FileNotFoundError: [Errno 2] No such file or directory: './.azml/runs/RUN/steps/a/work/1'\n"
        "log: ./.azml/runs/RUN/steps/a/log.txt\n"
        "step 'b' failed like 'a'\n"
        "log: ./.azml/runs/RUN/steps/b/log.txt\n"
        "step 'c' failed: exit status 1\n"
        "  Traceback (most recent call last):\n"
        '    File "a.py", line 2, in <module>\n'
        "      open(os.path.abspath(sys.argv[1]))\n"
        "  FileNotFoundError: [Errno 2] No such file or directory: './.azml/runs/RUN/steps/c/work/2'\n"
        "log: ./.azml/runs/RUN/steps/c/log.txt\n"
        "step 'd' failed: exit status 3\n"
        "log: ./.azml/runs/RUN/steps/d/log.txt\n"
        "step 'e' failed: exit status 3\n"
        "log: ./.azml/runs/RUN/steps/e/log.txt\n"
        f"{NEXT}"
    )


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


def test_an_error_with_a_secret_of_the_env_file_is_stored_and_shown_without_it(project):
    (project.folder / ".env").write_text("MY_TOKEN=hunter2hunter\n")
    project.pipeline(
        "steps: {a: {script_name: a.py}}\n",
        a="from azureml.core import Run\nraise ValueError(Run.get_context().get_secret('MY_TOKEN'))\n",
    )

    run = project.run()

    assert run["a"].detail.endswith("ValueError: ***")
    assert "hunter2" not in (run["a"].places.root / "record.json").read_text()


def test_without_a_traceback_the_last_lines_are_shown(project):
    run = project.line(a="for n in range(30): print(n)\nraise SystemExit(2)").run()

    assert failure_text(run) == (
        "step 'a' failed: exit status 2\n"
        + "".join(f"  {n}\n" for n in range(20, 30))
        + f"log: {log_of(run, 'a')}\n{NEXT}"
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


@pytest.mark.parametrize("datasets", ["{}", "{raw: {type: file, datastore_name: lake, path: raw}}"])
def test_the_hint_names_the_include_for_a_missing_file(project, datasets):
    project.write({"params.json": "{}"})
    text = f"datastores: {{lake: {{container_name: raw, account_name: churnstore}}}}\ndatasets: {datasets}\n"
    run = project.pipeline(f"{text}steps: {{a: {{script_name: a.py}}}}\n", a="open('params.json')").run()

    assert run["a"].hint == (
        "'params.json' is in the project, but not in the step's snapshot: add `include: [params.json]` to the step"
    )
    assert f"\n{run['a'].hint}\nlog: " in failure_text(run)


@pytest.mark.parametrize(
    ("mode", "step", "hint"),
    [
        ("direct", "{--trips: trips}", 'read it with run.input_datasets["trips"]'),
        ("mount", "{--trips: trips}", "use the path that the script gets as --trips"),
        ("direct", "{}", "add 'trips' to input_datasets of the step, and read it there"),
    ],
)
def test_data_of_a_dataset_are_read_through_it_and_not_copied_with_the_code(project, mode, step, hint):
    project.write({"data/trips.csv": "a\n1\n"})
    project.pipeline(
        f"""
        datasets: {{trips: {{type: file, mode: {mode}, local_path: data/trips.csv}}}}
        steps: {{a: {{script_name: a.py, input_datasets: {step}}}}}
        """,
        a="open('data/trips.csv')",
    )

    hinted = project.run()["a"].hint

    assert hinted == f"'data/trips.csv' is data of the dataset 'trips', which is not where the script runs: {hint}"


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (
            "import no_such_package",
            "'no_such_package' is neither in the project nor installed here: if it is yours, add no_such_package.py; "
            "if not, run `pip install no-such-package`, and add no-such-package to pip_packages of the environment 'e'",
        ),
        ("try:\n    import no_such_package\nexcept ImportError as error:\n    raise SystemExit(f'{error}, sorry')", ""),
        ("print(\"ModuleNotFoundError: No module named 'no_such_package'\")\n1 / 0", ""),
    ],
)
def test_the_hint_names_what_installs_a_missing_package(project, script, hint):
    project.write(
        {
            "pipeline.yaml": "backend: local\nenv_name: e\nenvironments: {e: {}}\nsteps: {a: {script_name: a.py}}\n",
            "a.py": script,
        }
    )

    assert project.run()["a"].hint == hint


@pytest.mark.parametrize(
    ("kind", "hint"),
    [("file", "set `mode: mount` in datasets.images"), ("tabular", 'read it with run.input_datasets["images"]')],
)
def test_the_hint_on_an_id_that_is_taken_for_a_path(project, kind, hint):
    project.write({"images/1.csv": "a\n1\n", "a.py": "import os, sys\nopen(os.path.join(sys.argv[2], '1.csv'))\n"})
    project.pipeline(
        f"""
        datasets: {{images: {{type: {kind}, datastore_name: raw, path: images/, local_path: images}}}}
        steps: {{a: {{script_name: a.py, input_datasets: {{--images: images}}}}}}
        """
    )

    run = project.run()

    assert "FileNotFoundError" in run["a"].detail
    assert run["a"].hint == f"--images passes the id of the dataset 'images', not a path: {hint}"


def test_a_killed_step_reports_what_may_be_the_reason(project):
    run = project.line(a="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)").run()

    assert run["a"].message == "killed (SIGKILL); possibly out of memory"


def test_the_exit_status_decides_and_not_what_the_script_reports_of_its_run(project):
    run = project.line(a="from azureml.core import Run\nRun.get_context().fail('the data are stale')", b="").run()

    assert project.statuses(run) == {"a": "completed", "b": "completed"}


def test_a_script_that_cancels_the_pipelines_run_has_not_completed(project):
    run = project.line(a="from azureml.core import Run\nRun.get_context().parent.cancel()", b="").run()

    assert project.statuses(run) == {"a": "cancelled", "b": "skipped"}
    assert run["a"].message == "stopped by run.parent.cancel()"
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
    assert run["last"].reason == "it depends on 'after_bad', which did not complete"


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


def test_the_stand_ins_own_frames_are_left_out_of_a_traceback(project):
    run = project.line(a="import os\nos.environ['NOT_SET']").run()

    assert "azml_local" not in run["a"].detail
    assert run["a"].detail.splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "a.py", line 2, in <module>',
        "    os.environ['NOT_SET']",
    ]
    assert run["a"].detail.endswith("KeyError: 'NOT_SET'")
