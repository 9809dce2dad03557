"""The records of reused steps are in one file until a step starts, and readable whenever the run is killed."""

from __future__ import annotations

import json

from azml_tasks.local.runs import find_run
from azml_tasks.local.store import long_reads, runs
from azml_tasks.runs.records import StepReused
from tests.local.conftest import BEGINNING, PASS_ALONG

_SIBLINGS = """\
for other in run.parent.get_children():
    print(other.name, other.status)
"""


def test_a_run_that_only_reuses_writes_no_folder_for_a_step(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    first = project.run()

    run = project.run()

    assert not run.places.steps.exists()
    lines = [json.loads(line) for line in run.places.reused.read_text().splitlines()]
    assert [(line["key"], line["status"], line["producer"]) for line in lines] == [
        (key, "reused", first.id) for key in ("one", "two", "three")
    ]
    assert find_run(project.folder) == run
    assert project.log(find_run(project.folder), "three") == "read: one two \n"


def test_the_record_of_each_reused_step_is_there_while_the_data_of_the_next_are_read(project, monkeypatch):
    project.write({"data.csv": "a\n1\n"}).pipeline(
        """
        datasets: {data: {local_path: data.csv}}
        steps:
          one: {script_name: one.py}
          two: {script_name: one.py}
          three: {script_name: three.py, input_datasets: {--data: data}}
        """,
        one=PASS_ALONG,
        three=PASS_ALONG,
    )
    project.run()
    monkeypatch.setattr(long_reads, "_PATIENCE", -1)
    monkeypatch.setattr(runs, "_TOGETHER", 60)
    seen = []

    def listen(event: object) -> None:
        if isinstance(event, StepReused) and event.step.key == "three":
            seen.append([step.status for step in find_run(project.folder).steps])

    project.run(on_event=listen, jobs=1)

    assert seen == [["reused", "reused", "waiting"]]


def test_a_run_that_was_killed_while_it_reused_is_readable(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    project.run()
    run = project.run()
    whole = run.places.reused.read_bytes()
    record = json.loads(run.places.record.read_text())
    run.places.record.write_text(json.dumps({**record, "status": "running", "finished": None}))

    for size in range(0, len(whole) + 1, 7):
        run.places.reused.write_bytes(whole[:size])
        found = find_run(project.folder)
        known = whole[:size].count(b"}\n")
        assert found.status == "interrupted"
        # A record without its line's end may be whole.
        assert [step.status for step in found.steps][:known] == ["reused"] * known
        assert all(step.status in ("reused", "waiting") for step in found.steps)


def test_each_has_a_record_where_a_script_may_look_for_it(project):
    pipeline = (
        "steps:\n  one: {script_name: one.py}\n  two: {script_name: one.py, input_folders: {}}\n"
        "  three: {script_name: three.py, input_folders: {}, run_after: [one, two], step_config: {number: NUMBER}}\n"
    )
    project.pipeline(pipeline.replace("NUMBER", "1"), one=BEGINNING, three=BEGINNING + _SIBLINGS)
    project.run()
    project.pipeline(pipeline.replace("NUMBER", "2"))

    run = project.run()

    assert project.statuses(run) == {"one": "reused", "two": "reused", "three": "completed"}
    assert sorted(path.parent.name for path in run.places.steps.glob("*/record.json")) == ["one", "three", "two"]
    said = dict(line.split() for line in project.log(run, "three").splitlines())
    assert (said["one"], said["two"]) == ("Completed", "Completed")
    assert find_run(project.folder) == run
