"""The files that `include` patterns add to a snapshot."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence

from azml_tasks.snapshot.ignore import files_under, is_never_sent
from azml_tasks.snapshot.modules import Located

_REPEATS = re.compile(r"(?<![^/])(?:\*\*/){2,}")


def is_inside(relative: str) -> bool:
    """Say whether a path relative to a folder stays in it, by its text alone."""
    above = os.path.normpath(relative).split(os.sep)[0] == os.pardir
    return not (above or os.path.isabs(relative) or "\0" in relative)


def without_repeats(pattern: str) -> str:
    """Return a pattern that finds the same with one `**` where several stand in a row, which would take glob ages."""
    return _REPEATS.sub("**/", pattern)


def included(pattern: str, folders: Sequence[str]) -> list[Located]:
    """Return the files that the pattern finds in the first folder where it finds any.

    A pattern is a file, a folder (all that lies in it), or has `*`, `?`, `[...]` and `**`. Each file is placed
    by its path relative to that folder. Names that begin with a dot match only when the pattern spells the dot.
    """
    for folder in folders:
        found = sorted({os.path.normpath(path) for path in _matches(folder, pattern)})
        if found:
            return [Located(path, os.path.relpath(path, folder).replace(os.sep, "/")) for path in found]
    return []


def _matches(folder: str, pattern: str) -> Iterator[str]:
    spelled = os.path.join(folder, pattern)
    if os.path.isfile(spelled):
        yield spelled
    elif os.path.isdir(spelled):
        yield from files_under(spelled)
    else:
        for name in glob.glob(without_repeats(pattern), root_dir=folder, recursive=True):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not is_never_sent(name.replace(os.sep, "/")):
                yield path
