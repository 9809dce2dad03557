"""Run one step under a debugger, in a new interpreter that has the terminal."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.local.run.processes import ProcessExit, ProcessSpec

if TYPE_CHECKING:
    from azml_tasks.snapshot import Snapshot

_HOST = "127.0.0.1"
# What `python -m pdb` does, but for standard input that ends before the first command, which pdb takes for `quit`. The
# pdb of 3.13.0 takes the script's arguments for its own (gh-125115, right from 3.13.1).
_PDB = """\
import pdb, sys
if sys.stdin is None or not (sys.stdin.isatty() or sys.stdin.buffer.peek(1)):
    sys.exit("--pdb needs a terminal: standard input is empty")
sys.argv[1:1] = ["--"] * (sys.version_info[:3] == (3, 13, 0))
pdb.main()
"""
_NOTE = "(this step ran under a debugger; its output was printed on the terminal)\n"


@dataclass(frozen=True)
class Debugger:
    """What a step is run under: pdb, or with a `port` debugpy, which waits there for an editor."""

    port: int = 0

    def command(self, python: str) -> list[str]:
        """Return how to start a script under it."""
        if not self.port:
            return [python, "-c", _PDB]
        return [python, "-m", "debugpy", "--listen", f"{_HOST}:{self.port}", "--wait-for-client"]

    def missing(self, python: str) -> str:
        """Return what to install for this Python; empty for nothing."""
        if not self.port:
            return ""
        tried = subprocess.run([python, "-c", "import debugpy"], capture_output=True, check=False)
        return (
            ""
            if tried.returncode == 0
            else f"debugpy is not installed; install it with `{python} -m pip install debugpy`"
        )


class DebuggedProcess:
    """The one process of a run with a debugger. It is in our process group, so that it may read from the terminal."""

    debugs = True

    def __init__(self, debugger: Debugger) -> None:
        self._debugger = debugger
        self._id, self._failure = "", ""
        self._process: subprocess.Popen[bytes] | None = None
        self._sources: Mapping[str, Path] = {}

    @property
    def ahead(self) -> Mapping[str, list[str]]:
        return {}

    def warm_up(self, snapshots: Sequence[Snapshot], reads_data: bool) -> None:
        """Note where the files of the step are in the project; the step imports for itself."""
        self._sources = {path: source for snapshot in snapshots for path, source in snapshot.files.items()}

    def start(self, launch: ProcessSpec) -> None:
        self._id, self._failure = launch.id, self._debugger.missing(launch.python)
        if self._failure:
            return
        command = [*self._debugger.command(launch.python), *launch.argv]
        Path(launch.log).write_text(_NOTE, encoding="utf-8")
        if self._debugger.port:
            print(f"waiting for a debugger on {_HOST}:{self._debugger.port}", flush=True)
        environment = {
            **launch.environment,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
            # For breakpoints in the project's files; unused if the editor has its own pairs (pydevd_file_utils.py).
            "PATHS_FROM_ECLIPSE_TO_PYTHON": json.dumps(
                [(str(source), os.path.join(launch.cwd, path)) for path, source in self._sources.items()]
            ),
        }
        self._process = subprocess.Popen(command, cwd=launch.cwd, env=environment)

    def signal(self, identifier: str, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def wait(self, timeout: float) -> list[ProcessExit]:
        if self._failure:
            return [ProcessExit(self._id, None, self._failure)]
        if self._process is None:
            return []
        with contextlib.suppress(subprocess.TimeoutExpired):
            exit_code = self._process.wait(timeout)
            self._process = None
            return [ProcessExit(self._id, exit_code)]
        return []

    def wake(self) -> None:
        """Do nothing: a signal that matters ends the process."""

    def close(self) -> None:
        if self._process is not None:
            self._process.send_signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self._process.wait()
