"""Flags that need a value: what they refuse, and that nothing is done then."""

from __future__ import annotations

import pytest

from tests.tasks.conftest import Answer, Invoke


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["runs.list", "--most", "0"], "--most must be a whole number, 1 or more, not '0'"),
        (["runs.list", "--most=x"], "--most must be a whole number, 1 or more, not 'x'"),
        (["runs.list", "--most", "1.5"], "--most must be a whole number, 1 or more, not '1.5'"),
        (["runs.list", "--most", "x" * 99], f"--most must be a whole number, 1 or more, not '{'x' * 37}...'"),
        (["runs.prune", "--keep", "-1"], "--keep must be a whole number, 0 or more, not '-1'"),
        (
            ["runs.prune", "--size", "10 gigs"],
            "--size must be a number with a unit, such as 500MB or 10GB, not '10 gigs'",
        ),
        (["runs.prune", "--size", "10"], "--size must be a number with a unit, such as 500MB or 10GB, not '10'"),
        (["schedules.preview", "--count", "0"], "--count must be a whole number, 1 or more, not '0'"),
        (["schedules.preview", "--count="], "--count must be a whole number, 1 or more, not ''"),
        (["schedules.run", "--most", "0"], "--most must be a whole number, 1 or more, not '0'"),
        (["--dry", "schedules.run", "--most", "-3"], "--most must be a whole number, 1 or more, not '-3'"),
    ],
)
def test_a_number_that_cannot_be_meant_is_one_sentence(invoke: Invoke, words: list[str], sentence: str) -> None:
    assert invoke(*words) == Answer("", f"{sentence}\n", 2)


@pytest.mark.parametrize(("words", "left"), [(["--keep", "0"], 0), (["--keep", "1"], 1), ([], 2)])
def test_the_smallest_number_is_taken_and_so_is_the_default(invoke: Invoke, words: list[str], left: int) -> None:
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps:\n  a: {script_name: a.py, allow_reuse: false}\n")
    invoke("run")
    invoke("run")

    assert invoke("runs.prune", *words).status == 0
    # The newest result stays for the next run to reuse.
    assert len(invoke("runs.list", "--most", "9").out.splitlines()) == max(left, 1) + 1
    older = ["older runs are not shown; use `--most 2` to see more"] if left == 2 else []
    assert invoke("runs.list", "--most", "1").out.splitlines()[2:] == older


@pytest.mark.parametrize("words", [["run", "--set"], ["run", "--set", "--force"], ["new-step", "a", "--dataset"]])
def test_a_flag_that_may_come_several_times_needs_a_value_each_time(invoke: Invoke, words: list[str]) -> None:
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")

    answer = invoke(*words)

    assert (answer.out, answer.status) == ("", 1)
    assert answer.err.endswith("needed value and was not given one!\n")


def test_help_shows_that_a_number_is_wanted(invoke: Invoke) -> None:
    assert "  --count=INT" in invoke("--help", "schedules.preview").out


@pytest.mark.parametrize("task", ["new-step", "unregister-datastore", "runs.export", "runs.list"])
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_after_the_name_of_a_task_is_its_help(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch, task: str, flag: str
) -> None:
    invoke.write("tasks.py", "from azml_tasks.tasks import namespace\n")
    invoke.write("pipeline.yaml", "backend: local\nsteps:\n  a: {script_name: a.py}\n")
    monkeypatch.setattr("sys.argv", ["invoke", task, flag])

    answer = invoke(task, flag)

    assert (f"] {task} [--options] " in answer.out.splitlines()[0], answer.err, answer.status) == (True, "", 0)
