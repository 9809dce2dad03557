"""Prove that a change changes nothing that a user sees.

`python -m tests.outputs take FOLDER` runs the commands and writes, for each, its exit status, what it printed and the
files that it wrote. `python -m tests.outputs compare FOLDER` does so again, and prints how the two differ.
"""

from __future__ import annotations

import argparse
import difflib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.outputs.command import Scenario
from tests.outputs.commands import SCENARIOS
from tests.outputs.taking import REPOSITORY, take


def main() -> int:
    """Take or compare; the status is 1 when something differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.outputs", description=__doc__)
    parser.add_argument("action", choices=("take", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=[scenario.name for scenario in SCENARIOS], help="this part alone")
    given = parser.parse_args()
    _check_installation()
    scenarios = [scenario for scenario in SCENARIOS if given.only in (None, scenario.name)]
    if given.action == "take":
        for scenario in scenarios:
            shutil.rmtree(given.folder / scenario.name, ignore_errors=True)
        _take_all(scenarios, given.folder)
        return 0
    missing = [scenario.name for scenario in scenarios if not (given.folder / scenario.name).is_dir()]
    if missing:
        raise SystemExit(f"{given.folder} has no {', '.join(missing)}; `python -m tests.outputs take` makes it")
    with tempfile.TemporaryDirectory() as name:
        _take_all(scenarios, Path(name))
        differences = [line for scenario in scenarios for line in _differences(scenario.name, given.folder, Path(name))]
    print("".join(differences) or "no difference\n", end="")
    return 1 if differences else 0


def _check_installation() -> None:
    """End when the commands would run another copy of the package than the one beside these tests."""
    ask = "import azml_tasks; print(azml_tasks.__file__)"
    with tempfile.TemporaryDirectory() as folder:
        found = subprocess.run([sys.executable, "-c", ask], cwd=folder, check=True, capture_output=True, text=True)
    if not Path(found.stdout.strip()).is_relative_to(REPOSITORY):
        raise SystemExit(f"{sys.executable} has azml_tasks from {found.stdout.strip()}; install it from {REPOSITORY}")


def _take_all(scenarios: list[Scenario], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(2) as pool:
        for name, count in pool.map(lambda scenario: (scenario.name, take(scenario, folder)), scenarios):
            print(f"{name}: {count} commands", file=sys.stderr, flush=True)


def _differences(scenario: str, before: Path, after: Path) -> Iterator[str]:
    names = {file.name for folder in (before, after) for file in (folder / scenario).glob("*.txt")}
    for name in sorted(names):
        old, new = _lines(before / scenario / name), _lines(after / scenario / name)
        title = (old or new)[0].rstrip("\n")
        yield from difflib.unified_diff(old, new, f"before {scenario}/{name} {title}", f"after {scenario}/{name}")


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines(keepends=True) if file.exists() else []


if __name__ == "__main__":
    sys.exit(main())
