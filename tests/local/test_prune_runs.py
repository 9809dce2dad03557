"""Clearing real runs away leaves what others reuse, and disturbs none that goes on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from azml_tasks.local.prune import prune
from azml_tasks.local.runs import find_run, list_runs
from tests.local.conftest import BEGINNING, PASS_ALONG, linux
from tests.local.runners import wait_for


def ids(project) -> list[str]:
    return [run.id for run in list_runs(project.folder)]


def test_prune_clears_all_but_the_newest_runs(project):
    project.line(a="")
    runs = [project.run(force=True) for _ in range(4)]

    cleared = prune(project.folder, keep=2).runs

    assert cleared == [runs[1].id, runs[0].id]
    assert ids(project) == [runs[3].id, runs[2].id]
    assert not (project.folder / ".azml/runs" / runs[0].id).exists()


def test_prune_goes_by_the_folders_of_runs_whatever_their_records_say(project):
    run = project.line(a="").run()
    project.write({"../victim/file": ""})
    record = json.loads(run.places.record.read_text())
    run.places.record.write_text(json.dumps({**record, "id": "../../../victim"}))

    assert prune(project.folder, keep=0).runs == []  # its step is what the next run would reuse

    assert (project.folder.parent / "victim/file").exists()


def test_prune_keeps_the_results_that_newer_runs_and_the_next_one_reuse(project):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three="")
    first = project.run()
    project.write({"three.py": "# changed"})
    second = project.run()
    project.write({"three.py": "# changed again"})
    third = project.run()

    assert prune(project.folder, keep=1).runs == [second.id]  # of the first, two steps stay

    assert sorted(path.parent.name for path in first.places.steps.glob("*/log.txt")) == ["one", "two"]
    assert project.statuses(find_run(project.folder, first.id))["three"] == "completed"
    assert not second.places.root.exists()
    after = project.run()
    assert project.reasons(after) == {
        "one": f"reused from {first.id}",
        "two": f"reused from {first.id}",
        "three": f"reused from {third.id}",
    }
    project.write({"three.py": "# changed once more"})
    assert project.log(project.run(), "three") == ""


def test_prune_forgets_results_that_it_cleared(project):
    project.line(a="")
    first = project.run()
    project.write({"a.py": "# changed"})
    project.run()
    prune(project.folder, keep=1)

    project.write({"a.py": ""})
    run = project.run()

    assert run["a"].status == "completed"
    assert first.id not in json.dumps([run["a"].reason])


def test_prune_when_dry_clears_nothing(project):
    project.line(a="")
    runs = [project.run(force=True) for _ in range(2)]

    assert prune(project.folder, keep=1, dry=True).runs == [runs[0].id]
    assert ids(project) == [runs[1].id, runs[0].id]


def test_prune_where_nothing_was_run_does_nothing(project):
    assert prune(project.folder).runs == []


def size_of(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_prune_leaves_no_more_on_the_disk_than_the_kept_runs_need(project):
    writes = (
        BEGINNING
        + "(args.output_folder / 'large').write_bytes(os.urandom(500_000))\nopen('work', 'w').write('x' * 500_000)\n"
    )
    project.line(one=writes, two="")
    for _ in range(5):
        project.run(force=True)
    before = size_of(project.folder / ".azml")

    prune(project.folder, keep=1)

    assert before > 2_500_000
    assert size_of(project.folder / ".azml") < 600_000
    assert project.run().status == "completed"


@linux
def test_prune_leaves_what_a_run_that_goes_on_may_yet_reuse(project, start, tmp_path):
    """That run goes back to scripts which an older run had, whose results are not the latest ones."""
    waits = f"""
import time
pathlib.Path({str(tmp_path / "begun")!r}).touch()
while not pathlib.Path({str(tmp_path / "go")!r}).exists():
    time.sleep(0.01)
"""
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    first = project.run()
    project.write({"two.py": PASS_ALONG.replace('" ")', '" again ")')})
    project.run()
    project.write({"one.py": PASS_ALONG + waits, "two.py": PASS_ALONG})
    runner = start("subprocesses")
    wait_for((tmp_path / "begun").exists)

    assert prune(project.folder, keep=0).runs == []

    (tmp_path / "go").touch()
    assert runner.wait() == 0
    assert project.reasons(find_run(project.folder)) == {
        "one": "one.py changed",
        "two": f"reused from {first.id}",
        "three": f"reused from {first.id}",
    }


@linux
@pytest.mark.thorough
def test_pruning_all_the_time_disturbs_no_run(project, start, slow):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    over = threading.Event()
    failures: list[BaseException] = []

    def clear(keep: int) -> None:
        while not over.is_set():
            try:
                prune(project.folder, keep=keep)
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=clear, args=(keep,)) for keep in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for number in range(40 if slow else 4):
            # Back and forth, so that results are wanted which are not the latest ones.
            project.write({"one.py": f"{PASS_ALONG}# {number % 2}\n", "two.py": f"{PASS_ALONG}# {number % 3}\n"})
            runner = start()
            assert (runner.wait(), runner.err.read_text()) == (0, "")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert project.log(project.run(), "three") == "read: one two \n"
