"""Tables in a step: `to_pandas_dataframe` of the stand-in against pandas alone, whole processes, processor time."""

from __future__ import annotations

import datetime
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.bench.pairs import Command, Timer

OURS = """\
import sys
from azml_tasks.standin.azml_local.data.tabular_dataset import TabularDataset
definition = {"paths": [sys.argv[1]], "reading": {"format": sys.argv[2], "infer": True}, "steps": []}
frame = TabularDataset._create(definition).to_pandas_dataframe()
"""
READ_CSV = "import sys, pandas\nframe = pandas.read_csv(sys.argv[1])\n"
# The rounding of Azure ML's reader; from pandas 3.1 on that of pandas.
READ_EXACTLY = """\
import sys, pandas
option = {} if tuple(map(int, pandas.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
frame = pandas.read_csv(sys.argv[1], **option)
"""
READ_FOLDER = """\
import sys, pandas, pathlib
frame = pandas.concat(map(pandas.read_csv, sorted(pathlib.Path(sys.argv[1]).iterdir())), ignore_index=True)
"""
READ_JSON = "import sys, pandas\nframe = pandas.read_json(sys.argv[1], lines=True)\n"
PEAK = "import resource\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
MB = 1 << 20
NAMES = ("anna", "bert", "carla", "dieter", "emil", "frida", "gustav", "heidi")


@dataclass(frozen=True)
class Memory:
    """The peaks of two commands, in bytes."""

    what: str
    ours: int
    other: int
    goal: float

    def __str__(self) -> str:
        ratio = self.ours / self.other
        return (
            f"{self.what + ', memory':<48} {self.ours / MB:7.0f} MB  {ratio:6.2f} x of pandas "
            f"({self.other / MB:.0f} MB)  (goal {self.goal:g})"
        )


def figures(timer: Timer) -> Iterator[object]:
    """Compare for tables in which no row occurs twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mixed = _written(folder / "mixed.csv", 60 * MB, _mixed, "id,customer,amount,ratio,active,day,comment,count")
        yield from _both(timer, "CSV 60 MB mixed", mixed, "delimited", READ_CSV, 2.5)
        dates = _written(folder / "dates.csv", 20 * MB, _dates, "start,end,day,stamp")
        yield from _both(timer, "CSV 20 MB dates", dates, "delimited", READ_CSV, 2.5)
        header = ",".join(f"x{number}" for number in range(10))
        numbers = _written(folder / "numbers.csv", 20 * MB, _numbers, header)
        yield from _both(timer, "CSV 20 MB numbers", numbers, "delimited", READ_EXACTLY, 1.7)
        files = folder / "files"
        files.mkdir()
        lines = mixed.read_text().splitlines()
        for number in range(1000):
            part = [lines[0], *lines[1 + number * 200 : 201 + number * 200]]
            (files / f"{number:04}.csv").write_text("\n".join(part) + "\n")
        yield from _both(timer, "1,000 CSV files of 200 rows", files, "delimited", READ_FOLDER, 2.5)
        records = _written(folder / "mixed.jsonl", 40 * MB, _record, "")
        yield from _both(timer, "JSON lines 40 MB mixed", records, "json_lines", READ_JSON, 2.5)


def _both(timer: Timer, what: str, path: Path, kind: str, theirs: str, goal: float) -> Iterator[object]:
    ours = Command("ours", (sys.executable, "-c", OURS + PEAK, path, kind), path.parent)
    other = Command("pandas", (sys.executable, "-c", theirs + PEAK, path), path.parent)
    yield timer.compare(what, ours, other, goal, runs=3, cpu=True)
    yield Memory(what, _peak(ours), _peak(other), 1.3)


def _peak(command: Command) -> int:
    done = subprocess.run(list(map(str, command.argv)), cwd=command.cwd, capture_output=True, text=True, check=True)
    return int(done.stdout) * 1024


def _written(path: Path, size: int, row: Callable[[random.Random, int], str], header: str) -> Path:
    """Write a file of about so many bytes."""
    choice = random.Random(7)
    with path.open("w") as file:
        written = file.write(f"{header}\n" if header else "")
        number = 0
        while written < size:
            written += file.write(row(choice, number) + "\n")
            number += 1
    return path


def _moment(number: int) -> datetime.datetime:
    return datetime.datetime(1990, 1, 1) + datetime.timedelta(seconds=number * 2711)


def _mixed(choice: random.Random, number: int) -> str:
    name = choice.choice(NAMES)
    flag = choice.choice(("true", "false"))
    return (
        f"{number},{name}{choice.randrange(10**6)},{choice.uniform(0, 10_000):.2f},{choice.random()!r},{flag},"
        f"{_moment(number).date()},{name} bought {choice.choice(NAMES)} number {number},{choice.randrange(-500, 500)}"
    )


def _dates(choice: random.Random, number: int) -> str:
    start = _moment(number)
    end = start + datetime.timedelta(microseconds=choice.randrange(10**12))
    return f"{start},{end.isoformat(timespec='microseconds')},{end:%m/%d/%Y},{end:%Y-%m-%d}"


def _numbers(choice: random.Random, number: int) -> str:
    return ",".join(str(choice.gauss(0, 1)) if place % 3 else str(choice.randrange(10**9)) for place in range(10))


def _record(choice: random.Random, number: int) -> str:
    names = ("id", "customer", "amount", "ratio", "active", "day", "comment", "count")
    return json.dumps(dict(zip(names, _mixed(choice, number).split(","), strict=True)) | {
        "id": number, "amount": choice.uniform(0, 10_000), "ratio": choice.random(), "active": number % 3 == 0,
    })  # fmt: skip
