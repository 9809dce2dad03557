"""A record that was written is read again as it was, whatever else lies in its folder."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.local.store.files import read_json, write_json
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.process import ProcessIdentity
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord, read_run
from azml_tasks.local.store.runs import ReusedRecords
from azml_tasks.runs.origin import Origin


@pytest.fixture
def run(tmp_path: Path) -> LocalRunRecord:
    """A run of this process with a step that runs, one that was reused, and one that waits."""
    layout = ProjectPaths.of(tmp_path)
    places = layout.run("run-2")
    steps = (
        LocalStepRecord(
            "a/b",
            "running",
            "its script changed",
            "a message",
            started=2.5,
            finished=3.5,
            producer="run-2",
            places=places.step("a/b"),
            detail="a detail",
            hint="a hint",
            exit_code=-9,
            argv=("a.py", "--x"),
            outputs={"out": "digest"},
        ),
        LocalStepRecord("c", "reused", "reused from run-1", producer="run-1", places=layout.run("run-1").step("c")),
        LocalStepRecord("d", places=places.step("d")),
    )
    run = LocalRunRecord(
        "run-2",
        "sums",
        "running",
        1.5,
        9.5,
        steps=steps,
        parameters={"alpha": 0.5},
        places=places,
        process=ProcessIdentity.own(),
        stopped_by="Ctrl-C",
        settings={"a/b": {"lr": 0.1}},
        origin=Origin("dev", ("invoke", "run", "--set", "a/b.lr=0.1"), ("a/b.lr=0.1",)),
    )
    for step in steps[:2]:
        step.save(places)
    run.save()
    return run


def gone() -> ProcessIdentity:
    """Return the identity of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return ProcessIdentity(process.pid, "")


def test_a_record_is_read_as_it_was_written(run):
    assert read_run(run.places) == run
    assert read_run(run.places).where == "on this machine"


def test_a_record_of_an_earlier_release_has_no_settings(run):
    values = read_json(run.places.record)
    for key in ("settings", "target", "command", "set"):
        del values[key]
    write_json(run.places.record, values)

    assert read_run(run.places) == replace(run, settings={}, origin=Origin())


def test_the_files_of_a_record_say_by_themselves_what_they_are_about(run):
    own = ProcessIdentity.own()

    assert read_json(run.places.record) == {
        "version": 1,
        "id": "run-2",
        "experiment": "sums",
        "status": "running",
        "started": 1.5,
        "finished": 9.5,
        "parameters": {"alpha": 0.5},
        "settings": {"a/b": {"lr": 0.1}},
        "target": "dev",
        "command": ["invoke", "run", "--set", "a/b.lr=0.1"],
        "set": ["a/b.lr=0.1"],
        "steps": ["a/b", "c", "d"],
        "process": {"pid": own.pid, "started": own.started},
        "stopped_by": "Ctrl-C",
    }
    assert read_json(run.places.step("a/b").record) == {
        "version": 1,
        "key": "a/b",
        "status": "running",
        "reason": "its script changed",
        "message": "a message",
        "detail": "a detail",
        "hint": "a hint",
        "started": 2.5,
        "finished": 3.5,
        "exit_code": -9,
        "argv": ["a.py", "--x"],
        "outputs": {"out": "digest"},
        "producer": "run-2",
    }


@pytest.mark.parametrize("process", [None, gone()])
def test_a_run_whose_process_is_gone_was_interrupted_when_its_records_end(run, process):
    replace(run, process=process, finished=None).save()

    found = read_run(run.places)

    assert (found.status, found.finished) == ("interrupted", 3.5)
    assert [step.status for step in found.steps] == ["interrupted", "reused", "waiting"]
    assert replace(found.steps[0], status="running") == run.steps[0]


def test_an_interrupted_run_whose_steps_had_not_begun_ended_when_it_began(run):
    replace(run, steps=run.steps[2:], process=None, finished=None).save()

    assert (read_run(run.places).status, read_run(run.places).finished) == ("interrupted", 1.5)


def test_a_run_that_is_over_stays_so_when_its_process_is_gone(run):
    replace(run, status="failed", process=None).save()

    assert read_run(run.places) == replace(run, status="failed", process=None)


@pytest.mark.parametrize("version", [0, 2])
def test_a_record_of_another_release_is_none(run, version):
    step = run.steps[0].places.record
    write_json(step, {**read_json(step), "version": version})
    assert read_run(run.places).steps[0] == LocalStepRecord("a/b", places=run.steps[0].places)

    write_json(run.places.record, {**read_json(run.places.record), "version": version})
    assert read_run(run.places) is None


@pytest.mark.parametrize(
    "change",
    [{"steps": None}, {"steps": 3}, {"experiment": ...}, {"status": ...}, {"process": ...}, {"parameters": ...}],
)
def test_a_record_that_lacks_something_is_none(run, change):
    values = {**read_json(run.places.record), **change}
    write_json(run.places.record, {key: value for key, value in values.items() if value is not ...})

    assert read_run(run.places) is None


@pytest.mark.parametrize("damage", [lambda file: file.write_text("[" * 100_000), lambda file: file.mkdir()])
def test_a_record_that_cannot_be_read_is_none(run, damage):
    run.places.record.unlink()
    damage(run.places.record)

    assert read_run(run.places) is None


def test_the_metrics_of_a_step_are_those_of_the_run_that_made_it(run):
    (run.steps[1].places.root).mkdir(parents=True)
    (run.steps[1].places.root / "metrics.jsonl").write_text('{"name": "x", "value": 1}\n{"name": "y", "val')

    assert read_run(run.places).steps[1].metrics() == [{"name": "x", "value": 1}]


ODD = [None, True, 3, -1, 1e400, "x", "", [], [3], {}, {"a": 1}]


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize("key", ["experiment", "status", "started", "finished", "parameters", "steps", "process"])
def test_a_record_with_unexpected_content_is_read_or_passed_over(run, key, value):
    write_json(run.places.record, {**read_json(run.places.record), key: value})

    found = read_run(run.places)

    if found is not None:
        assert found.started >= 0
        assert all(isinstance(step.key, str) for step in found.steps)


@pytest.mark.parametrize("value", ODD, ids=repr)
@pytest.mark.parametrize(
    "key", ["status", "reason", "message", "detail", "started", "exit_code", "argv", "outputs", "producer"]
)
def test_a_step_whose_record_has_unexpected_content_is_read_or_its_run_passed_over(run, key, value):
    place = run.steps[0].places.record
    write_json(place, {**read_json(place), key: value})

    found = read_run(run.places)

    if found is not None:
        step = found.steps[0]
        assert isinstance(f"{step.status} {step.reason} {step.message} {step.detail}", str)
        assert step.seconds is None or step.seconds == step.seconds
        assert step.places.root.parent.parent.parent == run.places.root.parent


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "[" * 100_000])
def test_a_run_with_a_step_whose_record_is_no_object_is_passed_over(run, text):
    run.steps[0].places.record.write_text(text)

    assert read_run(run.places) is None


def test_a_producer_that_leads_elsewhere_is_one_of_the_runs(run):
    place = run.steps[0].places.record
    write_json(place, {**read_json(place), "producer": "../../../elsewhere"})

    assert read_run(run.places).steps[0].places == ProjectPaths.of(run.places.root.parents[2]).run(
        ".._.._.._elsewhere"
    ).step("a/b")


def test_lines_that_are_no_metrics_are_left_out(run):
    whole = [{"name": "a", "value": 1}, {"name": "b", "kind": "list", "value": [1]}, {"name": "c", "value": None}]
    damaged = [{"name": 3, "value": 1}, {"name": "a"}, {"value": 1}, {"name": "b", "kind": "list", "value": 3}, {}]
    file = run.steps[0].places.root / "metrics.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in [*damaged, *whole, 3, [1]]) + "x\n" + "[" * 50_000)

    assert run.steps[0].metrics() == whole


def test_the_records_of_reused_steps_are_written_together_and_one_by_one_once_a_script_may_look_for_them(run):
    reused = ReusedRecords(run.places)
    steps = [replace(run.steps[1], key=key) for key in ("c", "e", "f", "g")]

    def known() -> list[str]:
        return [step.key for step in read_run(run.places).steps if step.status == "reused"]

    replace(run, steps=tuple(steps)).save()
    for step in steps[:3]:
        reused.add(step)
    assert known() == ["c"]
    reused.write()
    assert known() == ["c", "e", "f"]
    reused.give_files()
    reused.add(steps[3])
    assert known() == ["c", "e", "f", "g"]
    assert all(run.places.step(step.key).record.is_file() for step in steps)
