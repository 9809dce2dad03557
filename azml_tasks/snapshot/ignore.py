"""Which files of a folder .amlignore leaves out of its snapshot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# What no snapshot holds: caches of Python (a .pyc would change the content), the records of runs, git's own
# files, what `export-v2` made of the snapshots before, and the file of secrets.
_NEVER_FOLDERS = frozenset(("__pycache__", ".azml", ".git", "azureml-v2"))
_NEVER_FILES = frozenset((".env",))
_NEVER_SUFFIXES = (".pyc", ".pyo")


def is_never_sent(path: str) -> bool:
    """Say whether a posix path is left out of every snapshot."""
    *folders, name = path.split("/")
    return name in _NEVER_FILES or name.endswith(_NEVER_SUFFIXES) or not _NEVER_FOLDERS.isdisjoint((*folders, name))


class IgnoreFile:
    """The rules of the .amlignore of one folder, or of its .gitignore when it has no .amlignore.

    One replaces the other as in the SDK (azureml-core, _project/ignore_file.py:get_project_ignore_file).
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._rules = _read_rules(folder)

    def excludes(self, path: str, *, is_folder: bool = False) -> bool:
        """Say whether the rules leave out an absolute path under the folder."""
        if self._rules is None:
            return False
        relative = os.path.relpath(path, self.folder).replace(os.sep, "/")
        return self._rules.match_file(f"{relative}/" if is_folder else relative)


def _read_rules(folder: str) -> GitIgnoreSpec | None:
    for name in (".amlignore", ".gitignore"):
        try:
            with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape") as file:
                lines = file.readlines()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            continue
        from pathspec import GitIgnoreSpec  # most snapshots need none

        return GitIgnoreSpec.from_lines(lines)
    return None


def files_under(folder: str, ignore_files: tuple[IgnoreFile, ...] = ()) -> Iterator[str]:
    """Yield the absolute path of every file under the folder that may be sent, in the order of their names.

    Links to folders are followed, each folder once.
    """
    visited: set[str] = set()
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(
            name
            for name in folders
            if not is_never_sent(name)
            and not any(rules.excludes(os.path.join(current, name), is_folder=True) for rules in ignore_files)
        )
        for name in sorted(files):
            path = os.path.join(current, name)
            if is_never_sent(name) or any(rules.excludes(path) for rules in ignore_files):
                continue
            if os.path.isfile(path):  # neither a broken link nor a pipe, which would never end
                yield path
