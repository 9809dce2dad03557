"""Files and folders: which were read, listed and changed."""

from __future__ import annotations

import os
import sys

from ..formats.surroundings import is_of_system
from .notes import emit, state
from .paths import (
    SITE,
    asker_of,
    direct_caller,
    installed_part,
    is_cache,
    is_importing,
    is_left_out,
    is_project,
    minds_times,
    signature_of,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

    from ..protocols import Frame


def note_read(path: str, frame: Frame) -> None:
    """Note that a file's content is read."""
    if path.endswith(".pyc"):
        path = _source_of(path)
    if is_known(path) or is_left_out(path):
        return
    part = installed_part(path)
    if part is None:
        if not is_cache(path) or is_project(frame):
            emit("file", path, signature_of(path))
    elif part.partition(os.sep)[0].endswith((".dist-info", ".egg-info")):
        # All of them are read by code that looks for plugins.
        if is_project(frame) or part.endswith(("METADATA", "PKG-INFO")):  # which has the version
            emit("file", path, signature_of(path))
            if is_project(frame) and part.endswith("entry_points.txt"):
                _note_distributions(path[: -len(part) - 1])
    elif path not in state.seen.get("installed", ()):
        emit("installed", path)


def is_known(path: str) -> bool:
    return path in state.seen.get("file", ()) or path in state.seen.get("wrote", ()) or is_made(path)


def _source_of(path: str) -> str:
    """Return the source of a compiled file."""
    folder, name = os.path.split(path)
    if os.path.basename(folder) != "__pycache__":
        return path
    return os.path.join(os.path.dirname(folder), name.partition(".")[0] + ".py")


def _note_distributions(site: str) -> None:
    if site not in state.seen.get("distributions", ()):
        emit("distributions", site)


def note_scanned(path: str, frame: FrameType) -> None:
    """Note that a folder is listed by os.scandir, whose entries give sizes and times without a call that is seen."""
    note_listed(path, frame)
    asked = asker_of(frame)
    if asked is None or asked is not direct_caller(frame) or path in state.seen.get("entries", ()):
        return
    if path in state.seen.get("list", ()):
        emit("entries", path, 2 if minds_times(asked) else 1)


def note_listed(path: str, frame: FrameType) -> None:
    if path in state.seen.get("list", ()) or is_left_out(path) or is_made(path):
        return
    is_site = os.path.basename(path) in SITE
    part = None if is_site else installed_part(path)
    if is_site or part is not None or is_cache(path):
        if not is_project(frame):
            if part is not None and not part.endswith((".dist-info", ".egg-info")) and not is_importing(frame):
                emit("list", path, signature_of(path))  # A package that looks for plugins of its own.
            return
        if is_site and asker_of(frame) is not direct_caller(frame):
            _note_distributions(path)  # by importlib.metadata
            return
    elif is_importing(frame):
        return  # which looks for a module: see "import"
    emit("list", path, signature_of(path))


def is_made(path: str) -> bool:
    made = state.seen.get("made")
    if not made:
        return False
    return any(path == folder or path.startswith(folder + os.sep) for folder in tuple(made))


def note_changed(path: str | None, kind: str = "wrote") -> None:
    """Note that the process itself changes a path."""
    if path is None or path in state.seen.get(kind, ()) or path.startswith(state.own) or is_of_system(path):
        return
    emit(kind, path)


def note_opened(path: str, flags: int, frame: Frame) -> None:
    if not flags & (os.O_WRONLY | os.O_RDWR):
        note_read(path, frame)
        return
    if path.startswith(state.own) or is_of_system(path) or path.endswith(".pyc"):
        return
    if flags & os.O_TRUNC or signature_of(path) is None:
        # Earlier reads of it remain.
        if not flags & os.O_APPEND and path not in state.seen.get("written", ()):
            emit("written", path)
        note_changed(path)
        return
    if flags & os.O_RDWR:
        note_read(path, frame)
    note_changed(path, "touched")


def file(path: str) -> None:
    """Note that the script may read a file under another path, as where a dataset is mounted."""
    if state.is_on:
        note_read(path, sys._getframe(1))
