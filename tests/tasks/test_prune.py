"""`runs.prune`: what it says of sizes."""

from __future__ import annotations

import re

import pytest

from azml_tasks.runs.records import Pruned
from azml_tasks.runs.summary import pruned_lines
from tests.tasks.conftest import Invoke

pytestmark = pytest.mark.processes


@pytest.fixture
def runs(invoke: Invoke) -> list[str]:
    """The ids of three runs, the oldest first, each with an output of 300 kB."""
    invoke.write(
        "a.py",
        "import sys, pathlib\npathlib.Path(sys.argv[2]).mkdir(exist_ok=True)\n"
        "(pathlib.Path(sys.argv[2]) / 'x').write_bytes(b'x' * 300_000)\n",
    )
    invoke.write("b.py", "")
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py}, b: {script_name: b.py}}\n")
    for _ in range(3):
        assert invoke("run", "--force").status == 0
    return sorted(path.name for path in (invoke.folder / ".azml/runs").iterdir())


def plain(text: str) -> list[str]:
    """Return the lines with X in place of sizes."""
    return [re.sub(r"[\d.]+ [kMG]?B", "X", line) for line in text.splitlines()]


def test_a_dry_run_shows_what_there_is_and_what_would_go(invoke: Invoke, runs: list[str]) -> None:
    dry = invoke("--dry", "runs.prune", "--keep", "2")

    assert (dry.status, dry.err) == (0, "")
    lines = plain(dry.out)
    assert lines[0] == ".azml holds X"
    assert [line.split()[:-1] for line in lines if line.startswith("  ")] == [
        ["runs"],
        ["results", "in", "use"],
        ["snapshots"],
        ["files", "for", "editors"],
        ["index", "of", "results"],
        ["checked", "scripts"],
    ]
    assert lines[-1] == f"would delete {runs[0]} (X)"
    assert re.search(r"would delete \S+ \(30\d kB\)", dry.out)
    assert len(invoke("runs.list").out.splitlines()) == 4


def test_the_size_is_reached_or_it_is_said_why_not(invoke: Invoke, runs: list[str]) -> None:
    enough = invoke("runs.prune", "--size", "10GB")
    assert enough.out.splitlines()[-1] == "nothing to delete: .azml is not larger than 10 GB"

    would = invoke("--dry", "runs.prune", "--size=1.2 MB")
    assert plain(would.out)[-2:] == [f"would delete {runs[0]} (X)", ".azml would hold X"]
    some = invoke("runs.prune", "--size", "1.2MB")
    assert (some.status, some.err) == (0, "")
    assert plain(some.out)[-2:] == [f"deleted {runs[0]} (X)", ".azml now holds X"]

    most = invoke("runs.prune", "--size", "100kB")
    assert plain(most.out)[-1] == f"deleted {runs[1]} (X)"
    assert most.status == 1
    (sentence,) = plain(most.err)
    assert sentence == (
        ".azml still holds X, more than X: runs X, results in use X, files for editors X, index of results X, checked "
        "scripts X; runs in progress, the newest runs (--keep) and results in use are kept, and only runs and old "
        "versions of their models are deleted"
    )


def test_a_run_that_is_kept_for_one_step_still_shows_how_the_others_ended(invoke: Invoke) -> None:
    churn = invoke
    churn.write("pipeline.yaml", "backend: local\nsteps:\n  a: {script_name: a.py}\n  b: {script_name: b.py}\n")
    churn.write("a.py", "print('a')")
    churn.write("b.py", "from azureml.core import Run\nRun.get_context().log('acc', 0.1)\nprint('b')")
    churn("run")
    first = churn("runs.list").out.splitlines()[1].split()[0]
    churn.write("b.py", "from azureml.core import Run\nRun.get_context().log('acc', 0.2)\nprint('b')")
    churn("run")

    foretold = churn("--dry", "runs.prune", "--keep", "1").out.splitlines()
    done = churn("runs.prune", "--keep", "1").out.splitlines()

    assert re.sub(r"[\d.]+ k?B", "X", foretold[-2]) == f"would delete outputs and logs of b in {first} (X)"
    assert done == [
        foretold[-2].replace("would delete", "deleted"),
        f"kept {first}: its results are in use, or the next run would reuse them",
    ]
    shown = churn("runs.show", "--run", first).out
    assert "\nb     completed" in shown
    assert "acc = 0.1" in shown
    logs = churn("runs.logs", "--run", first).out
    assert logs == "--- a\na\n--- b\n(deleted by runs.prune)\n"
    assert "0.1" in churn("runs.list", "--metrics", "acc").out
    assert churn("runs.prune", "--keep", "1").out.splitlines() == [done[1]]


def test_what_several_runs_free_is_summed_up(invoke: Invoke, runs: list[str]) -> None:
    would, done = invoke("--dry", "runs.prune", "--keep", "1"), invoke("runs.prune", "--keep", "1")

    assert re.fullmatch(r"would delete 2 runs, 6\d\d kB would be freed", would.out.splitlines()[-1])
    assert plain(done.out) == [f"deleted {runs[1]} (X)", f"deleted {runs[0]} (X)", "deleted 2 runs, X freed"]
    assert done.out.splitlines() == [
        line.replace("would delete", "deleted").replace("would be ", "") for line in would.out.splitlines()[-3:]
    ]


def test_what_is_freed_beside_runs() -> None:
    sizes = {"1": 1_500_000, "churn:1": 20_000_000, "churn:2": 9_000, "2": 3_000_000_000, "3": 100}
    some = Pruned(["1"], ["churn:1", "churn:2"], sizes, in_part={"2": ["a"]})

    assert list(pruned_lines(some, dry=False)) == [
        "deleted 1 (1.5 MB)",
        "deleted model churn:1 (20 MB)",
        "deleted model churn:2 (9.0 kB)",
        "deleted outputs and logs of a in 2 (3.0 GB)",
        "deleted 1 run and 2 model versions, 3.0 GB freed",
    ]
    in_part = Pruned(sizes=sizes, in_part={"2": ["a"], "1": ["a", "b"]})
    assert list(pruned_lines(in_part, dry=True))[-1] == "3.0 GB would be freed"
