"""Time our commands in turn with the same commands of an earlier release."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.pairs import Command, Spent

REPOSITORY = Path(__file__).resolve().parents[2]
# Pairs for a figure: a ratio near 1 needs more of them than one of a tenth.
_PAIRS = 9


@dataclass(frozen=True)
class Change:
    """The seconds of pairs of runs, ours first, and the name of the earlier release."""

    what: str
    pairs: tuple[tuple[Spent, Spent], ...]
    release: str

    def __str__(self) -> str:
        wall = _spread([ours.wall / other.wall for ours, other in self.pairs])
        cpu = _spread([ours.cpu / other.cpu for ours, other in self.pairs])
        seconds = statistics.median(ours.wall for ours, _ in self.pairs)
        return f"{self.what:<46} {seconds:7.3f} s  wall {wall}  CPU {cpu}  x of {self.release}"


class AgainstRelease:
    """Times our commands with this checkout and with the release of a tag, both installed in the same way."""

    def __init__(self, tag: str, folder: Path) -> None:
        self._tag = tag
        self._folder = folder
        self._timed: set[str] = set()
        self._ours = install(REPOSITORY, folder / "this checkout")
        self._theirs = install(checkout(tag, folder / "source"), folder / tag)

    def compare(
        self, what: str, ours: Command, other: Command, goal: float | None = None, runs: int = 5, cpu: bool = False
    ) -> Change | None:
        """Time our command of both, once for each `what`, after one run of each that is not counted.

        `other` does not matter, nor what our commands do not run.
        """
        if what in self._timed or not ("invoke" in ours.argv or any("azml_tasks" in str(part) for part in ours.argv)):
            return None
        self._timed.add(what)
        new, old = _with_python(ours, self._ours), _with_python(self._elsewhere(ours), self._theirs)
        new.run(), old.run()
        return Change(what, tuple((new.run(), old.run()) for _ in range(max(runs, _PAIRS))), self._tag)

    def cost(
        self, what: str, ours: tuple[Command, Command], other: tuple[Command, Command], more: int, goal: float
    ) -> Change | None:
        """Time the large run: what one thing more costs is the same ratio, with more noise."""
        return self.compare(what, ours[1], other[1])

    def _elsewhere(self, command: Command) -> Command:
        """Return the command in a copy of its folder, where the other release leaves its own state."""
        copy = self._folder / "projects" / "-".join(command.cwd.parts[-2:])
        if not copy.exists():
            shutil.copytree(command.cwd, copy, ignore=shutil.ignore_patterns(".azml"))
        return replace(command, cwd=copy)


def checkout(tag: str, folder: Path) -> Path:
    """Write the files of a tag, or of any revision, into a new folder, and return it."""
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", tag], cwd=REPOSITORY, check=False, capture_output=True)
    if archive.returncode:
        raise SystemExit(f"{tag} is not a revision of this repository; `git fetch --tags` gets the releases")
    subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
    return folder


def install(source: Path, environment: Path) -> Path:
    """Install the package from its source in a new virtual environment, and return the interpreter.

    Its dependencies are those that are installed here.
    """
    venv.create(environment)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    ask = "import sysconfig; print(sysconfig.get_paths()['purelib'])"
    own = Path(subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip())
    (own / "installed_here.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--ignore-installed")
    subprocess.run([*pip, "--disable-pip-version-check", source], check=True)
    return python


def _with_python(command: Command, python: Path) -> Command:
    return replace(command, argv=(python, *command.argv[1:]))


def _spread(ratios: Iterable[float]) -> str:
    found = sorted(ratios)
    return f"{statistics.median(found):.2f} ({found[0]:.2f} to {found[-1]:.2f})"
