"""Modules that are imported, or that are not there."""

from __future__ import annotations

import os
import sys

from .files import is_known
from .notes import emit, state
from .paths import STDLIB, exists, installed_part, is_left_out, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def note_places(name: str) -> None:
    """Note where a module is not found, of the folders that the script has put into sys.path."""
    if name in sys.builtin_module_names or all(folder in state.path for folder in sys.path):
        return
    for folder in sys.path:
        if type(folder) is not str:
            continue
        if name in sys.stdlib_module_names and folder.startswith(STDLIB):
            return
        place = path_of(os.path.join(folder, name))
        if place is None or exists(place) or exists(f"{place}.py"):
            return
        if folder not in state.path and not is_left_out(place) and installed_part(place) is None:
            for missing in (place, f"{place}.py"):
                if not is_known(missing):
                    emit("file", missing, None)


class LastFinder:
    """The last module finder, called for modules that no other finder has found."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> None:
        """Find nothing, and note it."""
        try:
            if path is None:
                if name not in state.seen.get("absent", ()):
                    emit("absent", name)
                    note_places(name)
            else:
                base = name.rpartition(".")[2]
                for folder in path:
                    found = path_of(folder)
                    if found is not None and installed_part(os.path.join(found, "")) is None:
                        for candidate in (base, f"{base}.py"):
                            missing = os.path.join(found, candidate)
                            if not is_left_out(missing) and missing not in state.seen.get("file", ()):
                                emit("file", missing, None)
        except Exception:
            return
        return
