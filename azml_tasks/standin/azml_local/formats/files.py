"""List the files of a path: a file, all files of a folder, or those that match a pattern.

As Azure ML's reader lists blobs: `*` stands for any part of one name, `**` for any part of a path; no file is left out
for being hidden or empty; the order is that of the paths.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
from collections.abc import Iterable, Iterator, Sequence


class UnreadableError(Exception):
    """A file or an option that cannot be read.

    `reason` is the message without file and line, for callers that format these themselves.
    """

    def __init__(self, reason: str, path: str = "", line: int = 0) -> None:
        super().__init__(reason, path, line)
        self.reason = reason
        self.path = path
        self.line = line

    def __str__(self) -> str:
        return self.at(self.path)

    def at(self, name: str) -> str:
        """Return the sentence with a name for the file."""
        if self.line:
            return f"{name}:{self.line}: {self.reason}"
        return f"{name} {self.reason}" if name else self.reason


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Pause garbage collection while much is read: scanning what grows takes as long as reading it."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def files(paths: Iterable[str]) -> list[str]:
    """Return the files that paths, folders and patterns name, those of each in order."""
    return list(dict.fromkeys(file for path in paths for file in _named(path)))


def is_pattern(path: str) -> bool:
    """Return whether a path is a pattern."""
    return "*" in path


def fixed_folder(pattern: str) -> str:
    """Return the folder of a path in which the names start that a pattern leaves open."""
    while is_pattern(pattern):
        pattern = os.path.dirname(pattern)
    return pattern


def local_paths(local: str, paths: Sequence[str]) -> list[str]:
    """Return the local equivalent of `paths` in a datastore: patterns, or the local path itself.

    If the local path is a folder and all of `paths` are patterns, they apply to that folder, too: from the first
    wildcard on, with the folders before it, or only by file name. If none matches, all files count.
    """
    if paths and os.path.isdir(local) and all(map(is_pattern, paths)):
        for adapted in _adapted(paths):
            patterns = [os.path.join(local, *pattern.split("/")) for pattern in adapted]
            if files(patterns):
                return patterns
    return [local]


def _adapted(paths: Sequence[str]) -> Iterator[list[str]]:
    """Yield the patterns as they may hold for a local folder, the most probable first."""
    whole = [path.lstrip("/") for path in paths]
    folders = [fixed_folder(path) for path in whole]
    shared = os.path.commonpath(folders) if all(folders) else ""
    while True:
        yield [path[len(shared) :].lstrip("/") for path in whole]
        if not shared:
            break
        shared = os.path.dirname(shared)
    yield ["**/" + path.rstrip("/").rpartition("/")[2] for path in whole]


def _named(path: str) -> list[str]:
    if os.path.isfile(path):
        return [path]
    if os.path.isdir(path):
        return _in_order(_below(path))
    if not is_pattern(path):
        return []
    parts = path.replace(os.sep, "/").split("/")
    first = next(place for place, part in enumerate(parts) if is_pattern(part))
    folder = os.sep.join(parts[:first]) or ("" if first == 0 else os.sep)
    pattern = [part for part in parts[first:] if part]
    if path.endswith("/"):
        pattern.append("**")
    return _in_order(set(_matching(folder, pattern)))


def _in_order(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=lambda path: path.replace(os.sep, "/"))


def _below(folder: str) -> Iterator[str]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            if os.path.isfile(path):  # not a pipe, whose reading would never end
                yield path


def _matching(folder: str, pattern: list[str]) -> Iterator[str]:
    """Yield the files below a folder that fit; a folder is only walked through where `**` is."""
    first, *rest = pattern
    if "**" in first:
        fits = expression("/".join(pattern)).fullmatch
        start = len(os.path.join(folder, ""))
        found = _below(folder or os.curdir)
        start += 0 if folder else len(os.path.join(os.curdir, ""))
        yield from (path for path in found if fits(path[start:].replace(os.sep, "/")))
        return
    fits = expression(first).fullmatch
    try:
        with os.scandir(folder or os.curdir) as entries:
            names = [entry.name for entry in entries if fits(entry.name)]
    except OSError:
        return
    for name in names:
        path = os.path.join(folder, name)
        if not rest and os.path.isfile(path):
            yield path
        elif rest and os.path.isdir(path):
            yield from _matching(path, rest)


def expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern."""
    kinds = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*"}
    whole = re.sub(r"(?:\*\*/)+", "**/", re.sub(r"\*{3,}", "**", pattern))
    parts = re.split(r"(\*\*/|\*\*|\*)", whole)
    return re.compile("".join(kinds.get(part) or re.escape(part) for part in parts), re.DOTALL)
