"""Local runs: whole `invoke run`, start-up included, against a shell loop of `python step.py`, make and DVC."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.pairs import Command, Timer
from tests.bench.projects import PLAIN, WITH_PANDAS, WITH_RUN, WORKING, fan, line

RUN = (sys.executable, "-m", "invoke", "run")


def figures(timer: Timer) -> Iterator[object]:
    """Time runs from nothing, then with nothing changed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if importlib.util.find_spec("azureml.core"):
            # The loop's scripts import the SDK, as the wrapper's own example does.
            yield _against_loop(
                timer, "10 seed-style steps in a line", line(folder / "seed", 10, WITH_RUN), 0.05, runs=3
            )
            yield _against_loop(timer, "1 -> 8 -> 1 seed-style steps", fan(folder / "fan", 8, WITH_RUN), 0.05, runs=3)
            working = line(folder / "working", 10, WORKING)
            yield _against_loop(timer, "10 steps that compute for about 0.2 s", working, 0.3, runs=3)
            pandas = line(folder / "pandas", 10, WITH_PANDAS)
            yield _against_loop(timer, "10 steps that import pandas too", pandas, 1.0, runs=3)
            yield _unchanged(timer, "10 steps that import pandas, nothing changed", pandas)
        else:
            print("(the figures with the SDK need the SDK)")
        plain = line(folder / "plain", 50, PLAIN)
        wide = fan(folder / "wide", 48, PLAIN)
        yield _against_loop(timer, "50 steps without the SDK in a line", plain, 1.0)
        yield _against_loop(timer, "1 -> 48 -> 1 steps without the SDK", wide, 0.6)
        if shutil.which("make"):
            yield timer.compare("1 -> 48 -> 1 steps without the SDK", _ours(wide), _make(wide))
        ten = line(folder / "ten", 10, PLAIN)
        loops = (_loop(ten), _loop(plain))
        yield timer.cost(
            "a further step in a line, its own work included", (_ours(ten), _ours(plain)), loops, 40, goal=10
        )
        for what, project, goal in (
            ("10 steps, nothing changed", ten, 3.0),
            ("50 steps, nothing changed", plain, None),
        ):
            yield _unchanged(timer, what, project, goal)
            yield _unchanged_beside_dvc(timer, what, project)
        yield _unchanged(timer, "1,000 steps, nothing changed", line(folder / "thousand", 1000, PLAIN))


def _ours(project: Path) -> Command:
    return Command("ours", RUN, project, before=lambda folder: shutil.rmtree(folder / ".azml", ignore_errors=True))


def _loop(project: Path) -> Command:
    return Command("the shell loop", ("sh", "loop.sh"), project, env={"PYTHON": sys.executable})


def _against_loop(timer: Timer, what: str, project: Path, goal: float, runs: int = 5) -> object:
    figure = timer.compare(what, _ours(project), _loop(project), goal, runs)
    _check_outputs(project)
    return figure


def _check_outputs(project: Path) -> None:
    """Make sure that a run left what the loop left, byte by byte, where the loop has run."""
    for folder in (project / "loop").glob("*"):
        (made,) = project.glob(f".azml/runs/*/steps/{folder.name}/outputs/*/rows.csv")
        if made.read_bytes() != (folder / "rows.csv").read_bytes():
            raise SystemExit(f"{made} is not what the loop made")


def _make(project: Path) -> Command:
    return Command(
        "make -j2",
        ("make", "--silent", "-j2", f"PYTHON={sys.executable}"),
        project,
        before=lambda folder: shutil.rmtree(folder / "made", ignore_errors=True),
    )


def _unchanged(timer: Timer, what: str, project: Path, goal: float | None = None) -> object:
    again = Command("ours", RUN, project)
    again.seconds()
    listing = Command("invoke --list", (sys.executable, "-m", "invoke", "--list"), project)
    return timer.compare(what, again, listing, goal)


def _unchanged_beside_dvc(timer: Timer, what: str, project: Path) -> object:
    dvc = shutil.which("dvc")
    if dvc is None:
        return "(no `dvc` on PATH: no comparison with `dvc repro`)"
    return timer.compare(what, Command("ours", RUN, project), _dvc(dvc, project), goal=0.5, runs=3)


def _dvc(dvc: str, project: Path) -> Command:
    """Return `dvc repro` of the same steps, already reproduced once."""
    scripts = sorted((project / "steps").glob("*.py"))
    stages = ["stages:"]
    for place, script in enumerate(scripts):
        before = f"dvc-made/{scripts[place - 1].stem}" if place else ""
        given = f" --input-folder {before}" if before else ""
        deps = f"[steps/{script.name}{', ' + before if before else ''}]"
        stages += [
            f"  {script.stem}:",
            f"    cmd: {sys.executable} steps/{script.name}{given} --output-folder dvc-made/{script.stem}",
            f"    deps: {deps}",
            f"    outs: [dvc-made/{script.stem}]",
        ]
    (project / "dvc.yaml").write_text("\n".join(stages) + "\n")
    subprocess.run([dvc, "init", "--no-scm", "-f", "-q"], cwd=project, check=True)
    command = Command("dvc repro", (dvc, "repro", "-q"), project)
    command.seconds()
    return command
