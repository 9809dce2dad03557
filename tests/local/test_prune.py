"""Runs are made, found and cleared by what lies in their folder, here without running anything."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from azml_tasks.errors import RunError, UsageError
from azml_tasks.local.prune import prune
from azml_tasks.local.runs import find_run, list_runs
from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.files import write_json
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.process import ProcessIdentity
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.store.results import Result, Results, store_of
from azml_tasks.local.store.runs import new_run
from tests.local.store.test_fingerprint import OLD


@pytest.fixture
def layout(tmp_path: Path) -> ProjectPaths:
    return ProjectPaths.of(tmp_path)


def plant(layout: ProjectPaths, run_id: str, status: str = "completed", **producers: str) -> LocalRunRecord:
    """Make a run whose steps were made by these runs; those that were made by itself have a file and a folder work."""
    places = layout.run(run_id)
    steps = tuple(
        LocalStepRecord(key, "completed", producer=producer, places=layout.run(producer).step(key))
        for key, producer in producers.items()
    )
    process = ProcessIdentity.own() if status == "running" else None
    run = LocalRunRecord(run_id, "e", status, 1.5, steps=steps, places=places, process=process)
    run.save()
    for step in steps:
        step.save(places)
        if step.producer == run_id:
            (step.places.root / "file").write_text("")
            (step.places.work / "deep").mkdir(parents=True)
    return run


def known(layout: ProjectPaths, step: str, *runs: str) -> None:
    """Make the results of these runs known, the newest last."""
    results = Results(layout, HashCache(layout.hashes))
    for run_id in runs:
        fingerprint = replace(OLD, script=f"{run_id}.py")
        results.of(step).record_latest(Result(run_id, layout.run(run_id).step(step), fingerprint, {}, "", {}))


def under(layout: ProjectPaths) -> list[str]:
    """Return the paths of the steps' folders and of the files and work folders in them, from the folder of runs."""
    return sorted(path.relative_to(layout.runs).as_posix() for path in layout.runs.glob("*/steps/*/*"))


# Making


def test_a_new_run_has_a_folder_of_its_own_and_begins_now(layout):
    before = time.time()

    first, second = (new_run(layout, "sums", {"alpha": 0.5}) for _ in range(2))

    assert first.id < second.id
    assert sorted(path.name for path in layout.runs.iterdir()) == [first.id, second.id]
    assert before <= first.started <= second.started <= time.time()
    assert first == LocalRunRecord(
        first.id, "sums", "running", first.started, parameters={"alpha": 0.5}, places=layout.run(first.id)
    )
    assert (layout.root / ".gitignore").read_text() == "*\n"
    (layout.root / ".gitignore").write_text("the user's")
    new_run(layout, "sums", {})
    assert (layout.root / ".gitignore").read_text() == "the user's"


def test_the_id_of_a_run_is_the_time_in_utc_and_no_two_have_the_same(layout, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 86401.9999)

    assert new_run(layout, "sums", {}).id == "19700102-000001-fff9"
    with pytest.raises(RunError) as caught:
        new_run(layout, "sums", {})
    assert str(caught.value) == ("could not create a folder for the run: every name that was tried already exists")


def test_a_run_that_begins_in_the_same_moment_as_another_takes_the_next(layout, monkeypatch):
    times = iter((86400.0, 86400.0, 86400.0, 86400.5))
    monkeypatch.setattr(time, "time", lambda: next(times))

    assert [new_run(layout, "sums", {}).id for _ in range(2)] == ["19700102-000000-0000", "19700102-000000-8000"]


@pytest.mark.parametrize(
    ("earlier", "now", "run_id"),
    [
        ("20350131-235959-abcd", 86400.0, "20350131-235959-abce"),
        ("20350131-235959-ffff", 86400.0, "20350201-000000-0000"),
        ("19700102-000000-ffff", 86401.0, "19700102-000001-0000"),
        ("99999999-999999-ffff", 86400.0, "19700102-000000-0000"),
        ("later", 86400.0, "19700102-000000-0000"),
    ],
)
def test_the_id_of_a_run_follows_the_newest_one_if_the_clock_was_set_back(layout, monkeypatch, earlier, now, run_id):
    layout.run(earlier).root.mkdir(parents=True)
    monkeypatch.setattr(time, "time", lambda: now)

    run = new_run(layout, "sums", {})

    assert (run.id, run.started) == (run_id, now)


# Finding


def test_runs_are_found_by_the_beginning_of_an_id_where_it_is_enough(layout):
    for run_id in ("a-1", "a-2", "a-3", "a-4", "a-44", "b-1"):
        plant(layout, run_id)
    (layout.runs / "c-1").mkdir()

    assert [run.id for run in list_runs(layout.project)] == ["b-1", "a-44", "a-4", "a-3", "a-2", "a-1"]
    assert find_run(layout.project).id == "b-1"
    assert find_run(layout.project, "b").id == "b-1"
    assert find_run(layout.project, "a-4").id == "a-4"
    for wanted, sentence in {
        "a": "several runs start with 'a': a-44, a-4 and a-3 ...",
        "a-": "several runs start with 'a-': a-44, a-4 and a-3 ...",
        "d": "no run 'd'; `invoke runs.list` lists the runs",
    }.items():
        with pytest.raises(UsageError) as caught:
            find_run(layout.project, wanted)
        assert str(caught.value) == sentence
    with pytest.raises(RunError) as failed:
        find_run(layout.project, "c")
    assert str(failed.value) == "the run 'c-1' was interrupted while it started, before its first step; it has no logs"


def test_three_runs_that_begin_alike_are_all_named(layout):
    for run_id in ("a-1", "a-2", "a-3"):
        plant(layout, run_id)

    with pytest.raises(UsageError) as caught:
        find_run(layout.project, "a")

    assert str(caught.value) == "several runs start with 'a': a-3, a-2 and a-1"

    plant(layout, "a-4")
    with pytest.raises(UsageError) as caught:
        find_run(layout.project, "a")
    assert str(caught.value) == "several runs start with 'a': a-4, a-3 and a-2 ..."


def test_a_file_in_place_of_the_runs_is_none(layout):
    layout.root.mkdir()
    layout.runs.write_text("")

    assert list_runs(layout.project) == []


# Clearing


def test_the_five_newest_runs_are_kept_and_those_that_go_on(layout):
    for number in range(8):
        plant(layout, f"run-{number}", "running" if number == 1 else "completed", a=f"run-{number}")

    assert prune(layout.project, dry=True).runs == ["run-2", "run-0"]
    assert len(list_runs(layout.project)) == 8
    assert prune(layout.project).runs == ["run-2", "run-0"]
    assert [run.id for run in list_runs(layout.project)] == [f"run-{number}" for number in (7, 6, 5, 4, 3, 1)]
    assert prune(layout.project, keep=0).runs == [f"run-{number}" for number in (7, 6, 5, 4, 3)]


def test_what_kept_runs_reused_stays_without_its_work(layout):
    plant(layout, "run-1", a="run-1", b="run-1", c="run-1")
    plant(layout, "run-2", a="run-1", b="run-2", c="run-2")
    plant(layout, "run-3", a="run-1", b="run-1", c="run-2", d="run-3")

    assert prune(layout.project, keep=1).runs == []

    assert under(layout) == [
        *("run-1/steps/a/file", "run-1/steps/a/record.json", "run-1/steps/b/file", "run-1/steps/b/record.json"),
        "run-1/steps/c/record.json",
        *("run-2/steps/a/record.json", "run-2/steps/b/record.json", "run-2/steps/c/file", "run-2/steps/c/record.json"),
        *(f"run-3/steps/{key}/record.json" for key in "abc"),
        *("run-3/steps/d/file", "run-3/steps/d/record.json", "run-3/steps/d/work"),
    ]


def test_the_results_that_the_next_run_starts_from_stay_and_cleared_ones_are_forgotten(layout):
    for run_id in ("run-1", "run-2", "run-3"):
        plant(layout, run_id, a=run_id, b=run_id)
    known(layout, "a", "run-3", "run-1", "run-2")
    known(layout, "b", "run-2", "run-3")

    assert prune(layout.project, keep=1).runs == ["run-1"]

    assert [path for path in under(layout) if "file" in path] == [
        *("run-2/steps/a/file", "run-3/steps/a/file", "run-3/steps/b/file"),
    ]
    kept = {step: [result["run_id"] for result in store_of(layout).results.get(step, [])] for step in "ab"}
    assert kept == {"a": ["run-2", "run-3"], "b": ["run-3"]}
    assert Results(layout, HashCache(layout.hashes)).of("a").latest.run_id == "run-2"


def test_files_of_results_that_lost_none_are_not_written_again(layout):
    plant(layout, "run-1", a="run-1")
    known(layout, "a", "run-1")
    before = layout.results.stat()

    prune(layout.project)

    assert layout.results.stat().st_ino == before.st_ino


@pytest.mark.parametrize(("status", "stay"), [("completed", False), ("running", True)])
def test_contents_of_snapshots_go_unless_a_run_needs_them(layout, status, stay):
    plant(layout, "run-1", status)
    (layout.objects / "ab").mkdir(parents=True)
    known(layout, "a", "gone")

    prune(layout.project)

    assert layout.objects.exists() == stay
    assert ("a" not in store_of(layout).results) == (not stay)


def test_when_dry_nothing_is_cleared(layout):
    plant(layout, "run-1", a="run-1")
    (layout.objects / "ab").mkdir(parents=True)
    known(layout, "a", "gone")

    assert prune(layout.project, keep=0, dry=True).runs == ["run-1"]

    assert layout.objects.exists()
    assert under(layout) == [f"run-1/steps/a/{name}" for name in ("file", "record.json", "work")]
    assert "a" in store_of(layout).results


def test_the_folders_that_registered_datasets_are_made_of_stay(layout, tmp_path):
    plant(layout, "run-1", a="run-1", b="run-1", c="run-1")
    plant(layout, "run-2", a="run-2")
    kept = [layout.run("run-1").step("b").output("out"), layout.run("run-1").step("c").root]
    paths = [*kept, tmp_path / "elsewhere", layout.runs, layout.run("run-2").root, layout.run("run-2").steps]
    definition = {"kind": "file", "paths": [str(path) for path in paths], "steps": []}
    write_json(layout.root / "datasets/made/1.json", {"definition": definition})

    assert prune(layout.project, keep=0).runs == ["run-2"]

    kept = [f"run-1/steps/{key}/{name}" for key in "bc" for name in ("file", "record.json")]
    assert under(layout) == ["run-1/steps/a/record.json", *kept]


def test_a_damaged_file_of_results_does_not_hinder(layout):
    plant(layout, "run-1", a="run-1")
    layout.results.write_text("{")

    assert prune(layout.project, keep=0).runs == ["run-1"]


def test_while_a_run_goes_on_no_result_that_it_may_reuse_is_cleared(layout):
    for run_id in ("run-1", "run-2", "run-3"):
        plant(layout, run_id, a=run_id, b=run_id)
    plant(layout, "run-4", "running")
    known(layout, "a", "run-1", "run-2")

    assert prune(layout.project, keep=0).runs == ["run-3"]

    assert [path for path in under(layout) if "file" in path] == ["run-1/steps/a/file", "run-2/steps/a/file"]


def age(path: Path) -> Path:
    """Make it so that the path was changed two hours ago."""
    os.utime(path, (time.time() - 7200,) * 2)
    return path


def test_what_killed_runs_left_is_cleared_when_nothing_can_be_writing_it(layout):
    def leave(name: str, record: str | None) -> Path:
        folder = layout.runs / name
        folder.mkdir(parents=True)
        if record is not None:
            (folder / "run.json").write_text(record)
        return folder

    age(leave("20250102-030405-0000", None))
    age(leave("20250102-030405-0001", "{"))
    age(leave("20250102-030405-0002", '{"version": 99}'))
    age(leave("notes", None))
    leave("20250102-030405-0003", None)
    (layout.runs / "20250102-030405-0004").symlink_to("nowhere")

    assert prune(layout.project).runs == ["20250102-030405-0001", "20250102-030405-0000"]

    assert sorted(path.name for path in layout.runs.iterdir()) == [
        *("20250102-030405-0002", "20250102-030405-0003", "20250102-030405-0004", "notes"),
    ]


@pytest.mark.parametrize(("status", "stay"), [("completed", []), ("running", ["a.json.1.2.partial", "b.partial"])])
def test_half_written_files_are_cleared_unless_a_run_goes_on(layout, status, stay):
    plant(layout, "run-1", status)
    (layout.root / "a.json.1.2.partial").write_text("{")
    age(layout.root / "a.json.1.2.partial")
    (layout.root / "b.partial").mkdir()
    (layout.root / "b.partial" / "half").write_text("{")
    age(layout.root / "b.partial")
    (layout.root / "a.new.partial").write_text("{")

    prune(layout.project)

    assert sorted(path.name for path in layout.root.rglob("*.partial")) == sorted([*stay, "a.new.partial"])


def test_the_results_of_0_3_0_go_with_the_runs(layout):
    plant(layout, "run-1", a="run-1")
    layout.old_reuse.mkdir()
    (layout.old_reuse / "a.json").write_text("{}")

    assert prune(layout.project, keep=0).runs == ["run-1"]
    assert not layout.old_reuse.exists()


def test_what_cannot_be_cleared_is_reported(layout):
    """A folder stands where a file is; nothing else stops the superuser."""
    page = layout.reports / "20260101-000000-0000.html"
    page.mkdir(parents=True)

    with pytest.raises(RunError) as caught:
        prune(layout.project)

    assert str(caught.value) == f"could not delete everything: Is a directory: {page}"
