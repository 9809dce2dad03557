"""Classify callers, and resolve the paths that they use."""

from __future__ import annotations

import os
import stat as _modes
import sys

from ..formats.surroundings import is_of_system
from .notes import raw_environ, real_lstat, real_open, real_readlink, real_stat, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from ..protocols import Frame, PathOrNumber

SITE = ("site-packages", "dist-packages")
_HERE = os.path.dirname(os.path.abspath(__file__))
STANDIN = os.path.dirname(os.path.dirname(_HERE))
STDLIB = os.path.dirname(os.path.abspath(os.__file__))
_STDLIB_ARCHIVE = os.path.join(os.path.dirname(STDLIB), "python{}{}.zip".format(*sys.version_info[:2]))
# Where gettext looks for the standard library's own messages.
_TRANSLATIONS = os.path.join(sys.base_prefix, "share", "locale", "")
_TIMES = ("st_mtime", "st_ctime", "st_atime", "ST_MTIME", "ST_CTIME", "getmtime", "getctime")
_MOST_LINKS = 40
_kinds: dict[str, str] = {}
_sources: dict[str, bool] = {}


def kind_of(frame: FrameType) -> str:
    """Return the owner of code: "s" for the standard library and ours, "i" for an installed package, "p" for the
    project."""
    name = frame.f_code.co_filename
    kind = _kinds.get(name)
    if kind is None:
        if name.startswith("<") or name.startswith(STANDIN + os.sep) or f"{os.sep}forkserver{os.sep}" in name:
            kind = "s"
        elif any(f"{os.sep}{site}{os.sep}" in name for site in SITE):
            kind = "i"
        else:
            kind = "s" if name.startswith(STDLIB + os.sep) else "p"
        _kinds[name] = kind
    return kind


def asker_of(frame: Frame) -> Frame:
    """Return the frame of the nearest code that is neither the standard library's nor ours."""
    while frame is not None and kind_of(frame) == "s":
        frame = frame.f_back
    return frame


def is_project(frame: Frame) -> bool:
    found = asker_of(frame)
    return found is None or kind_of(found) == "p"


def minds_times(frame: FrameType) -> bool:
    """Return whether the source of that code uses the times of files."""
    name = frame.f_code.co_filename
    if name not in _sources:
        _sources[name] = False
        try:
            descriptor = real_open(name, os.O_RDONLY)
            try:
                text = os.read(descriptor, 1 << 20).decode("utf-8", "replace")
            finally:
                os.close(descriptor)
            _sources[name] = any(word in text for word in _TIMES)
        except OSError:
            pass
    return _sources[name]


def path_of(value: PathOrNumber, follows: bool = True) -> str | None:
    """Return a path for the runner, with the step's links resolved; None if it is not a file path."""
    if isinstance(value, int):
        try:
            value = os.readlink(f"/proc/self/fd/{value}")
        except OSError:
            return None
        if not value.startswith("/"):
            return None  # a pipe or a socket
    text = os.fsdecode(value)
    if "\0" in text:
        return None
    if not os.path.isabs(text):
        text = os.path.join(os.getcwd(), text)
    path = os.path.normpath(text) if "/." in text or "//" in text or text.endswith("/") else text
    return _follow(path, follows) if state.has_links and path.startswith(state.own) else path


def _follow(path: str, follows: bool) -> str:
    """Return where a path leads; without `follows` its own link is not followed."""
    waiting = path.split(os.sep)[::-1]
    done, links = "", 0
    while waiting:
        name = waiting.pop()
        if name == "..":
            done = os.path.dirname(done)
        elif name not in ("", "."):
            here = f"{done}{os.sep}{name}"
            target = _target(here) if waiting or follows else None
            if target is None or links >= _MOST_LINKS:
                done = here
                continue
            links += 1
            waiting += target.split(os.sep)[::-1]
            done = "" if target.startswith(os.sep) else done
    return done or os.sep


def _target(path: str) -> str | None:
    try:
        return None if real_readlink is None else str(real_readlink(path))
    except (OSError, ValueError):
        return None


def is_left_out(path: str) -> bool:
    if path.startswith(state.own) or is_of_system(path) or path + os.sep in state.own:
        return True
    if path.startswith(STDLIB + os.sep):
        return not any(f"{os.sep}{site}" in path for site in SITE)
    if path == STDLIB or path.startswith((_STDLIB_ARCHIVE, _TRANSLATIONS)):
        return True
    return path.startswith(STANDIN + os.sep) or path == STANDIN


def signature_of(path: str) -> list[int] | None:
    try:
        found = real_stat(path)
    except (OSError, ValueError):
        return None
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def is_cache(path: str) -> bool:
    """Return whether it is in the user's cache, which libraries use freely."""
    environ = raw_environ()
    for name in (b"XDG_CACHE_HOME", b"MPLCONFIGDIR"):
        folder = environ.get(name) if os.name == "posix" else None
        if folder and path.startswith(os.path.join(os.fsdecode(folder), "")):
            return True
    home = environ.get(b"HOME") if os.name == "posix" else None
    return bool(home and path.startswith(os.path.join(os.fsdecode(home), ".cache", "")))


def installed_part(path: str) -> str | None:
    for site in SITE:
        mark = f"{os.sep}{site}{os.sep}"
        if mark in path:
            return path.partition(mark)[2]
    return None


def is_importing(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith("<frozen importlib")


def direct_caller(frame: Frame) -> Frame:
    """Return the code that calls: through pathlib's own `stat`, where there is one."""
    while frame is not None and frame.f_code.co_name in ("stat", "lstat") and "pathlib" in frame.f_code.co_filename:
        frame = frame.f_back
    return frame


def exists(path: str) -> bool:
    try:
        real_stat(path)
    except (OSError, ValueError):
        return False
    return True


def is_directory(path: str) -> bool:
    try:
        return _modes.S_ISDIR(real_lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def is_foreign(error: BaseException) -> bool:
    """Return whether it comes from elsewhere: a signal's handler may raise at any moment, also in here."""
    trace = error.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not name.startswith(("<", STDLIB, _HERE + os.sep)):
            return True
        trace = trace.tb_next
    return False
