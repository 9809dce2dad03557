"""Fork steps from a small process with imported modules, so that they start fast.

A program, run by the local backend on Linux as `python server.py <socket> <modules>`. It imports nothing of the
package, has one thread, and forks a child for each step. The child runs the script as `python script.py` would, or
becomes a new interpreter if the step requires one. Whatever the steps start in the background ends with them, and all
of it ends when the process at the other end of the socket is gone.

The modules of its command line are imported at once. Over the socket go JSON objects, a line each. To here: once and
first {"light": modules, "heavy": modules}, which are imported too, the heavy ones if a fork is safe after them; then
{"start": id, ...}, {"kill": id, "signal": n}. From here: {"started": id, "pid": n},
{"ended": id, "status": n, "at": time, "cpu": s, "memory": kB} with the status as `waitpid` gives it,
{"refused": id, "reason": text}, and once {"ahead": {...}}: what all that are forked depend on (see
azml_local/reads).
"""

from __future__ import annotations

import sys

_BARE = frozenset(sys.modules)

# The folder of this file is no place for a step to import from; where PYTHONSAFEPATH is set it is not there at all.
_FOLDER = __file__.rpartition("/")[0]
if sys.path[:1] != [_FOLDER]:
    sys.path.insert(0, _FOLDER)
import azml_kernel  # type: ignore[import-not-found]  # noqa: E402
import azml_script  # type: ignore[import-not-found]  # noqa: E402

sys.path.remove(_FOLDER)

import contextlib  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import select  # noqa: E402
import signal  # noqa: E402
import socket  # noqa: E402
import time  # noqa: E402

if False:  # typing takes longer to import than a step to start
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_WAIT = 2.0
_NOT_STARTED = 70
_SAFE_THREADS = frozenset(("jemalloc_bg_thd",))
_AGAIN = "again"


def _prctl() -> Callable[..., int]:
    try:
        import ctypes

        return ctypes.CDLL(None, use_errno=True).prctl
    except (ImportError, OSError, AttributeError):
        return lambda *arguments: 0  # Without it orphans of orphans may outlive the run.


class Server:
    """The process that starts steps; `running` maps the pids of their first processes to ids.

    `guard` makes a process's inputs read-only; whether this is possible is tested first.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.prctl = _prctl()
        self.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self.running: dict[int, str] = {}
        self.guard: Callable[[dict[str, list[str]]], None] | None = None
        self.has_guard: bool | None = None
        self.pid = os.getpid()
        self._received = b""
        self._woken, wake = socket.socketpair()
        self._wake = wake
        for end in (self._woken, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self.preloaded = {name.partition(".")[0] for name in set(sys.modules) - _BARE}

    def serve(self) -> None:
        """Handle requests until the other end is gone, then end all started processes."""
        try:
            while self._take_requests():
                ready, _, _ = select.select([self.connection, self._woken], [], [])
                if self._woken in ready:
                    self._woken.recv(4096)
                    self._reap()
        finally:
            self._end_everything()

    def _take_requests(self) -> bool:
        """Handle all complete requests; return whether the other end still exists."""
        while True:
            try:
                data = self.connection.recv(65536, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return True
            except ConnectionError:
                return False
            if not data:
                return False
            *lines, self._received = (self._received + data).split(b"\n")
            for line in lines:
                self._act(json.loads(line))

    def _act(self, request: dict[str, Any]) -> None:
        if "start" in request:
            self._start(request)
        elif "kill" in request:
            for pid, identifier in self.running.items():
                if identifier == request["kill"]:
                    # Children of a killed process are ended when it has ended.
                    (_kill if request["signal"] == signal.SIGKILL else _kill_group)(pid, request["signal"])

    def _tell(self, message: dict[str, Any]) -> None:
        # If the other end is gone, the next read ends everything.
        with contextlib.suppress(ConnectionError):
            self.connection.sendall(json.dumps(message).encode() + b"\n")

    # Steps

    def _is_shadowed(self, folders: list[str]) -> bool:
        """Return whether a file in these folders hides a module that is already imported here."""
        for folder in folders:
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for name in names:
                stem, dot, suffix = name.partition(".")
                if stem in self.preloaded and (not dot or suffix.endswith(("py", "so"))):
                    return True
        return False

    def _start(self, step: dict[str, Any]) -> None:
        is_warm = step["warm"] and self.preloaded.isdisjoint(step["imports_first"])
        is_warm = is_warm and not self._is_shadowed(step["path"])
        try:
            if step["guard"] and self.has_guard is None:
                self.guard = azml_kernel.best_way(step["guard"])
                self.has_guard = self.guard is not None
            log = os.open(step["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                pid = os.fork()
                if pid == 0:
                    self._become(step, log, is_warm)
            finally:
                os.close(log)
        except OSError as error:
            self._tell({"refused": step["start"], "reason": str(error)})
            return
        self.running[pid] = step["start"]
        self._tell({"started": step["start"], "pid": pid})

    def _become(self, step: dict[str, Any], log: int, is_warm: bool) -> NoReturn:
        """Turn this forked process into the step."""
        status = _NOT_STARTED
        try:
            os.setsid()
            self.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self.pid:
                os._exit(status)  # The server died before that took effect.
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for end in (self.connection, self._woken, self._wake):
                end.close()
            if step["guard"] and self.guard:
                with contextlib.suppress(OSError):  # Without it the stand-in and the runner look after the inputs.
                    self.guard(step["guard"])
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            os.chdir(step["cwd"])
            if is_warm:
                status = azml_script.run_script(step["argv"], step["path"], step["env"])
            else:
                signal.signal(signal.SIGPIPE, signal.SIG_DFL)
                os.execve(step["python"], [step["python"], *step["argv"]], step["env"])  # noqa: S606 - no shell
        except BaseException as error:
            # Not from the script: its exceptions do not leave `run_script`.
            os.write(2, f"the step could not be started: {error}\n".encode())
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Report steps whose first process has ended, after ending its children."""
        while True:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if found is None:
                return
            pid = found.si_pid
            if pid in self.running:
                # Until the first process is waited for, its pid, which is also that of its group, is not reused.
                if not self.running.keys() >= _own_children():
                    _let_trackers_end(pid)
                _kill_group(pid, signal.SIGKILL)
                _, status, usage = os.wait4(pid, 0)
                _wait_for_group(pid)
                ended = {"ended": self.running.pop(pid), "status": status, "at": time.time()}
                self._tell({**ended, "cpu": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss})
            else:
                os.waitpid(pid, 0)

    def _end_everything(self) -> None:
        for pid in self.running:
            _kill_group(pid, signal.SIGKILL)
        # What left its group has become a child of this process when its parent died.
        deadline = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < deadline:
            for child in _children():
                _kill(child)
            try:
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            except ChildProcessError:
                return
            time.sleep(0.002)


def _kill_group(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # Before its setsid a child has no group yet.
        _kill(group, number)


def _kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _wait_for_group(group: int) -> None:
    """Wait until the killed processes of a group have ended, so that none still writes."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < deadline:
        try:
            if os.waitpid(-group, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
        except ChildProcessError:
            return


def _let_trackers_end(group: int) -> None:
    """Kill what is in a group but for multiprocessing's resource trackers, and wait for these.

    They end when they are no longer used, after deleting leftover shared memory.
    """
    deadline = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < deadline:
        left = [pid for pid, state, _, its_group in _processes() if its_group == group and state not in (b"Z", b"X")]
        others = [pid for pid in left if not _may_be_tracker(pid)]
        if not left or others == left:
            return
        for pid in others:
            _kill(pid)
        time.sleep(0.002)


def _may_be_tracker(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read()
        # One that is just being started has no command yet.
        return not command or b"resource_tracker" in command
    except OSError:
        return False


def _own_children() -> set[int]:
    """Return the children of this process quickly; empty if the system does not provide them."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return set(map(int, file.read().split()))
    except OSError:
        return set()


def _children() -> list[int]:
    own = os.getpid()
    return [pid for pid, _, parent, _ in _processes() if parent == own]


def _processes() -> Iterator[tuple[int, bytes, int, int]]:
    """Yield every process: its number, its state, its parent and its group."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent, group = file.read().rpartition(b")")[2].split()[:3]
        except (OSError, ValueError):
            continue
        yield int(name), state, int(parent), int(group)


def warm_up(connection: socket.socket, at_once: list[str], begun_again: bool) -> None:
    """Import modules, and then those that the other end names.

    Begins again without the heavy ones if no fork is safe after them.
    """
    _import(["azml_local.start", "azml_local.guard", "azml_local.reads.recorder"])
    reads = sys.modules.get("azml_local.reads.recorder")
    if reads is not None:
        reads.prepare()
    _import(at_once)
    _use()
    if not begun_again:
        asked = _first_request(connection)
        _import(asked["light"])
        _import(asked["heavy"])
        if asked["heavy"] and _has_unsafe_threads():
            connection.set_inheritable(True)
            modules = ",".join([*at_once, *asked["light"]])
            command = [sys.executable, __file__, str(connection.fileno()), modules, _AGAIN]
            os.execv(sys.executable, command)  # noqa: S606 - no shell
    azml_script.imported_ahead.update(sys.modules)
    if reads is not None:
        with contextlib.suppress(ConnectionError):
            connection.sendall(json.dumps({"ahead": reads.ahead()}).encode() + b"\n")
    azml_script.inherited.update(os.environ)  # Not before: it would be a read of all of them.
    start = sys.modules.get("azml_local.start")
    if start is not None:
        start.install()
    # Existing objects are never garbage: collecting them in a child would only copy their pages.
    gc.collect()
    gc.freeze()


def _use() -> None:
    """Use what nearly every script does: its first use takes longer than its import."""
    compile("", "<string>", "exec")  # Makes the types of Python's syntax tree.
    parser = sys.modules["argparse"].ArgumentParser()
    parser.add_argument("--option")
    parser.parse_args(["--option", "value"])


def _import(modules: list[str]) -> None:
    for name in modules:
        # The step that imports a failing module gets the error itself.
        with contextlib.suppress(Exception):
            __import__(name)


def _first_request(connection: socket.socket) -> dict[str, Any]:
    """Take the first line and nothing beyond it, which another program may read in this one's place."""
    while True:
        seen = connection.recv(65536, socket.MSG_PEEK)
        if not seen:
            sys.exit()
        length = seen.find(b"\n") + 1
        if length:
            request: dict[str, Any] = json.loads(connection.recv(length))
            return request
        time.sleep(0.001)


def _has_unsafe_threads() -> bool:
    """Fork once and return whether other threads remain in this process.

    Libraries that can be forked end their threads first and start them again when they are next used (OpenBLAS does),
    or see to them in the child (jemalloc, which pyarrow brings along). Of any other thread a lock could be held for
    ever in the children.
    """
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    names = []
    for thread in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{thread}/comm") as file:
            if int(thread) != os.getpid():
                names.append(file.read().strip())
    return not _SAFE_THREADS.issuperset(names)


def main(socket_number: str, modules: str, again: str = "") -> None:
    """Serve until the other end is gone."""
    connection = socket.socket(fileno=int(socket_number))
    warm_up(connection, modules.split(","), again == _AGAIN)
    Server(connection).serve()
    os._exit(0)  # The run waits for this process, and tearing it down changes nothing.


if __name__ == "__main__":
    main(*sys.argv[1:])
