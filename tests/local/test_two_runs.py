"""Runs of one project at the same time: each has results of its own, whatever becomes of the others."""

from __future__ import annotations

import time

import pytest

from azml_tasks.local.runs import find_run, list_runs
from tests.local.conftest import BEGINNING, Project, linux
from tests.local.runners import WAYS

# A step that adds its name and the run's word to what it reads, and takes a while.
SAYS_THE_WORD = (
    BEGINNING
    + """\
import time
word = rest[rest.index("--word") + 1]
way = (args.input_folder / "way.txt").read_text() if args.input_folder else ""
time.sleep(args.config["seconds"])
if args.output_folder:
    (args.output_folder / "way.txt").write_text(f"{way}{pathlib.Path(sys.argv[0]).stem} {word}, ")
print("read:", way)
"""
)


@pytest.fixture
def words(project: Project) -> Project:
    """A line of three steps that are given the run's word."""
    options = 'step_config: {seconds: 0.05}, arguments: {--word: "${{ parameters.word }}"}'
    steps = "".join(f"  {name}: {{script_name: {name}.py, {options}}}\n" for name in ("one", "two", "three"))
    return project.pipeline(
        f"pipeline_parameters: {{word: none}}\nsteps:\n{steps}",
        **dict.fromkeys(("one", "two", "three"), SAYS_THE_WORD),
    )


def log_of_three(project: Project, run_id: str) -> str:
    run = find_run(project.folder, run_id)
    assert run.status == "completed"
    return project.log(run, "three")


@linux
@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_runs_at_once_do_not_mix(words, start, way, slow):
    rounds = 20 if slow else 2
    for number in range(rounds):
        words.write({"one.py": f"{SAYS_THE_WORD}# {number // 2}\n"})  # Every other time there are results to reuse.
        runners = {word: start(way, word=word) for word in ("left", "right", "middle")}

        assert [runner.wait() for runner in runners.values()] == [0, 0, 0]
        for word, runner in runners.items():
            assert log_of_three(words, runner.run_id) == f"read: one {word}, two {word}, \n"
    assert len(list_runs(words.folder)) == 3 * rounds


@linux
@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_kills_of_a_run_do_not_disturb_another(words, start, way, chance, slow):
    """Of runs that share what they do not give a word to, some are killed, with all that came of them."""
    steady = start(way, word="steady")
    for number in range(40 if slow else 3):
        killed = start(way, word=chance.choice(["steady", "other"]))
        time.sleep(chance.uniform(0, 0.6))
        killed.kill_everything(chance)
        killed.process.wait()
        if steady.process.poll() is not None or number % 2:
            assert steady.wait() == 0, steady.err.read_text()
            assert log_of_three(words, steady.run_id) == "read: one steady, two steady, \n"
            words.write({"two.py": f"{SAYS_THE_WORD}# {number}\n"})
            steady = start(way, word="steady")

    assert steady.wait() == 0
    assert {run.status for run in list_runs(words.folder)} <= {"completed", "interrupted"}
    last = words.run(parameters={"word": "last"})
    assert words.log(last, "three") == "read: one last, two last, \n"
