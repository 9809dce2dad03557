"""Modules that are looked for: where they are found, and that they are not there."""

from __future__ import annotations

import os
import sys
from _thread import get_ident as _thread_id

from .files import is_known
from .notes import emit, state
from .paths import STDLIB, exists, installed_part, is_left_out, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class FirstFinder:
    """The first module finder, called for each module that is imported or only looked for."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Find nothing, and note where the module is."""
        if not state.is_on or (state.paused and _thread_id() in state.paused):
            return
        try:
            if path is None and name not in state.seen.get("import", ()):
                emit("import", name)
            if name not in sys.builtin_module_names:
                _note_places(name.rpartition(".")[2], sys.path if path is None else path, path is None)
        except Exception:
            return


class LastFinder:
    """The last module finder, called for modules that no other finder has found."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Find nothing, and note it."""
        try:
            if path is None and name not in state.seen.get("absent", ()):
                emit("absent", name)
        except Exception:
            return


def _note_places(stem: str, folders: Iterable[str], is_top: bool) -> None:
    """Note the folders that may hold the module, up to the one that does.

    Folders of packages are left out; in those of the initial sys.path only what was found is noted.
    """
    folders = [folder for folder in folders if type(folder) is str]
    if not any(_counts(folder) for folder in folders):
        return
    for folder in folders:
        if is_top and stem in sys.stdlib_module_names and folder.startswith(STDLIB):
            return
        place = path_of(os.path.join(folder, stem))
        if place is None:
            continue
        is_there = exists(f"{place}.py") or exists(os.path.join(place, "__init__.py"))
        if _counts(folder) and (is_there or not is_top or folder not in state.path):
            known = state.seen.get("module", ())
            if place not in known and not is_known(place) and not is_known(f"{place}.py"):
                emit("module", place)
        if is_there:
            return


def _counts(folder: str) -> bool:
    """Return whether it is neither the step's own folder nor one of Python or of packages."""
    known = state.folders.get(folder)
    if known is None:
        place = path_of(os.path.join(folder or ".", "module"))
        known = place is not None and not is_left_out(place) and installed_part(place) is None
        state.folders[folder] = known
    return known
