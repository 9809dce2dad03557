"""The size of real work: many files, steps and runs; how hashing is interrupted and continued. CPU unless said."""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.pairs import BesideOthers, Command, Timer
from tests.bench.projects import PLAIN, line

INVOKE = (sys.executable, "-m", "invoke")
_FILES, _FOLDERS = 20_000, 200
_LARGE, _PARTS = 3 << 30, 48
_ENDLESS = 15 << 30
_ROUNDS = 5


def figures(timer: Timer) -> Iterator[object]:
    """Compare with what a user would use otherwise, in one run; nothing for a comparison with a release."""
    if not isinstance(timer, BesideOthers):
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _files(folder)
        yield _steps(folder)
        yield from _runs(folder)
        yield _killed(folder)
        yield from _interrupted(folder)


def _figure(what: str, ratios: list[float], other: str, goal: float, unit: str = "x of") -> str:
    spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
    return f"{what:<62} {statistics.median(ratios):6.2f} {unit} {other} {spread}  (goal {goal:g})"


def _files(folder: Path) -> str:
    """Return what a run spends on unchanged files beyond one without them, as parts of `find -newer`."""
    many, few = _reading(folder / "many", 4), _reading(folder / "few", 4)
    for number in range(_FILES):
        place = many / "data" / f"{number % _FOLDERS:03}" / f"{number:05}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{number}\n" * 20)
    (few / "data").mkdir()
    (few / "data/one.txt").write_text("1\n")
    ours, without = Command("ours", (*INVOKE, "run"), many), Command("without data", (*INVOKE, "run"), few)
    find = Command("find", ("find", "data", "-newer", "pipeline.yaml"), many)
    ratios = _beyond(ours, without, find)
    return _figure("20,000 files, 4 steps, unchanged, beyond a run without data", ratios, "find -newer", 8)


def _steps(folder: Path) -> str:
    project = line(folder / "thousand", 1000, PLAIN)
    listing = Command("invoke --list", (*INVOKE, "--list"), project)
    ratios = _beyond(Command("ours", (*INVOKE, "run"), project), listing, listing)
    return _figure("1,000 steps, unchanged, beyond invoke --list", ratios, "invoke --list", 3.5)


def _runs(folder: Path) -> Iterator[str]:
    two, many = line(folder / "two-runs", 10, PLAIN), folder / "many-runs"
    run = Command("ours", (*INVOKE, "run", "--force"), two)
    run.run(), run.run()
    shutil.copytree(two, many)
    kept = next((many / ".azml/runs").iterdir())
    for number in range(298):
        copy = kept.with_name(f"20200101-000000-{number:04x}")
        shutil.copytree(kept, copy)
        record = json.loads((copy / "run.json").read_text())
        (copy / "run.json").write_text(json.dumps({**record, "id": copy.name}))
    listed = Command("ours", (*INVOKE, "runs.list"), many)
    few = Command("two runs", (*INVOKE, "runs.list"), two)
    tasks = Command("invoke --list", (*INVOKE, "--list"), many)
    spent = _rounds(listed, few, tasks)
    yield _figure("runs.list, 300 runs of 10 steps", [a / b for a, b, _ in spent], "2 runs", 1.25)
    yield _figure("runs.list, 300 runs of 10 steps", [a / c for a, _, c in spent], "invoke --list", 2.1)


def _killed(folder: Path) -> str:
    """Return how long the run after a kill takes until its step starts, beyond one without data (wall)."""
    large, small = _reading(folder / "large", 1, "import time; time.sleep(60)\n"), _reading(folder / "small", 1)
    (small / "data").mkdir()
    (small / "data/one.txt").write_text("1\n")
    (large / "data").mkdir()
    for number in range(_PARTS):
        with (large / f"data/{number}").open("wb") as file:
            file.truncate(_LARGE // _PARTS)
            file.write(str(number).encode())
    base = min(_until_started(small) for _ in range(3))
    ratios = []
    for _ in range(2):
        shutil.rmtree(large / ".azml", ignore_errors=True)
        first, second = _until_started(large), _until_started(large)
        ratios.append((second - base) / (first - base))
    while large.exists():  # The last step is being killed, and may write meanwhile.
        shutil.rmtree(large, ignore_errors=True)
    return _figure("after kill -9: 3 GB hashed again until the step starts, wall", ratios, "the first run", 0.3)


def _until_started(project: Path) -> float:
    """Start a run without results, kill it when its step has started, and return the seconds until then."""
    (project / ".azml/reuse.jsonl").unlink(missing_ok=True)
    began = time.monotonic()
    with subprocess.Popen((*INVOKE, "run"), cwd=project, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        for said in run.stdout:
            if ": started" in said:
                break
        seconds = time.monotonic() - began
        run.kill()
    return seconds


def _interrupted(folder: Path) -> Iterator[str]:
    project = _reading(folder / "endless", 2)
    (project / "data").mkdir()
    with (project / "data/big").open("wb") as file:
        file.truncate(_ENDLESS)
    seconds, progress = [], []
    for _ in range(2):
        began = time.monotonic()
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        with subprocess.Popen((*INVOKE, "run"), cwd=project, text=True, **pipes) as run:
            assert run.stdout
            said = next(said for said in run.stdout if "reading the dataset" in said)
            progress.append(time.monotonic() - began)
            time.sleep(1)
            pressed = time.monotonic()
            run.send_signal(signal.SIGINT)
            rest = run.stdout.read()
        seconds.append(time.monotonic() - pressed)
        if ": started" in said + rest:
            raise SystemExit(f"a step started after Ctrl-C:\n{rest}")
    yield _figure("Ctrl-C while 15 GB are hashed, wall", seconds, "until the end", 2, "s")
    yield _figure("the first line on the progress of the hashing, wall", progress, "after the start", 3, "s")


def _reading(folder: Path, steps: int, script: str = "") -> Path:
    """Write a project whose steps each read the folder `data`, which is to be made."""
    folder.mkdir()
    names = [f"s{number}" for number in range(steps)]
    entries = "".join(
        f"  {name}: {{script_name: s.py, input_folders: {{}}, output_folders: [], input_datasets: {{all: files}}}}\n"
        for name in names
    )
    (folder / "pipeline.yaml").write_text(
        f"backend: local\nsteps:\n{entries}"
        "datasets: {files: {type: file, datastore_name: store, path: data, local_path: data}}\n"
        "datastores: {store: {container_name: raw, account_name: someone}}\n"
    )
    (folder / "s.py").write_text(script)
    (folder / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
    return folder


def _rounds(*commands: Command) -> list[tuple[float, ...]]:
    """Return the CPU seconds of the commands, run in turn, after one run of each that is not counted."""
    for command in commands:
        command.run()
    return [tuple(command.run().cpu for command in commands) for _ in range(_ROUNDS)]


def _beyond(ours: Command, less: Command, other: Command) -> list[float]:
    """Return what our command spends beyond another, as parts of a third."""
    return [(a - b) / c for a, b, c in _rounds(ours, less, other)]
