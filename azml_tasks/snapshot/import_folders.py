"""The folders of a project, such as `src`, that Python imports from because they were installed as editable."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from azml_tasks.snapshot.ignore import is_never_sent
from azml_tasks.snapshot.links import RealPaths

_INSTALLED = frozenset(("site-packages", "dist-packages"))
_MARKS_OF_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")


def import_folders(project: str) -> tuple[str, ...]:
    """Return the folders below the project that a new interpreter has on its import path, in its order.

    They are those of PYTHONPATH and of .pth files, less what virtual environments in the project hold. `sys.path` has
    more: what Invoke has added, and the working directory, on which a snapshot must not depend.
    """
    real_paths = RealPaths(project)
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    entries += [line for folder in sys.path if os.path.basename(folder) in _INSTALLED for line in _pth_lines(folder)]
    places = (real_paths.inside(os.path.abspath(entry)) for entry in entries if entry and os.path.isdir(entry))
    kept = dict.fromkeys(place for place in places if place and place != os.curdir)
    return tuple(os.path.join(project, *place.split("/")) for place in kept if is_own_folder(project, place))


def _pth_lines(folder: str) -> Iterator[str]:
    """Yield the paths that the .pth files of a folder name, as Python's `site` reads them."""
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".pth") and not name.startswith("."))
    except OSError:
        return
    for name in names:
        try:
            with open(os.path.join(folder, name), encoding="utf-8-sig", errors="replace") as file:
                lines = file.read().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.strip() and "\0" not in line and not line.startswith(("#", "import ", "import\t")):
                yield os.path.join(folder, line.rstrip())


def is_own_folder(project: str, place: str) -> bool:
    """Say whether a folder holds the project's own modules, not those of an environment that lies in the project."""
    parts = place.split("/")
    if is_never_sent(place) or not _INSTALLED.isdisjoint(parts):
        return False
    around = (os.path.join(project, *parts[:end]) for end in range(1, len(parts) + 1))
    return not any(os.path.exists(os.path.join(folder, mark)) for folder in around for mark in _MARKS_OF_ENVIRONMENTS)
