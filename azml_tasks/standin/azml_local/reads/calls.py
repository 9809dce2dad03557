"""Replace functions of `os` without an audit event by ones that record their arguments."""

from __future__ import annotations

import os
import sys
from _thread import get_ident as _thread_id

from .files import is_made, note_opened, note_read
from .notes import (
    fact,
    finish,
    pause,
    real_access,
    real_exit,
    real_expanduser,
    real_fstat,
    real_lstat,
    real_open,
    real_readlink,
    real_stat,
    real_umask,
    real_uname,
    resume,
    state,
    write_lines,
)
from .paths import (
    SITE,
    direct_caller,
    installed_part,
    is_cache,
    is_directory,
    is_foreign,
    is_left_out,
    is_project,
    kind_of,
    minds_times,
    path_of,
)
from .programs import note_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from ..protocols import AnyPath, Frame, PathOrNumber


def _stat_asked(
    path: PathOrNumber,
    dir_fd: int | None,
    follows: bool,
    found: os.stat_result | None,
    frame: FrameType,
    minds_mode: bool = False,
) -> None:
    if not state.is_on or (state.paused and _thread_id() in state.paused):
        return
    try:
        if isinstance(path, int):
            if kind_of(frame) != "p":
                return  # which looks at a file that is open, whose content it reads
            path = path_of(path) or ""
        elif dir_fd is not None:
            path = os.path.join(path_of(dir_fd) or "", os.fsdecode(path))
        if path:
            _note_stat(path, follows, found, frame, minds_mode)
    except Exception as error:
        if is_foreign(error):
            raise


def _note_stat(
    asked: PathOrNumber, follows: bool, found: os.stat_result | None, frame: FrameType, minds_mode: bool
) -> None:
    level = _level(frame)
    if minds_mode and level == 0 and is_project(frame):
        level = 1
    if level is None or (asked, level, follows) in state.seen.get("stat", ()):
        return
    path = path_of(asked, follows)
    if path is None or is_left_out(path) or path in state.seen.get("wrote", ()) or is_made(path):
        return
    if not level and (os.path.basename(path) in SITE or any(own.startswith(path + os.sep) for own in state.own)):
        return  # a folder above the step's own, or one of packages
    part = installed_part(path)
    if part is not None:
        if not is_directory(path):
            note_read(path, frame)  # The files of a package are compared by content only.
        return
    if is_cache(path) and not is_project(frame):
        return
    known = state.seen.setdefault("stat", set())
    if (path, level, follows) not in known:
        answer = None if found is None else (found.st_mode, found.st_size, found.st_mtime_ns)
        line = ("stat", path, level, follows, answer)
        if state.lines is None:
            write_lines([line])
        else:
            state.lines.append(line)
    known.update(((asked, level, follows), (path, level, follows)))


def _level(frame: FrameType) -> int | None:
    """Return what the caller uses of a file's status: 0 its kind, 1 also its size, 2 also its time."""
    code = frame.f_code
    if code.co_filename.startswith("<frozen importlib"):
        return None
    if code.co_name in ("getmtime", "getctime", "getatime") and kind_of(frame) == "s":
        return 2 if is_project(frame) else 0
    if code.co_name == "getsize" and kind_of(frame) == "s":
        return 1
    asked = direct_caller(frame)
    if asked is not None and kind_of(asked) == "p":
        return 2 if minds_times(asked) else 1
    return 0


def _stat(
    self: object, path: PathOrNumber, *, dir_fd: int | None = None, follow_symlinks: bool = True
) -> os.stat_result:
    """Stand in for os.stat."""
    try:
        found = real_stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
    except OSError:
        _stat_asked(path, dir_fd, follow_symlinks, None, sys._getframe(1))
        raise
    _stat_asked(path, dir_fd, follow_symlinks, found, sys._getframe(1))
    return found


def _fstat(self: object, fd: int) -> os.stat_result:
    """Stand in for os.fstat."""
    found = real_fstat(fd)
    _stat_asked(fd, None, True, found, sys._getframe(1))
    return found


def _lstat(self: object, path: AnyPath, *, dir_fd: int | None = None) -> os.stat_result:
    """Stand in for os.lstat."""
    try:
        found = real_lstat(path, dir_fd=dir_fd)
    except OSError:
        _stat_asked(path, dir_fd, False, None, sys._getframe(1))
        raise
    _stat_asked(path, dir_fd, False, found, sys._getframe(1))
    return found


def _access(
    self: object,
    path: PathOrNumber,
    mode: int,
    *,
    dir_fd: int | None = None,
    effective_ids: bool = False,
    follow_symlinks: bool = True,
) -> bool:
    """Stand in for os.access."""
    try:
        found = real_stat(path, dir_fd=dir_fd)
    except (OSError, ValueError):
        found = None
    _stat_asked(path, dir_fd, True, found, sys._getframe(1), mode != os.F_OK)
    return real_access(path, mode, dir_fd=dir_fd, effective_ids=effective_ids, follow_symlinks=follow_symlinks)


def _readlink(self: object, path: AnyPath, *, dir_fd: int | None = None) -> str | bytes:
    """Stand in for os.readlink."""
    try:
        found = real_lstat(path, dir_fd=dir_fd)
    except (OSError, ValueError):
        found = None
    _stat_asked(path, dir_fd, False, found, sys._getframe(1))
    assert real_readlink is not None
    target: str | bytes = real_readlink(path, dir_fd=dir_fd)
    return target


def _open(self: object, path: AnyPath, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """Replace os.open, whose event does not contain the folder of a path."""
    if dir_fd is not None and state.is_on:
        try:
            folder = path_of(dir_fd)
            name = os.fsdecode(path)
            if folder is not None and not os.path.isabs(name):
                note_opened(path_of(os.path.join(folder, name)) or "", flags, sys._getframe(1))
        except Exception as error:
            if is_foreign(error):
                raise
        pause()
        try:
            return real_open(path, flags, mode, dir_fd=dir_fd)
        finally:
            resume()
    return real_open(path, flags, mode, dir_fd=dir_fd)


def _uname(self: object) -> os.uname_result:
    """Stand in for os.uname."""
    frame = sys._getframe(1)
    if state.is_on and (kind_of(frame) == "p" or (_calls_node(frame) and is_project(frame))):
        fact("host")
    assert real_uname is not None
    return real_uname()


def _calls_node(frame: Frame) -> bool:
    while frame is not None and kind_of(frame) == "s":
        if frame.f_code.co_name == "node":
            return True
        frame = frame.f_back
    return False


def _umask(self: object, mask: int) -> int:
    """Stand in for os.umask."""
    if state.is_on and is_project(sys._getframe(1)):
        fact("umask")
    return real_umask(mask)


def _exit(self: object, status: int) -> None:
    """Stand in for os._exit."""
    try:
        finish()
    finally:
        real_exit(status)


def _expanduser(path: Any) -> Any:
    """Replace os.path.expanduser, which libraries call with the paths that their code in C then reads."""
    try:
        if state.is_on and kind_of(sys._getframe(1)) == "i" and not (state.paused and _thread_id() in state.paused):
            text = os.fsdecode(path)
            expanded = os.fsdecode(real_expanduser(path))
            # Of those in the home folder, folders are the library's own settings.
            if not text.startswith("~") or not is_directory(expanded):
                note_named([expanded], os.getcwd())
    except Exception as error:
        if is_foreign(error):
            raise
    return real_expanduser(path)


def _as_built_in(real: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Return a replacement for a built-in function: an object, which does not become a method in a class."""
    names = {"__call__": function, "__module__": "os", "__reduce__": lambda self: self.__name__}
    return type(real.__name__, (), {**names, "__name__": real.__name__, "__doc__": real.__doc__})()


_PAIRS: list[tuple[Callable[..., Any] | None, Callable[..., Any]]] = [
    (real_stat, _stat),
    (real_lstat, _lstat),
    (real_fstat, _fstat),
    (real_access, _access),
    (real_open, _open),
]
_PAIRS += [(real_readlink, _readlink), (real_exit, _exit), (real_umask, _umask), (real_uname, _uname)]
_STAND_INS = [(real, _as_built_in(real, function)) for real, function in _PAIRS if real is not None]


def wrap_calls() -> None:
    os.path.expanduser = _expanduser
    for real, ours in _STAND_INS:
        setattr(os, real.__name__, ours)
        for name in ("supports_dir_fd", "supports_effective_ids", "supports_follow_symlinks", "supports_fd"):
            known: set[object] = getattr(os, name, set())
            if real in known:
                known.add(ours)
    accessor = getattr(sys.modules.get("pathlib"), "_NormalAccessor", None)  # Python 3.10, imported before
    if accessor is not None:
        accessor.stat = os.stat
