"""The folder .azml may be deleted at any time, as a whole or in part, also while a run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from azml_tasks.errors import RunError
from azml_tasks.local.logs import read_log
from azml_tasks.local.prune import prune
from azml_tasks.local.run.runner import forecast
from azml_tasks.local.runs import find_run, list_runs
from azml_tasks.local.store.records import LocalRunRecord
from azml_tasks.reading import load_project
from azml_tasks.runs.records import StepFinished
from tests.local.conftest import BEGINNING, PASS_ALONG, Project, linux
from tests.local.runners import WAYS, Runner, text_of

OWN_FOLDER = "its folder in .azml was deleted while it ran"
OF_ONE = "the output of 'one' was deleted in the meantime"
# Reads whatever is there and makes what is not: it notices nothing itself. Its files take a while to delete.
NOTICES_NOTHING = (
    BEGINNING
    + """\
total = sum(int(file.read_text()) for file in args.input_folder.glob("*")) if args.input_folder else 0
for number in range(200 if args.output_folder else 0):
    os.makedirs(args.output_folder, exist_ok=True)
    (args.output_folder / str(number)).write_text(str(total + number))
print("total:", total)
"""
)
# Each of three steps hands on two hundred times what it read, and the numbers from 0 to 199.
TOTAL = f"total: {sum(200**power for power in range(3)) * 19_900}\n"


def deleting(*places: str) -> str:
    """Return the source of a script that has `run` delete these places of its project's .azml, which are patterns.

    A script cannot do so itself: what it reads is read-only for it.
    """
    return BEGINNING + (
        "import time\n"
        "project = next(folder for folder in pathlib.Path.cwd().parents if folder.name == '.azml').parent\n"
        f"(project / 'asked.new').write_text(json.dumps({places!r}))\n"
        "(project / 'asked.new').rename(project / 'asked')\n"
        "while (project / 'asked').exists():\n"
        "    time.sleep(0.005)\n"
    )


def run(project: Project, **options) -> LocalRunRecord:
    """Run the pipeline, and delete what its scripts ask for."""

    def delete(event: object) -> None:
        asked = project.folder / "asked"
        if asked.exists():
            for place in [place for pattern in json.loads(asked.read_text()) for place in project.folder.glob(pattern)]:
                shutil.rmtree(place) if place.is_dir() else place.unlink()
            asked.unlink()

    return project.run(on_event=delete, tick=0.01, **options)


@pytest.mark.thorough
@pytest.mark.parametrize("part", ["", "runs", "objects", "reuse", "hashes.json", "envs", "models", "datastores"])
def test_what_is_deleted_between_runs_costs_time_and_nothing_else(project, part):
    project.line(one=PASS_ALONG, two=PASS_ALONG, three=PASS_ALONG)
    project.run()
    place = project.folder / ".azml" / part
    place.unlink() if place.is_file() else shutil.rmtree(place, ignore_errors=True)
    project.write({"two.py": PASS_ALONG + "# changed\n"})

    run = project.run()

    assert run.status == "completed"
    assert project.log(run, "three") == "read: one two \n"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("deleted", "message"),
    [
        (".azml", OWN_FOLDER),
        (".azml/*", OWN_FOLDER),
        (".azml/runs", OWN_FOLDER),
        (".azml/runs/*", OWN_FOLDER),
        (".azml/runs/*/steps", OWN_FOLDER),
        (".azml/runs/*/steps/two", OWN_FOLDER),
        (".azml/runs/*/steps/one", OF_ONE),
        (".azml/runs/*/steps/one/context.json", OF_ONE),
        (".azml/runs/*/steps/one/outputs", OF_ONE),
        (
            ".azml/runs/*/steps/one/outputs/*/way.txt",
            "the output of 'one' changed while it ran: {way} (deleted); {as_on_azure}",
        ),
        (".azml/runs/*/run.json", None),
        (".azml/objects", None),
        (".azml/reuse", None),
        (".azml/hashes.json", None),
    ],
)
def test_what_is_deleted_while_a_step_runs_fails_it_or_does_no_harm(project, deleted, message):
    """At a known moment; the script goes on as if nothing had happened."""
    goes_on = "\nos.makedirs(args.output_folder, exist_ok=True)\n(args.output_folder / 'way.txt').write_text('lost')\n"
    project.line(one=PASS_ALONG, two=deleting(deleted) + goes_on, three=PASS_ALONG)

    ended = run(project)

    way = f".azml/runs/{ended.id}/steps/one/outputs/one_output_folder/way.txt"
    message = message and message.format(way=way, as_on_azure="inputs are read-only, as on Azure")
    assert (ended["two"].status, ended["two"].message) == (("failed", message) if message else ("completed", ""))
    project.write({"two.py": PASS_ALONG})
    after = project.run()
    assert after.status == "completed"
    assert project.log(after, "three") == "read: one two \n"


@pytest.mark.parametrize("deleted", ["", "outputs", "outputs/*/1"])
def test_a_step_whose_input_was_deleted_is_not_started(project, deleted):
    project.pipeline(
        """
        steps:
          one: {script_name: one.py}
          other: {script_name: other.py, input_folders: {}, output_folders: [], run_after: [one]}
          two: {script_name: two.py, input_folders: {--input-folder: one}, run_after: [other]}
        """,
        one=NOTICES_NOTHING,
        other=deleting(f".azml/runs/*/steps/one/{deleted}"),
        two=NOTICES_NOTHING,
    )

    ended = run(project)

    assert (ended["other"].status, ended["two"].status, ended["two"].message) == ("completed", "failed", OF_ONE)
    assert not ended["two"].places.log.exists()
    project.write({"other.py": ""})
    assert project.log(project.run(), "two") == "total: 19900\n"


def test_a_script_that_was_edited_and_whose_copy_was_deleted_is_not_run(project):
    project.line(one=deleting(".azml/objects"), two=PASS_ALONG)
    edit = f"pathlib.Path({str(project.folder / 'two.py')!r}).write_text('edited')\n"
    project.write({"one.py": deleting(".azml/objects") + edit})

    ended = run(project)

    assert (ended["two"].status, ended["two"].message) == (
        "failed",
        "two.py was changed after the run began, and its copy in .azml was deleted",
    )


def test_what_a_step_left_while_its_folder_was_being_deleted_is_not_reused(project):
    """Deleting takes time: the step may end well before its turn comes, and what is written afterwards stays."""
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    first = project.run()
    first["one"].places.context.unlink()

    run = project.run()

    assert run["one"].reason == "its earlier result was deleted"


@pytest.mark.parametrize(
    "put",
    [lambda place: place.write_text(""), lambda place: place.symlink_to("nowhere")],
    ids=["a file", "a dead link"],
)
def test_what_lies_in_the_folders_place_is_left_alone(project, put):
    project.line(one="")
    put(project.folder / ".azml")

    with pytest.raises(RunError) as caught:
        project.run()

    assert str(caught.value) == (
        "the run stopped: .azml must be a folder (runs are stored there); rename or move the file"
    )
    assert os.listdir(project.folder).count(".azml") == 1


def test_what_the_run_itself_lacks_is_named(project):
    """Raised by hand: by deleting, the moment for it is hardly ever met."""
    project.line(one="")
    lost = project.folder / ".azml/runs/1/run.json"

    def lose(event: object) -> None:
        if isinstance(event, StepFinished):
            raise FileNotFoundError(2, "No such file or directory", str(lost))

    with pytest.raises(RunError) as caught:
        project.run(on_event=lose)

    assert str(caught.value) == "the run stopped: .azml/runs/1/run.json was deleted during the run"
    assert find_run(project.folder).status == "interrupted"


class Vandal:
    """Deletes of a project's .azml what chance says."""

    def __init__(self, project: Project, chance: Random) -> None:
        self.azml = project.folder / ".azml"
        self.aside = project.folder.parent / "aside"
        self.chance = chance

    def __call__(self) -> str:
        """Delete something and say what."""
        ways: list[Callable[[], object]] = [self.all, self.all_again_and_again, self.newest_run, self.move]
        parts = ["runs", "objects", "reuse", "hashes.json", "envs"]
        way = self.chance.choice([*ways, *parts])
        if isinstance(way, str):
            place = self.azml / way
            place.unlink(missing_ok=True) if place.is_file() else shutil.rmtree(place, ignore_errors=True)
            return way
        way()
        return way.__name__

    def all(self) -> None:
        shutil.rmtree(self.azml, ignore_errors=True)

    def all_again_and_again(self) -> None:
        for _ in range(5):
            self.all()

    def newest_run(self) -> None:
        for run in sorted(self.azml.glob("runs/*"))[-1:]:
            shutil.rmtree(run, ignore_errors=True)

    def move(self) -> None:
        """All at once, unlike deleting."""
        if self.azml.exists():
            os.rename(self.azml, self.aside)
            shutil.rmtree(self.aside, ignore_errors=True)


def files_of(project: Project) -> dict[str, bytes]:
    """Return the project's own files by their paths."""
    files = (path for path in project.folder.rglob("*") if path.is_file())
    return {str(path): path.read_bytes() for path in files if not {".azml", "__pycache__"} & {*path.parts}}


@linux
@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_deleting_at_any_moment_of_a_run_makes_it_fail_in_a_sentence_or_does_no_harm(project, start, way, chance, slow):
    """Whatever is deleted: the run is right or says what it lacks, leaves nothing behind, and the next run is right."""
    project.line(one=NOTICES_NOTHING, two=NOTICES_NOTHING, three=NOTICES_NOTHING, four=NOTICES_NOTHING)
    vandal = Vandal(project, chance)
    began = time.monotonic()
    start(way).wait()
    span = time.monotonic() - began
    for number in range(40 if slow else 4):
        # Now and then a step runs anew whose results are known.
        project.write(
            {"one.py": f"{NOTICES_NOTHING}# {number // 4}\n", "two.py": f"{NOTICES_NOTHING}# {number // 2}\n"}
        )
        before = files_of(project)
        runner = start(way)
        time.sleep(chance.uniform(0, span))
        deleted = vandal()
        print(f"{number}: {deleted}")
        status, said = runner.wait(), runner.err.read_text()
        check_ending(project, runner, status, said)
        assert runner.leaves_nothing()
        assert files_of(project) == before
        after = project.run()
        assert (after.status, project.log(after, "four")) == ("completed", TOTAL), project.reasons(after)


def check_ending(project: Project, runner: Runner, status: int, said: str) -> None:
    """See that the run completed with the right result, or says why not."""
    if status == 0:
        log = project.folder / ".azml" / "runs" / runner.run_id / "steps" / "four" / "log.txt"
        assert text_of(log) in ("", TOTAL)
    else:
        assert status == 1
        assert said.startswith(("the run stopped: ", "step '"))
        # A script's own traceback is told as what its log ends with, each line indented.
        assert "\nTraceback" not in said


@pytest.fixture
def vanishing(project: Project) -> Iterator[Project]:
    """A project with three runs, whose .azml is deleted and put back all the time."""
    project.line(one=PASS_ALONG, two=PASS_ALONG)
    for _ in range(3):
        project.run(force=True)
    azml, copy = project.folder / ".azml", project.folder.parent / "copy"
    shutil.copytree(azml, copy)
    over = threading.Event()

    def vanish() -> None:
        while not over.is_set():
            shutil.rmtree(azml, ignore_errors=True)
            with contextlib.suppress(OSError):  # What is pruned meanwhile.
                shutil.copytree(copy, azml, dirs_exist_ok=True)

    thread = threading.Thread(target=vanish)
    thread.start()
    yield project
    over.set()
    thread.join()


def look_at_newest(folder: Path) -> None:
    for step in find_run(folder).steps:
        step.metrics()
        list(read_log(step))


@pytest.mark.thorough
@pytest.mark.parametrize(
    "look",
    [
        list_runs,
        look_at_newest,
        lambda folder: prune(folder, keep=1),
        lambda folder: prune(folder, dry=True),
        lambda folder: forecast(load_project(folder / "pipeline.yaml", variables={}).plan, folder),
    ],
    ids=["list", "logs", "prune", "prune when dry", "run when dry"],
)
def test_looking_at_runs_that_vanish_finds_them_or_not(vanishing, look):
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        with contextlib.suppress(RunError):
            look(vanishing.folder)
