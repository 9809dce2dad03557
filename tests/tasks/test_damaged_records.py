"""What the tasks say of runs whose records are damaged."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def runs(invoke) -> list[str]:
    """Two finished runs; their ids, the older first."""
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")
    invoke.write("a.py", "print('hello')")
    for _ in range(2):
        assert invoke("run").status == 0
    return sorted(path.name for path in (invoke.folder / ".azml/runs").iterdir())


def damage(invoke, run: str, key: str = "experiment", value: object = True) -> None:
    file = invoke.folder / ".azml/runs" / run / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), key: value}))


def test_one_that_is_damaged_is_passed_over_with_one_line(invoke, runs):
    older, newer = runs
    damage(invoke, newer)
    note = f"note: {newer} is passed over: its record is damaged, or of another release\n"

    listed = invoke("runs.list")
    assert (listed.status, listed.err) == (0, note)
    assert older in listed.out
    assert newer not in listed.out
    shown = invoke("runs.show")
    assert (shown.status, shown.err) == (0, note)
    assert shown.out.startswith(f"run {older} of experiment ")
    assert invoke("runs.logs", "--step", "a").err == note
    assert invoke("runs.logs", "--step", "a").out == "hello\n"
    pruned = invoke("runs.prune", "--keep", "0")
    assert (pruned.status, pruned.err) == (0, note)
    assert (invoke.folder / ".azml/runs" / newer / "run.json").exists()
    assert invoke("run").status == 0


def test_all_that_are_damaged_are_named_in_one_line(invoke, runs):
    for run in runs:
        damage(invoke, run, "started", {"a": 1})

    listed = invoke("runs.list")

    assert listed.status == 1
    assert listed.err == (
        f"note: {runs[1]} and {runs[0]} are passed over: their records are damaged, or of another release\n"
        "nothing has been run here yet; `invoke run` does\n"
    )


def test_one_that_is_asked_for_and_damaged_is_said_to_be(invoke, runs):
    damage(invoke, runs[0], "status", [])

    shown = invoke("runs.show", "--run", runs[0])

    assert (shown.status, shown.err) == (1, f"the record of the run '{runs[0]}' is damaged, or of another release\n")


def test_nothing_is_said_where_all_are_whole(invoke, runs):
    assert invoke("runs.list").err == invoke("runs.show").err == invoke("runs.prune").err == ""
