"""The notes of this process, and how they are written."""

from __future__ import annotations

import os
from _json import encode_basestring_ascii
from _thread import get_ident as _thread_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ParamSpec, TypeVar

    P = ParamSpec("P")
    R = TypeVar("R")

ALL_VARIABLES = object()


class _State:
    """The notes of this process; `lines` is None when it writes directly."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.folder = ""
        self.own: tuple[str, ...] = ()
        self.is_on = False
        self.lines: list[Any] | None = []
        self.file = ""
        self.is_main = False
        self.has_bound = False
        self.has_links = False
        self.path: frozenset[str] = frozenset()
        self.paused: dict[int, int] = {}
        self.looked_up = ""
        self.seen: dict[str, set[Any]] = {}
        self.folders: dict[str, bool] = {}
        self.environment: dict[Any, Any] = {}
        self.env: set[object] = set()


state = _State()


def emit(kind: str, *more: object) -> None:
    if more and type(more[0]) is str:
        known = state.seen.setdefault(kind, set())
        known.add(more[0])
    line = (kind, *more)
    if state.lines is None:
        write_lines([line])
    else:
        state.lines.append(line)


def write_lines(lines: list[Any]) -> None:
    text = "".join(_text(line) + "\n" for line in lines).encode()
    descriptor = real_open(state.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        while text:
            text = text[os.write(descriptor, text) :]
    finally:
        os.close(descriptor)


def _text(value: Any) -> str:
    """Return a value as JSON; the module json would take longer to import than a step to run."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, str):
        return encode_basestring_ascii(value)
    return f"[{','.join(map(_text, value))}]"


def save(*last: tuple[Any, ...]) -> None:
    """Write the first process's notes so far."""
    if state.is_on and state.lines is not None:
        state.is_on = False  # Its own file is nothing that the script reads.
        try:
            lines, state.lines = state.lines, []
            write_lines([*lines, *last])
        except Exception:
            state.lines = []
        finally:
            state.is_on = True


def finish() -> None:
    if state.is_main:
        save(("end",))


real_stat, real_lstat, real_access, real_open = os.stat, os.lstat, os.access, os.open
real_fstat, real_exit, real_umask, real_expanduser = os.fstat, os._exit, os.umask, os.path.expanduser
real_uname: Callable[[], os.uname_result] | None = getattr(os, "uname", None)
real_readlink: Callable[..., Any] | None = getattr(os, "readlink", None)


def fact(question: str) -> None:
    """Note that the script read part of its run's description, such as `experiment`."""
    if not state.paused or _thread_id() not in state.paused:
        _emit_once("fact", question)


def secret(name: str) -> None:
    """Note that the script read a secret."""
    _emit_once("secret", name)


def _emit_once(kind: str, name: str) -> None:
    if state.is_on and name not in state.seen.get(kind, ()):
        try:
            emit(kind, name)
        except OSError:  # a full disk, which the step will notice itself
            return


def raw_environ() -> dict[Any, Any]:
    """Return the environment as the process keeps it; what is read of it is not recorded."""
    raw: dict[Any, Any] = vars(os.environ)["_data"]
    return raw


def pause() -> None:
    """Record nothing in this thread until `resume`."""
    thread = _thread_id()
    state.paused[thread] = state.paused.get(thread, 0) + 1


def resume() -> None:
    """Resume recording reads of this thread."""
    thread = _thread_id()
    left = state.paused.get(thread, 0) - 1
    if left > 0:
        state.paused[thread] = left
    else:
        state.paused.pop(thread, None)


def quietly(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function whose own reads are not recorded."""
    import functools

    @functools.wraps(function)
    def unrecorded(*args: P.args, **kwargs: P.kwargs) -> R:
        pause()
        try:
            return function(*args, **kwargs)
        finally:
            resume()

    return unrecorded
