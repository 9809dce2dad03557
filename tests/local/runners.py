"""Runs in processes of their own, which can be killed, and all the processes that come of them."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.local.conftest import Project

# Unlike `invoke run` it can be told to start steps as on macOS and Windows: `-c RUNNER subprocesses name=value`.
RUNNER = """
import sys
from pathlib import Path
from azml_tasks.errors import RunError
from azml_tasks.local.run.failure import raise_for_status
from azml_tasks.local.run.processes import Subprocesses
from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.reading import load_project
from azml_tasks.runs.progress import progress_on

project = load_project(Path("pipeline.yaml").resolve(), variables={})
options = {"processes": Subprocesses()} if "subprocesses" in sys.argv else {}
parameters = dict(word.split("=") for word in sys.argv if "=" in word)
try:
    raise_for_status(
        run_pipeline(project.plan, project.directory, parameters=parameters, on_event=progress_on(), **options)
    )
except RunError as error:
    sys.exit(str(error))
"""
INVOKE = [sys.executable, "-m", "invoke"]
TASKS = {"tasks.py": "from azml_tasks.tasks import namespace\n"}
# The ways of starting steps, as the commands that run a pipeline and the variables they need.
WAYS: dict[str, tuple[list[str], dict[str, str]]] = {
    "warm": ([*INVOKE, "run"], {}),
    "cold": ([*INVOKE, "run"], {"AZML_LOCAL_PROCESS": "spawn"}),
    "subprocesses": ([sys.executable, "-c", RUNNER, "subprocesses"], {}),
}
_MARK = "MARK_OF_A_TEST"


class Runner:
    """A run in a process of its own, in a session of its own; `out` and `err` are files of what it prints.

    `parameters` are values of pipeline parameters.
    """

    def __init__(self, project: Project, way: str = "warm", **parameters: str) -> None:
        command, variables = WAYS[way]
        settings = [f"{name}={value}" for name, value in parameters.items()]
        if way != "subprocesses":
            settings = [word for setting in settings for word in ("--set", setting)]
        if not (project.folder / "tasks.py").exists():
            # Else it would be empty for a moment in which another run may read it.
            project.write(TASKS)
        self.mark = uuid.uuid4().hex
        self.out, self.err = (project.folder.parent / f"{self.mark}.{name}" for name in ("out", "err"))
        with self.out.open("wb") as out, self.err.open("wb") as err:
            self.process = subprocess.Popen(
                [*command, *settings],
                cwd=project.folder,
                env={**os.environ, **variables, "CI": "1", _MARK: self.mark},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def run_id(self) -> str:
        """The run's id, as it says itself; empty as long as it has not."""
        lines = text_of(self.out).splitlines()
        return next((line.split()[1] for line in lines if line.startswith("run ")), "")

    def wait(self) -> int:
        """Wait for the end of the run and return its exit status."""
        return self.process.wait(timeout=60)

    def pids(self) -> list[int]:
        """Return the numbers of all processes that came of it and still run, itself first (Linux)."""
        wanted = f"{_MARK}={self.mark}".encode()
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if wanted in _environment(pid)]

    def kill_everything(self, chance: random.Random) -> None:
        """Kill all that came of it, in any order, as the system does at its end."""
        while pids := self.pids():
            chance.shuffle(pids)
            for pid in pids:
                kill(pid)
            self.process.poll()

    def leaves_nothing(self) -> bool:
        """Say whether all that came of it ends; a signal takes its time."""
        return comes_true(lambda: not self.pids())

    def clean_up(self) -> None:
        """End whatever a failed test left."""
        self.kill_everything(random.Random(0))
        self.process.wait()


def _environment(pid: int) -> list[bytes]:
    """Return the variables that a process was started with; none when it has ended."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def children_of(parent: int) -> list[int]:
    """Return the numbers of a process's children (Linux)."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent_of(pid) == parent]


def _parent_of(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def kill(pid: int) -> None:
    """Kill a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def is_running(pid: str | int) -> bool:
    """Say whether the process is there and no zombie (Linux)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def comes_true(condition: Callable[[], object]) -> bool:
    """Say whether it is so within half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until it is so."""
    assert comes_true(condition)


def ends(pid: str) -> bool:
    """Say whether the process ends; a signal takes its time."""
    return comes_true(lambda: not is_running(pid))


def text_of(path: Path) -> str:
    """Return the text of a file, empty as long as there is none."""
    return path.read_text() if path.exists() else ""
