"""Reject changes to a step's inputs: in Python they look like a read-only file system.

An audit hook (`sys.addaudithook`) rejects writing, deleting, renaming, linking and changing metadata in an input. It
does not see programs that are not Python, or C code such as SQLite; see docs/security.md for these.
"""

from __future__ import annotations

import errno
import os
import sys
from _functools import partial
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import Any

    from .protocols import PathOrNumber

# Next to the context file: absolute paths, separated by zero bytes, `=` or, if there may be links in it, `-` before one
# that is read-only for the step, `+` before one without links in such a folder that is not.
NAME = "read_only"
_REAL, _READ_ONLY, _WRITABLE = b"=", b"-", b"+"
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_TRUNC
_TEMPORARY = getattr(os, "O_TMPFILE", 0)
_MOST_LINKS = 40
_MOST_KNOWN = 10_000
# As they are before anything is put in their place.
_readlink, _lstat, _getcwd = os.readlink, os.lstat, os.getcwd

# Read-only real paths, writable ones below them, and their parents and links to them.
_guarded: set[str] = set()
_writable: set[str] = set()
_above: set[str] = set()
_resolved: dict[str, tuple[str, bool]] = {}
_own = _local()
_installed: list[bool] = []


def begin(step_dir: str) -> None:
    """Guard the paths in the file `NAME` of the step's folder; without the file do nothing."""
    try:
        with open(os.path.join(step_dir, NAME), "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return
    _writable.update(_key(os.fsdecode(entry[1:])) for entry in entries if entry[:1] == _WRITABLE)
    for real in [os.fsdecode(entry[1:]) for entry in entries if entry[:1] == _REAL]:
        _guarded.add(_key(real))
        _keep_in_place(real)
    protect([os.fsdecode(entry[1:]) for entry in entries if entry[:1] == _READ_ONLY])


def protect(paths: Iterable[str]) -> list[str]:
    """Reject changes to these files and folders from now on, in this process and its forks.

    Return a value for `release`.
    """
    added = []
    folders: dict[str, str] = {}
    for path in map(os.path.abspath, paths):
        above, name = os.path.split(path)
        if above not in folders:
            visited: list[str] = []
            folders[above] = _folder(above)[0]
            if folders[above] != above:
                _resolve(above, visited)
            for place in (*visited, folders[above]):
                _keep_in_place(place)
        place = os.path.join(folders[above], name)
        visited = []
        real = _resolve(place, visited)[0] if _is_link(place) else place
        for link in (*visited, real):
            _keep_in_place(link)
        if _key(real) not in _guarded:
            _guarded.add(_key(real))
            added.append(real)
    _resolved.clear()
    install()
    _wrap_makers()
    return added


def _keep_in_place(place: str) -> None:
    """Note a path and the folders above it, which must not be renamed."""
    while _key(place) not in _above:
        _above.add(_key(place))
        place = os.path.dirname(place)


def release(added: list[str]) -> None:
    """Undo a `protect`, given its result."""
    for path in added:
        _guarded.discard(_key(path))
        _above.discard(_key(path))
    _resolved.clear()


class _Hook:
    """The audit hook: a class whose instances are rejections.

    A function that raises would be visible in the user's traceback. So `__new__` returns None for allowed events. For
    others it returns an instance, which the interpreter then initializes with a C callable that raises without a frame.
    """

    def __new__(cls, event: str, args: tuple[Any, ...], own: _local = _own) -> _Hook | None:  # type: ignore[misc]
        # At the interpreter's exit, when the names of this module are gone, there is nothing to guard.
        check = _CHECKS.get(event) if _CHECKS and _guarded else None
        if check is None or getattr(own, "is_looking", False):
            return None
        try:
            error = check(*args)
        except RecursionError:
            raise  # It could not be looked at.
        except Exception:
            # Another program may raise events of these names with other arguments.
            return None
        return None if error is None else object.__new__(_raising(error))


def _raising(error: OSError) -> type:
    return type("Refusal", (_Hook,), {"__init__": staticmethod(partial(min, error, key=_throw))})


def _empty() -> Generator[None, None, None]:
    return
    yield


_finished = _empty()
next(_finished, None)
# Raises its argument.
_throw = _finished.throw


def install() -> None:
    """Install what rejects changes; there is nothing to reject before `begin` and `protect`."""
    if not _installed:
        _installed.append(True)
        sys.addaudithook(_Hook)


def _refusal(path: PathOrNumber, other: PathOrNumber | None = None) -> OSError:
    message = os.strerror(errno.EROFS)
    if other is None:
        return OSError(errno.EROFS, message, path if not isinstance(path, int) else None)
    return OSError(errno.EROFS, message, path, None, other)


# Where a path leads


if os.name == "nt" or sys.platform == "darwin":

    def _key(path: str) -> str:
        return path.lower()

else:

    def _key(path: str) -> str:
        return path


def _is_guarded(path: str) -> bool:
    """Return whether a path without links is guarded."""
    path = _key(path)
    while True:
        if path in _guarded:
            return True
        if path in _writable:
            return False
        above = os.path.dirname(path)
        if above == path:
            return False
        path = above


def _resolve(path: str, visited: list[str] | None = None) -> tuple[str, bool]:
    """Return an absolute path without links, and whether the path passes through a guarded one.

    `visited` gets the links on the way.
    """
    if os.name == "nt":
        real = os.path.realpath(path)
        return real, _is_guarded(real)
    waiting = path.split("/")[::-1]
    done, through, links = "", False, 0
    while waiting:
        name = waiting.pop()
        if name in ("", "."):
            continue
        if name == "..":
            done = done.rpartition("/")[0]
            continue
        here = f"{done}/{name}"
        try:
            target = _readlink(here)
        except (OSError, ValueError):
            done = here
            continue
        links += 1
        if links > _MOST_LINKS:
            done = here
            continue
        if visited is not None:
            visited.append(here)
        through = through or _is_guarded(here)
        waiting += target.split("/")[::-1]
        if target.startswith("/"):
            done = ""
    done = done or "/"
    return done, through or _is_guarded(done)


def _folder(path: str) -> tuple[str, bool]:
    """Resolve a folder; links are cached until this process changes one, also those of the folders above it."""
    known = _resolved.get(path)
    if known is not None:
        return known
    if len(_resolved) >= _MOST_KNOWN:
        _resolved.clear()
    # Not recursive: a script that recurses deeply itself has few calls left.
    below = []
    while known is None:
        above, name = os.path.split(path)
        if os.name == "nt" or name in ("", ".", "..") or not above.strip("/"):
            known = _resolved[path] = _resolve(path)
        else:
            below.append((path, name))
            path = above
            known = _resolved.get(path)
    for path, name in reversed(below):
        real, guarded = known
        place = os.path.join(real, name)
        if _is_link(place):
            real, through = _resolve(place)
            known = real, through or guarded
        else:
            known = place, _key(place) in _guarded or (guarded and _key(place) not in _writable)
        _resolved[path] = known
    return known


def _of_number(number: int) -> str:
    if sys.platform == "darwin":
        import fcntl

        return fcntl.fcntl(number, 50, b"\0" * 1024).partition(b"\0")[0].decode()  # F_GETPATH
    return _readlink(f"/proc/self/fd/{number}")


def _absolute(path: PathOrNumber, folder: int = -1) -> str:
    if isinstance(path, int):
        return _of_number(path)
    path = os.fsdecode(path)
    if not os.path.isabs(path):
        path = os.path.join(_of_number(folder) if folder >= 0 else _getcwd(), path)
    return path


def _entry(path: PathOrNumber, folder: int = -1) -> tuple[str, bool]:
    """Return where a name is whose own link is not followed, and whether that is guarded."""
    above, name = os.path.split(_absolute(path, folder).rstrip("/" if os.name != "nt" else "/\\"))
    if name in ("", ".", ".."):
        return _resolve(os.path.join(above, name))
    real, guarded = _folder(above)
    place = os.path.join(real, name)
    key = _key(place)
    return place, key in _guarded or (guarded and key not in _writable)


def _is_in(path: PathOrNumber, folder: int = -1) -> bool:
    """Return whether a path leads to something guarded, or passes through a guarded link."""
    place, guarded = _entry(path, folder)
    return guarded or (_is_link(place) and _resolve(place)[1])


def _is_link(path: str) -> bool:
    try:
        _readlink(path)
    except (OSError, ValueError):
        return False
    return True


def _exists(path: PathOrNumber, folder: int = -1) -> bool:
    try:
        _lstat(_entry(path, folder)[0])
    except OSError:
        return False
    return True


# Rejected events


def _open(path: PathOrNumber, mode: object, flags: int) -> OSError | None:
    if not flags & (_CHANGES | os.O_CREAT | _TEMPORARY) or isinstance(path, int):
        return None
    if not _is_in(path):
        # Of `os.open(..., dir_fd=...)` the event leaves out the folder.
        if mode is None and not os.path.isabs(os.fsdecode(path)) and _has_open_folder():
            return _refusal(path)
        return None
    # As a read-only file system does, which looks for the file first.
    there = _exists(path)
    changes = flags & (_CHANGES | (_TEMPORARY & ~getattr(os, "O_DIRECTORY", 0)))
    if (there and not changes) or (not there and not flags & os.O_CREAT):
        return None
    if there and flags & os.O_CREAT and flags & os.O_EXCL:
        return None  # It exists: the system reports it.
    return _refusal(path)


def _has_open_folder() -> bool:
    """Return whether this process has a folder open that is guarded."""
    import stat

    for number in _numbers():
        try:
            if _is_guarded(_of_number(number)) and stat.S_ISDIR(os.fstat(number).st_mode):
                return True
        except OSError:
            continue
    return False


def _numbers() -> list[int]:
    _own.is_looking = True
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return []
    finally:
        _own.is_looking = False


def _remove(path: PathOrNumber, folder: int = -1) -> OSError | None:
    place, guarded = _entry(path, folder)
    if _is_link(place):
        _resolved.clear()
    return _refusal(path) if guarded or _key(place) in _above else None


def _rename(
    source: PathOrNumber, target: PathOrNumber, source_folder: int = -1, target_folder: int = -1
) -> OSError | None:
    _resolved.clear()
    refused = _remove(source, source_folder) or _remove(target, target_folder)
    return _refusal(source, target) if refused else None


def _make(path: PathOrNumber, mode: object = 0, folder: int = -1) -> OSError | None:
    if _entry(path, folder)[1] and not _exists(path, folder):
        return _refusal(path)
    return None


def _link(
    source: PathOrNumber, target: PathOrNumber, source_folder: int = -1, target_folder: int = -1
) -> OSError | None:
    if _is_in(source, source_folder) or (_entry(target, target_folder)[1] and not _exists(target, target_folder)):
        return _refusal(source, target)
    return None


def _symlink(source: PathOrNumber, target: PathOrNumber, folder: int = -1) -> OSError | None:
    _resolved.clear()
    if _entry(target, folder)[1] and not _exists(target, folder):
        return _refusal(source, target)
    return None


def _mark(path: PathOrNumber, *arguments: object) -> OSError | None:
    """Reject events that follow a link; the last argument is the number of the folder, if any."""
    folder = arguments[-1] if arguments and isinstance(arguments[-1], int) else -1
    return _refusal(path) if _is_in(path, folder) else None


def _mark_link(path: PathOrNumber, *arguments: object) -> OSError | None:
    """Reject events that may not follow a link, which the event does not tell."""
    folder = arguments[-1] if arguments and isinstance(arguments[-1], int) else -1
    guarded = _is_in(path) if isinstance(path, int) else _entry(path, folder)[1]
    return _refusal(path) if guarded else None


def _attribute(path: PathOrNumber, *arguments: object) -> OSError | None:
    return _mark_link(path)


def _truncate(path: PathOrNumber, length: object) -> OSError | None:
    return _refusal(path) if _is_in(path) else None


def _bind(socket: object, address: object) -> OSError | None:
    # One that starts with a zero byte is an abstract name of Linux, not a path.
    if isinstance(address, (str, bytes)) and address[:1] not in ("", b"", "\0", b"\0") and _entry(address)[1]:
        return _refusal(address)
    return None


_CHECKS: dict[str, Callable[..., OSError | None]] = {
    "open": _open,
    "os.remove": _remove,
    "os.rmdir": _remove,
    "os.rename": _rename,
    "os.mkdir": _make,
    "os.link": _link,
    "os.symlink": _symlink,
    "os.truncate": _truncate,
    "os.chmod": _mark,
    "os.chown": _mark,
    "os.chflags": _attribute,
    "os.utime": _mark_link,
    "os.setxattr": _attribute,
    "os.removexattr": _attribute,
    "socket.bind": _bind,
}


def _wrap_makers() -> None:
    """Guard the two calls of `os` that raise no event."""
    for name in ("mkfifo", "mknod"):
        make = getattr(os, name, None)
        if make is not None and not isinstance(make, partial):
            # Like the built-in function, and unlike one of Python, no method where a class holds it.
            guarded = partial(_make_if_allowed, make)
            setattr(os, name, guarded)
            if make in os.supports_dir_fd:
                os.supports_dir_fd.add(guarded)


def _make_if_allowed(
    make: Callable[..., None], path: PathOrNumber, *arguments: Any, dir_fd: int | None = None, **options: Any
) -> None:
    error = _make(path, 0, -1 if dir_fd is None else dir_fd) if _guarded else None
    if error is not None:
        raise error
    return make(path, *arguments, dir_fd=dir_fd, **options)
