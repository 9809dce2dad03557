"""The process that writes a run's record: whether it is alive, and its lock."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from azml_tasks.local.store.paths import RunPaths
from azml_tasks.standin.azml_local.formats.locks import is_locked, lock

# States of a process in /proc/<pid>/stat that has ended, and that its parent has not waited for.
_ENDED = (b"Z", b"X")
_LARGEST_PID = 2**31 - 1


class ProcessIdentity(NamedTuple):
    """A process: its pid and start time, because pids are reused.

    `started` is empty if the system does not provide it.
    """

    pid: int
    started: str

    @classmethod
    def own(cls) -> ProcessIdentity:
        """Return the identity of this process."""
        return cls(os.getpid(), _start_of(os.getpid()))

    @classmethod
    def from_json(cls, value: Any) -> ProcessIdentity | None:
        """Return the identity in a record, or None."""
        pid = value.get("pid") if isinstance(value, dict) else None
        if type(pid) is int and 0 < pid <= _LARGEST_PID:  # 0 and what is negative would be groups of processes
            return cls(pid, str(value.get("started", "")))
        return None

    def is_alive(self) -> bool:
        """Return whether this very process still runs."""
        return _exists(self.pid) and _start_of(self.pid) == self.started


@cache
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read().strip()
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Return when the process started, in clock ticks since this start of the machine; empty when it has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before these fields may hold anything but ")".
            fields = file.read().rpartition(b")")[2].split()
        state, ticks = fields[0], fields[19]
    except (OSError, IndexError):
        return ""
    if state in _ENDED:
        return ""
    return f"{_boot()}/{ticks.decode()}"


def _exists(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        query_limited_information = 0x1000
        handle = ctypes.windll.kernel32.OpenProcess(query_limited_information, False, pid)
        if not handle:
            return False
        still_active, code = 259, ctypes.c_ulong()
        ctypes.windll.kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        ctypes.windll.kernel32.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextlib.contextmanager
def held(run: RunPaths) -> Iterator[None]:
    """Hold the lock of a run, where the file system has locks."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            lock(stack.enter_context(run.lock.open("wb")).fileno())
        yield


def is_held(run: RunPaths) -> bool:
    """Return whether the runner of a run lives, here or elsewhere."""
    return is_locked(run.lock)
