"""The processes of steps: started, signalled and waited for."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from azml_tasks.errors import RunError
from azml_tasks.local.step.environment import Preload, base_environment, modules_at_once, modules_to_preload
from azml_tasks.local.store.paths import ProjectPaths

if TYPE_CHECKING:
    from azml_tasks.model import Pipeline
    from azml_tasks.snapshot import Snapshot

_SERVER = Path(__file__).resolve().parents[1] / "forkserver" / "server.py"
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
# How much of the fork server's output is shown if it ends (bytes).
_MOST_SAID = 2000


@dataclass(frozen=True)
class ProcessSpec:
    """The process to start for a step. `argv` starts with the script, `path` holds the folders first on its import
    path.

    A warm one runs in a fork of a process that has imported common modules, but for the modules that it must be the
    first to import; else a new interpreter is started. `guard` has its read-only paths, if the kernel supports that:
    paths that are `read_only`, those that links in them lead to (`linked`), folders in them that are `writable`, and
    folders above that stay `in_place`.
    """

    id: str
    python: str
    argv: tuple[str, ...]
    cwd: str
    environment: Mapping[str, str] = field(repr=False)
    path: tuple[str, ...]
    log: str
    warm: bool
    imports_first: tuple[str, ...] = ()
    guard: Mapping[str, Sequence[str]] | None = None


@dataclass(frozen=True)
class ProcessExit:
    """A process has ended; `exit_code` is negative when a signal ended it, None when it could not be started.

    `message` says why it could not, `at` is when it ended.
    """

    id: str
    exit_code: int | None
    message: str = ""
    at: float = field(default_factory=time.time, compare=False)


class Processes(Protocol):
    """A way of running steps as processes; one that `debugs` has the terminal, and its results are not stored."""

    debugs: bool

    @property
    def ahead(self) -> Mapping[str, list[str]]:
        """Dependencies of every forked step from preloaded modules: files, names, variables."""

    def warm_up(self, snapshots: Sequence[Snapshot], reads_data: bool) -> None:
        """Preload modules for all steps; call once, before any step is started.

        `reads_data` is whether a step has a dataset or a table among its inputs.
        """

    def start(self, launch: ProcessSpec) -> None:
        """Start a step; to be called from the main thread."""

    def signal(self, identifier: str, number: int) -> None:
        """Send a signal to all processes of a step, as far as the system can."""

    def wait(self, timeout: float) -> list[ProcessExit]:
        """Return the ended processes, waiting up to this number of seconds, or until `wake`."""

    def wake(self) -> None:
        """End a `wait` early; a signal handler may call it."""

    def close(self) -> None:
        """Kill all running processes."""


class ForkServer:
    """Processes that are forked from a warm server; they end when this process does, however it ends. Linux only."""

    debugs = False

    def __init__(self, environment: Mapping[str, str], *, at_once: bool = True) -> None:
        """Start the server `at_once`, or when it is needed."""
        with contextlib.ExitStack() as opened:
            self._socket, self._theirs = map(opened.enter_context, socket.socketpair())
            self._woken, self._wake = map(opened.enter_context, socket.socketpair())
            self._woken.setblocking(False)
            self._wake.setblocking(False)
            self._selector = opened.enter_context(selectors.DefaultSelector())
            self._selector.register(self._socket, selectors.EVENT_READ)
            self._selector.register(self._woken, selectors.EVENT_READ)
            self._said = opened.enter_context(tempfile.TemporaryFile())
            self._environment = dict(environment)
            self._server = self._boot() if at_once else None
            self._opened = opened.pop_all()
        self._received = b""
        self._pids: dict[str, int] = {}
        self._ahead: dict[str, list[str]] = {}
        self._is_used = False

    def _boot(self) -> subprocess.Popen[bytes]:
        with self._theirs:
            return subprocess.Popen(
                [sys.executable, str(_SERVER), str(self._theirs.fileno()), ",".join(modules_at_once())],
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=self._said,
                env=self._environment,
                pass_fds=[self._theirs.fileno()],
                start_new_session=True,
            )

    @property
    def ahead(self) -> Mapping[str, list[str]]:
        return self._ahead

    def warm_up(self, snapshots: Sequence[Snapshot], reads_data: bool) -> None:
        self.preload(modules_to_preload(snapshots, reads_data))

    def preload(self, modules: Preload) -> None:
        """Import modules in the server, before any step is started."""
        self._send({"light": modules.light, "heavy": modules.heavy})

    def start(self, launch: ProcessSpec) -> None:
        self._is_used = True
        self._send(
            {
                "start": launch.id,
                "python": launch.python,
                "argv": launch.argv,
                "cwd": launch.cwd,
                "env": dict(launch.environment),
                "path": launch.path,
                "log": launch.log,
                "warm": launch.warm,
                "imports_first": launch.imports_first,
                "guard": launch.guard,
            }
        )

    def signal(self, identifier: str, number: int) -> None:
        self._send({"kill": identifier, "signal": int(number)})

    def wait(self, timeout: float) -> list[ProcessExit]:
        ended: list[ProcessExit] = []
        for key, _ in self._selector.select(timeout):
            if key.fileobj is self._woken:
                self._woken.recv(4096)
            else:
                ended += self._receive()
        return ended

    def wake(self) -> None:
        # When it is full the other end will wake anyway.
        with contextlib.suppress(OSError):
            self._wake.send(b"\0")

    def close(self) -> None:
        self._opened.close()
        if self._server is None:
            return
        if not self._is_used:
            # It may still be warming up, for nothing.
            self._server.kill()
        self._server.wait()

    def _send(self, message: dict[str, Any]) -> None:
        if self._server is None:
            with _start_explained():
                self._server = self._boot()
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except ConnectionError:
            self._lost()

    def _receive(self) -> list[ProcessExit]:
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._lost()
        *lines, self._received = (self._received + data).split(b"\n")
        found = (self._read(json.loads(line)) for line in lines)
        return [ended for ended in found if ended]

    def _read(self, message: dict[str, Any]) -> ProcessExit | None:
        if "started" in message:
            self._pids[message["started"]] = message["pid"]
        elif "ahead" in message:
            self._ahead = message["ahead"]
        elif "ended" in message:
            self._pids.pop(message["ended"], None)
            return ProcessExit(message["ended"], os.waitstatus_to_exitcode(message["status"]), at=message["at"])
        elif "refused" in message:
            return ProcessExit(message["refused"], None, message["reason"])
        return None

    def _lost(self) -> None:
        # Its children die with it, but what they started in turn is only reached by its group.
        for pid in self._pids.values():
            _end_group(pid)
        self._said.seek(max(0, os.fstat(self._said.fileno()).st_size - _MOST_SAID))
        said = self._said.read(_MOST_SAID).decode(errors="replace")
        raise RunError(f"the process that starts the steps ended; possibly out of memory\n{said}".rstrip())


class Subprocesses:
    """Processes that are started one by one as new interpreters; the way for Windows and macOS."""

    debugs = False

    def __init__(self) -> None:
        # Unlike Queue, a SimpleQueue may be put to by a signal handler.
        self._ended: queue.SimpleQueue[ProcessExit | None] = queue.SimpleQueue()
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def ahead(self) -> Mapping[str, list[str]]:
        return {}

    def warm_up(self, snapshots: Sequence[Snapshot], reads_data: bool) -> None:
        """Do nothing: each step imports for itself."""

    def start(self, launch: ProcessSpec) -> None:
        options: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            options = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
        try:
            with open(launch.log, "ab") as log:
                process = subprocess.Popen(
                    [launch.python, *launch.argv],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=launch.cwd,
                    env=dict(launch.environment),
                    **options,
                )
        except OSError as error:
            self._ended.put(ProcessExit(launch.id, None, str(error)))
            return
        self._running[launch.id] = process
        threading.Thread(target=self._watch, args=(launch.id, process), daemon=True).start()

    def signal(self, identifier: str, number: int) -> None:
        process = self._running.get(identifier)
        if process is not None:
            _signal_group(process, number)

    def wait(self, timeout: float) -> list[ProcessExit]:
        try:
            found = [self._ended.get(timeout=timeout)]
            while not self._ended.empty():
                found.append(self._ended.get())
        except queue.Empty:
            return []
        ended = [item for item in found if item]
        for item in ended:
            self._running.pop(item.id, None)
        return ended

    def wake(self) -> None:
        self._ended.put(None)

    def close(self) -> None:
        for process in self._running.values():
            _signal_group(process, _KILL)
            process.wait()

    def _watch(self, identifier: str, process: subprocess.Popen[bytes]) -> None:
        exit_code = process.wait()
        # Its children in the group could still write to the folders of a finished step.
        _signal_group(process, _KILL)
        self._ended.put(ProcessExit(identifier, exit_code))


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if sys.platform == "win32":
        if process.poll() is None:
            process.terminate()
    else:
        _end_group(process.pid, number)


def _end_group(pid: int, number: int = _KILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def processes_for(pipeline: Pipeline, project: Path, *, forced: bool = False) -> Processes:
    """Return the best way to run steps on this system.

    It starts preloading now, so call this early, unless no step seems to need it. Raises RunError if no process can be
    started.
    """
    if sys.platform != "linux":
        return Subprocesses()
    with _start_explained():
        environment = base_environment(pipeline, project, os.environ)
        return ForkServer(environment, at_once=forced or _was_edited(pipeline, project))


@contextlib.contextmanager
def _start_explained() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"could not start a process for the steps: {error.strerror}") from error


def _was_edited(pipeline: Pipeline, project: Path) -> bool:
    """Return whether pipeline.yaml or a script is newer than the results, so that a step will probably run."""
    scripts = {f"{step.script_directory}/{step.script_name}" for step in pipeline.steps.values()}
    names = ("pipeline.yaml", *scripts)
    try:
        stored = os.stat(ProjectPaths.of(project).results).st_mtime
        return any(os.stat(f"{project}/{name}").st_mtime >= stored for name in names)
    except OSError:
        return True
