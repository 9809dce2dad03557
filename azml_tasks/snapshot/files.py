"""The files of a project that a snapshot may contain: paths, ignored files, includes, and the script."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from azml_tasks.errors import Problem
from azml_tasks.snapshot.snapshot import SnapshotProblem
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


_CHUNK = 1 << 20


def hash_file(path: str) -> str:
    """Return the SHA-256 of the file's content.

    Raises OSError.
    """
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            total.update(chunk)
    return total.hexdigest()


class SnapshotFile(NamedTuple):
    """A file or folder of the project; `place` is its posix path in the snapshot, empty for the root."""

    path: str
    place: str = ""

    def child(self, name: str) -> SnapshotFile:
        """Return the item of this folder with that name."""
        return SnapshotFile(os.path.join(self.path, name), f"{self.place}/{name}" if self.place else name)


def _is_plain_file(path: str) -> bool:
    """Return whether a path is a file and no link."""
    try:
        return stat.S_ISREG(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


class LinkResolver:
    """Resolve paths in a project, whose own folder may be a link; each path is resolved once."""

    def __init__(self, project: str) -> None:
        self.project = os.path.realpath(project)
        self._real: dict[str, str] = {}

    def of(self, path: str) -> str:
        """Return the real path of an absolute path."""
        if path not in self._real:
            folder, name = os.path.split(path)
            if _is_plain_file(path):
                if folder not in self._real:
                    self._real[folder] = os.path.realpath(folder)
                self._real[path] = os.path.join(self._real[folder], name)
            else:  # among the others are Windows' junctions
                self._real[path] = os.path.realpath(path)
        return self._real[path]

    def inside(self, path: str) -> str | None:
        """Return the real path as posix relative to the project, or None if it is outside."""
        real, within = self.of(path), os.path.join(self.project, "")
        if real == self.project:
            return "."
        return real[len(within) :].replace(os.sep, "/") if real.startswith(within) else None

    def exit(self, path: str) -> str:
        """Return the outermost link by which a path leaves the project."""
        while self.inside(folder := os.path.dirname(path)) is None and folder != path:
            path = folder
        return path


def leads_out(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bool:
    """Return whether a path, which need not exist, is outside a folder when links are followed."""
    real, root = os.path.realpath(path), os.path.realpath(folder)
    return real != root and not real.startswith(os.path.join(root, ""))


# Never in a snapshot: caches of Python (a .pyc would change the content), records of runs, git's files, earlier exports
# of `export-v2`, and the file of secrets.
_NEVER_FOLDERS = frozenset(("__pycache__", ".azml", ".git", "azureml-v2"))
_NEVER_FILES = frozenset((".env",))
_NEVER_SUFFIXES = (".pyc", ".pyo")


def is_never_sent(path: str) -> bool:
    """Return whether a posix path is excluded from every snapshot."""
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
        """Return whether the rules exclude an absolute path under the folder."""
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


_REPEATS = r"(?<![^/])(?:\*\*/){2,}"


def is_inside(relative: str) -> bool:
    """Return whether a relative path stays in its folder, judged by its text."""
    above = os.path.normpath(relative).split(os.sep)[0] == os.pardir
    return not (above or os.path.isabs(relative) or "\0" in relative)


def without_repeats(pattern: str) -> str:
    """Return an equivalent pattern with a single `**` instead of several in a row, which are very slow in glob."""
    return re.sub(_REPEATS, "**/", pattern)


def included(pattern: str, folders: Sequence[str]) -> list[SnapshotFile]:
    """Return the files that match the pattern in the first folder with a match.

    A pattern is a file, a folder (with all files in it), or has `*`, `?`, `[...]` and `**`. Each file is placed by its
    path relative to that folder. Names that start with a dot only match a pattern with the dot.
    """
    for folder in folders:
        found = sorted({os.path.normpath(path) for path in _matches(folder, pattern)})
        if found:
            return [SnapshotFile(path, os.path.relpath(path, folder).replace(os.sep, "/")) for path in found]
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


# Enough for any project; searching larger trees is too slow for a hint.
_LOOKED_AT = 20_000


@dataclass(frozen=True)
class Script:
    """A script as named in pipeline.yaml.

    `project` is an absolute path, and `import_folders` are the folders in it that are on Python's import path. With
    `suggests`, similar names are suggested.
    """

    project: str
    directory_name: str
    name: str
    import_folders: tuple[str, ...] = ()
    suggests: bool = True

    @cached_property
    def directory(self) -> str:
        """The absolute path of script_directory, the root of the snapshot."""
        return os.path.normpath(os.path.join(self.project, self.directory_name))

    @cached_property
    def file(self) -> SnapshotFile:
        """The script and its place in the snapshot."""
        path = os.path.normpath(os.path.join(self.directory, self.name))
        within = os.path.join(self.directory, "")
        inside = path[len(within) :] if path.startswith(within) else os.path.relpath(path, self.directory)
        return SnapshotFile(path, inside.replace(os.sep, "/"))

    @cached_property
    def import_path(self) -> tuple[SnapshotFile, ...]:
        """The import path of the script: its own folder, and those whose content is at the root."""
        own = SnapshotFile(os.path.dirname(self.file.path), os.path.dirname(self.file.place))
        return tuple(dict.fromkeys((own, *map(SnapshotFile, self.folders))))

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders whose content is at the snapshot's root: its own, the project's, and the import folders."""
        return tuple(dict.fromkeys((self.directory, self.project, *self.import_folders)))

    def shown(self, path: str | None = None) -> str:
        """Return a path, by default the script's, as messages give it: relative to the project."""
        return os.path.relpath(path or self.file.path, self.project).replace(os.sep, "/")

    def findings(self, real_paths: LinkResolver) -> Iterator[SnapshotProblem]:
        """Yield the problems of the two names."""
        if not is_inside(self.directory_name):
            message = f"the script directory '{self.directory_name}' is outside the project"
            yield self._finding("script_directory", self.directory_name, message)
        elif not os.path.isdir(self.directory):
            meant = did_you_mean(self.directory_name, _folders_of(self.project)) if self.suggests else ""
            message = f"the script directory does not exist{meant}"
            yield self._finding("script_directory", self.shown(self.directory), message)
        elif real_paths.inside(self.directory) is None:
            message = f"the script directory '{self.directory_name}' is outside the project (through a link)"
            yield self._finding("script_directory", self.shown(self.directory), message)
        elif not is_inside(self.name):
            where = "the project" if self.directory == self.project else f"its directory '{self.directory_name}'"
            yield self._finding("script_name", self.name, f"the script is outside {where}")
        elif not os.path.isfile(self.file.path):
            yield self._finding("script_name", self.shown(), f"the script does not exist{self._meant()}")
        elif real_paths.inside(self.file.path) is None:
            yield self._finding("script_name", self.shown(), "the script is outside the project (through a link)")

    def _finding(self, key: str, file: str, message: str) -> SnapshotProblem:
        return SnapshotProblem((key,), Problem(file, 0, message))

    def _meant(self) -> str:
        if not self.suggests:
            return ""
        # Compared without the suffix, which would make short names similar.
        known = {
            os.path.relpath(path, self.directory).replace(os.sep, "/").removesuffix(".py"): path
            for path in _scripts_under(self.directory)
        }
        close = did_you_mean(self.name.removesuffix(".py"), known)
        if close:
            return close.replace("'?", ".py'?")
        name = os.path.basename(self.name)
        same = next((path for path in _scripts_under(self.project) if os.path.basename(path) == name), None)
        return f"; did you mean '{self.shown(same)}'?" if same else ""


def _folders_of(project: str) -> list[str]:
    return [entry.name for entry in os.scandir(project) if entry.is_dir() and not entry.name.startswith(".")]


def _scripts_under(folder: str) -> Iterator[str]:
    for count, path in enumerate(files_under(folder)):
        if count > _LOOKED_AT:
            return
        hidden = any(part.startswith(".") for part in os.path.relpath(path, folder).split(os.sep))
        if path.endswith(".py") and not hidden:
            yield path
