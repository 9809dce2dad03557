"""Time two commands in turn, so that their ratio holds when the machine's speed drifts."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Spent:
    """Seconds that a process took: of the clock, and of processors, its children's included."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Command:
    """A process to time; `before` prepares each run of it in its folder, outside the clock."""

    name: str
    argv: Sequence[str | Path]
    cwd: Path
    before: Callable[[Path], None] = lambda folder: None
    env: dict[str, str] | None = None

    def run(self) -> Spent:
        """Run it once, and return what it took."""
        self.before(self.cwd)
        env = {**os.environ, **(self.env or {})}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        before, start = os.times(), time.perf_counter()
        done = subprocess.run(list(map(str, self.argv)), cwd=self.cwd, env=env, capture_output=True, check=False)
        wall, after = time.perf_counter() - start, os.times()
        if done.returncode:
            raise SystemExit(f"{self.name} failed:\n{done.stdout.decode()}\n{done.stderr.decode()}")
        cpu = after.children_user - before.children_user + after.children_system - before.children_system
        return Spent(wall, cpu)

    def seconds(self, cpu: bool = False) -> float:
        """Run it once and return the seconds of the clock, or of processors."""
        spent = self.run()
        return spent.cpu if cpu else spent.wall


@dataclass(frozen=True)
class Ratio:
    """The medians of two commands, in seconds, and the median of the ratios pair by pair."""

    what: str
    ours: float
    other: float
    other_name: str
    ratio: float
    goal: float | None

    def __str__(self) -> str:
        goal = f"  (goal {self.goal:g})" if self.goal is not None else ""
        return (
            f"{self.what:<48} {self.ours:8.3f} s  {self.ratio:6.2f} x of {self.other_name} ({self.other:.3f} s){goal}"
        )


@dataclass(frozen=True)
class Cost:
    """What one thing more costs us and the other, in milliseconds, and the median of the difference."""

    what: str
    ours: float
    other: float
    other_name: str
    difference: float
    goal: float

    def __str__(self) -> str:
        return (
            f"{self.what:<48} {self.ours:7.1f} ms  {self.difference:+6.1f} ms beside {self.other_name} "
            f"({self.other:.1f} ms)  (goal {self.goal:+g} ms)"
        )


class Timer(Protocol):
    """A way of timing our commands."""

    def compare(
        self, what: str, ours: Command, other: Command, goal: float | None = None, runs: int = 5, cpu: bool = False
    ) -> object | None:
        """Time our command, and return the figure to print; `other` is what a user would otherwise do."""

    def cost(
        self, what: str, ours: tuple[Command, Command], other: tuple[Command, Command], more: int, goal: float
    ) -> object | None:
        """Time a small and a large run, the large with so many things more, and return what one more costs."""


class BesideOthers:
    """Times our commands in turn with what a user would otherwise do."""

    def compare(
        self, what: str, ours: Command, other: Command, goal: float | None = None, runs: int = 5, cpu: bool = False
    ) -> Ratio:
        """Time the two in turn, after one run of each that is not counted."""
        ours.seconds(), other.seconds()
        pairs = [(ours.seconds(cpu), other.seconds(cpu)) for _ in range(runs)]
        median = statistics.median
        return Ratio(
            what,
            median(a for a, _ in pairs),
            median(b for _, b in pairs),
            other.name,
            median(a / b for a, b in pairs),
            goal,
        )

    def cost(
        self, what: str, ours: tuple[Command, Command], other: tuple[Command, Command], more: int, goal: float
    ) -> Cost:
        """Time a small and a large run of each in turn, and divide what the large one adds."""
        runs = [*ours, *other]
        for command in runs:
            command.seconds()
        rounds = [[command.seconds() for command in runs] for _ in range(5)]
        added = [((b - a) / more * 1000, (d - c) / more * 1000) for a, b, c, d in rounds]
        median = statistics.median
        return Cost(
            what,
            median(a for a, _ in added),
            median(b for _, b in added),
            other[0].name,
            median(a - b for a, b in added),
            goal,
        )
