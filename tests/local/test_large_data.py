"""Data that takes long to hash: reported, interrupted at once, beside the running steps, saved as it goes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time

import pytest

from azml_tasks.local.runs import find_run
from azml_tasks.local.store import long_reads
from azml_tasks.local.store.contents import HashCache
from azml_tasks.local.store.long_reads import Pace
from azml_tasks.runs.records import Remark, RunFinished, StepFinished, StepStarted
from tests.local.conftest import BEGINNING, PASS_ALONG, Project, linux

SIZE = 48 << 20
DATA = """\
    datasets:
      big: {type: file, local_path: data/big.bin}
    steps:
      reads: {script_name: reads.py, input_datasets: {--data: big}}
      other: {script_name: other.py, input_folders: {}}
"""


@pytest.fixture
def slow_disk(monkeypatch):
    """Let a megabyte take so long that all of a large file takes seconds."""
    advance = Pace.advance

    def slowed(self: Pace, count: int) -> None:
        time.sleep(0.05 if count >= 1 << 20 else 0)
        advance(self, count)

    monkeypatch.setattr(Pace, "advance", slowed)
    monkeypatch.setattr(long_reads, "_FIRST_REPORT", 0.4)


@pytest.fixture
def big(project: Project, slow_disk):
    """A project of a step that reads a large file, and one that does not."""
    project.pipeline(DATA, reads=PASS_ALONG, other=PASS_ALONG)
    (project.folder / "data").mkdir()
    with (project.folder / "data" / "big.bin").open("wb") as file:
        file.truncate(SIZE)
    return project


class CtrlC:
    """A listener that presses it at the first report."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._is_pressed = False

    def __call__(self, event: object) -> None:
        self._project.events.append(event)
        if not self._is_pressed and remarks(self._project):
            self._is_pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def remarks(project: Project) -> list[str]:
    """Return what is reported of the data and the outputs."""
    texts = (event.text for event in project.events if isinstance(event, Remark))
    return [text for text in texts if text.startswith("reading the ")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_data_is_hashed_ends_the_run_and_no_step_starts(big):
    run = big.run(on_event=CtrlC(big), jobs=1)

    assert remarks(big)[0].startswith("reading the dataset 'big': ")
    assert remarks(big)[0].endswith(" of 50.3 MB")
    assert run.status == "cancelled"
    assert [event for event in big.events if isinstance(event, StepStarted)] == []
    assert {step.key: (step.status, step.reason) for step in find_run(big.folder).steps} == {
        "reads": ("skipped", "the run was stopped by Ctrl-C"),
        "other": ("skipped", "the run was stopped by Ctrl-C"),
    }
    assert HashCache(big.folder / ".azml" / "hashes.json")._known.get(str(big.folder / "data" / "big.bin")) is None


@linux
def test_other_steps_run_while_data_is_hashed(big):
    run = big.run(jobs=2)

    assert run.status == "completed"
    order = [type(event).__name__ + event.step.key for event in big.events if hasattr(event, "step")]
    assert order.index("StepStartedother") < order.index("StepStartedreads")


def test_a_large_output_is_hashed_beside_the_running_steps(project, slow_disk):
    writes = BEGINNING + "with (args.output_folder / 'big.bin').open('wb') as file:\n    file.truncate(48 << 20)\n"
    project.pipeline(
        "steps:\n  writes: {script_name: writes.py}\n  reads: {script_name: reads.py, run_after: [writes]}\n",
        writes=writes,
        reads="print('hello')\n",
    )

    run = project.run()

    assert run.status == "completed"
    assert run["writes"].outputs != {"writes_output_folder": ""}
    assert any(text.startswith("reading the output 'writes_output") for text in remarks(project))
    assert project.statuses(project.run()) == {"writes": "reused", "reads": "reused"}
    finished = [event.step for event in project.events if isinstance(event, StepFinished)]
    assert finished == []
    assert isinstance(project.events[-1], RunFinished)


@linux
def test_the_time_limit_of_a_step_holds_while_a_large_file_that_the_step_before_it_read_is_hashed(project, slow_disk):
    with (project.folder / "big.bin").open("wb") as file:
        file.truncate(2 * SIZE)  # which takes about five seconds
    steps = "steps:\n  one: {script_name: one.py}\n"
    steps += "  two: {script_name: two.py, run_after: [one], max_run_duration_seconds: 1}\n"
    one = f"open({str(project.folder / 'big.bin')!r}, 'rb').read(1)\n"
    project.pipeline(steps, one=one, two="import time\ntime.sleep(60)\n")

    run = project.run()

    assert run["two"].message == "stopped after 1 s (max_run_duration_seconds)"
    assert run["two"].finished - run["two"].started < 4
    again = project.run()
    assert project.statuses(again)["one"] == "reused"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_while_a_large_output_is_hashed_cancels_its_step(project, slow_disk, monkeypatch):
    monkeypatch.setattr("azml_tasks.local.run.scheduler._LAST_READS", 0.0)
    writes = BEGINNING + "with (args.output_folder / 'b').open('wb') as file:\n    file.truncate(48 << 20)\n"
    project.line(one=writes, two=PASS_ALONG.replace("(args.input_folder", "'' and (args.input_folder"))

    run = project.run(on_event=CtrlC(project))

    assert (run.status, run["one"].status, run["one"].message) == ("cancelled", "cancelled", "stopped by Ctrl-C")
    monkeypatch.undo()
    assert project.run()["one"].status == "completed"


def test_four_steps_with_the_same_data_walk_through_it_once(project, monkeypatch):
    steps = "".join(f"  s{number}: {{script_name: s.py, input_datasets: {{--data: data}}}}\n" for number in range(4))
    project.pipeline("datasets:\n  data: {type: file, local_path: data}\nsteps:\n" + steps, s=PASS_ALONG)
    project.write({"data/a.txt": "a", "data/b.txt": "b"})
    project.run()
    walked = []
    walk = HashCache._walk

    def counted(self, root, seen, **options):
        walked.append(root)
        return walk(self, root, seen, **options)

    monkeypatch.setattr(HashCache, "_walk", counted)

    assert set(project.statuses(project.run()).values()) == {"reused"}
    assert walked.count(str(project.folder / "data")) == 1


def test_data_that_a_step_writes_is_looked_at_again_for_the_next_step(project):
    project.pipeline(
        """\
        datasets:
          data: {type: file, mode: mount, local_path: data}
        steps:
          first: {script_name: reads.py, input_datasets: {--data: data}}
          writes: {script_name: writes.py, run_after: [first]}
          last: {script_name: reads.py, input_datasets: {--data: data}, run_after: [writes]}
        """,
        reads="import sys\nprint(open(sys.argv[sys.argv.index('--data') + 1] + '/a.txt').read())\n",
        writes=f"open({str(project.folder / 'data' / 'a.txt')!r}, 'w').write('new')\n",
    )
    project.write({"data/a.txt": "old"})

    first = project.run()
    assert [step.message for step in first.steps] == ["", "", ""]
    again = project.run()

    assert project.statuses(again)["last"] == "reused"
    assert project.statuses(again)["first"] == "completed"


def test_hashes_are_saved_as_they_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr("azml_tasks.local.store.contents._SAVE_EVERY", 0.0)
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(name.encode())
        os.utime(tmp_path / name, (1, 1))
    cache = HashCache(tmp_path / "hashes.json")
    cache._save_after = 0.0
    monkeypatch.setattr("azml_tasks.local.store.contents.time.time", lambda: 1e12)

    cache.digest(tmp_path / "a")

    assert [*json.loads((tmp_path / "hashes.json").read_text())["files"]] == [str(tmp_path / "a")]


@linux
def test_a_large_file_that_was_just_written_is_hashed_once(tmp_path, monkeypatch):
    (tmp_path / "large").write_bytes(b"x" * (9 << 20))
    HashCache(tmp_path / "hashes.json").digest(tmp_path / "large")
    cache = HashCache(tmp_path / "hashes.json")
    cache.digest(tmp_path / "large")
    cache.save()

    monkeypatch.setattr(HashCache, "_read", lambda self, path: pytest.fail(f"{path} was read again"))

    assert HashCache(tmp_path / "hashes.json").digest(tmp_path / "large")
