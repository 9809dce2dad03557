"""What the tasks say of runs whose records are damaged."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.process import held
from tests.tasks.conftest import Invoke


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
    note = f"note: skipped {newer}: its record is damaged or from another release\n"

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
        f"note: skipped {runs[1]} and {runs[0]}: their records are damaged or from another release\n"
        "no runs yet; start one with `invoke run`\n"
    )


def test_a_damaged_record_that_is_requested_is_reported(invoke, runs):
    damage(invoke, runs[0], "status", [])

    shown = invoke("runs.show", "--run", runs[0])

    assert (shown.status, shown.err) == (1, f"the record of the run '{runs[0]}' is damaged or from another release\n")


def test_a_run_that_has_no_record_is_reported_with_what_is_known(invoke, runs):
    folder = invoke.folder / ".azml/runs"
    (folder / runs[0] / "run.json").unlink()
    (folder / "20200101-000000-0000").mkdir()

    def said(run: str) -> list[str]:
        answers = [invoke(*words, "--run", run) for words in (["runs.logs"], ["runs.logs", "--follow"], ["runs.show"])]
        assert {answer.status for answer in answers} == {1}
        return sorted({answer.err for answer in answers})

    assert said(runs[0]) == [f"the run '{runs[0]}' was deleted in part; `invoke runs.prune` deletes the rest\n"]
    sentence = (
        "the run '20200101-000000-0000' was interrupted while it started, before its first step; it has no logs\n"
    )
    assert said("20200101-000000-0000") == said("20200101") == [sentence]
    places = ProjectPaths.of(invoke.folder).run("20200101-000000-0000")
    with held(places):
        assert said("20200101") == ["the run '20200101-000000-0000' is starting; no step has started yet\n"]


def test_nothing_is_reported_where_all_records_are_whole(invoke, runs):
    assert invoke("runs.list").err == invoke("runs.show").err == invoke("runs.prune").err == ""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of this system have no names")
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
@pytest.mark.parametrize("words", [["run"], ["plan"], ["--dry", "run"], ["runs.prune"]])
def test_a_pipe_in_place_of_the_file_of_results_is_refused_and_not_waited_for(
    invoke: Invoke, words: list[str], make: Callable[[Path], None]
) -> None:
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")
    (invoke.folder / ".azml").mkdir()
    make(invoke.folder / ".azml/reuse.jsonl")

    answer = invoke(*words)

    sentence = (
        ".azml/reuse.jsonl must be a file (results are stored there), not a folder, a pipe or a device; delete it"
    )
    assert sentence in " ".join((answer.out + answer.err).split())
    assert answer.status in (1, 2)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of this system have no names")
@pytest.mark.processes
def test_pipes_in_place_of_records_are_skipped(invoke: Invoke) -> None:
    invoke.write("a.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")
    invoke("run")
    for file in (invoke.folder / ".azml/hashes.json", *invoke.folder.glob(".azml/runs/*/run.json")):
        file.unlink(missing_ok=True)
        os.mkfifo(file)

    assert invoke("runs.list").status == 1
    assert invoke("run").status == 0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes of this system have no names")
@pytest.mark.processes
def test_pipes_in_place_of_logs_and_contents_are_not_waited_for(invoke: Invoke) -> None:
    invoke.write("a.py", "print(1)")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")
    invoke("run")
    for file in (*invoke.folder.glob(".azml/runs/*/steps/a/log.txt"), *invoke.folder.glob(".azml/objects/*/*")):
        file.unlink()
        os.mkfifo(file)

    assert invoke("runs.report", "--to", "page.html").status == 0
    assert invoke("runs.logs", "--step", "a").status == 0
    assert invoke("run", "--force").status == 0


@pytest.mark.processes
def test_a_record_that_cannot_be_read_is_one_line(invoke: Invoke) -> None:
    invoke.write("a.py", "from azureml.core import Run\nRun.get_context().tag('k', 'v')\n")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}}\n")
    invoke("run")
    (file,) = invoke.folder.glob(".azml/runs/*/steps/a/tags.jsonl")
    file.unlink()
    file.mkdir()

    answer = invoke("runs.show")

    place = file.relative_to(invoke.folder).as_posix()
    assert (answer.status, answer.err) == (1, f"{place}: Is a directory; delete it, or correct its mode\n")
