"""Find the files of a step's snapshot, and check them before anything is sent."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from azml_tasks.errors import MOST_SUGGESTIONS, Problem
from azml_tasks.secrets import looks_secret
from azml_tasks.snapshot.ignore import IgnoreFile, files_under, is_never_sent
from azml_tasks.snapshot.import_folders import import_folders
from azml_tasks.snapshot.imports import SourceFile, SourceFiles
from azml_tasks.snapshot.include import included, is_inside
from azml_tasks.snapshot.limits import over_the_limits
from azml_tasks.snapshot.links import RealPaths
from azml_tasks.snapshot.modules import Closure, Located, Modules
from azml_tasks.snapshot.script import Script
from azml_tasks.snapshot.snapshot import Finding, Snapshot, SnapshotError

_T = TypeVar("_T")
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


def build_snapshot(
    project_dir: str | Path,
    script_directory: str,
    script_name: str,
    include: Sequence[str] = (),
    whole_directory: bool = False,
) -> Snapshot:
    """Return the snapshot of one step; for many steps keep a SnapshotBuilder.

    Raises SnapshotError.
    """
    return SnapshotBuilder(project_dir).build(script_directory, script_name, include, whole_directory)


class SnapshotBuilder:
    """Builds the snapshots of a project's steps, reading each file and folder once for all of them.

    It sees folders as they were when it first looked, so make a new one for each command. `hash_file` returns
    the SHA-256 of a file's content by its path.
    """

    def __init__(self, project_dir: str | Path, hash_file: Callable[[str], str] = hash_file) -> None:
        self.project = os.path.abspath(project_dir)
        self.hash_file = hash_file
        self.sources = SourceFiles()
        self.real_paths = RealPaths(self.project)
        self.import_folders = import_folders(self.project)
        self._modules: dict[tuple[Located, ...], Modules] = {}
        self._ignore_files: dict[str, IgnoreFile] = {}
        self._refused = 0

    def build(
        self,
        script_directory: str,
        script_name: str,
        include: Sequence[str] = (),
        whole_directory: bool = False,
    ) -> Snapshot:
        """Return the snapshot of the step that runs `script_name`, relative to `script_directory`.

        Raises SnapshotError with everything that is wrong.
        """
        suggests = self._refused < MOST_SUGGESTIONS
        script = Script(self.project, script_directory, script_name, self.import_folders, suggests)
        findings = list(script.findings())
        if findings:
            self._refused += 1
            raise SnapshotError(findings)
        assembly = _Assembly(self, script)
        assembly.add_imports()
        assembly.add_included(include)
        if whole_directory:
            assembly.add_directory()
        return assembly.snapshot()

    def modules(self, script: Script) -> Modules:
        """Return the project's modules as the script finds them."""
        path = script.import_path
        if path not in self._modules:
            self._modules[path] = Modules(path)
        return self._modules[path]

    def ignore_files(self, script: Script) -> tuple[IgnoreFile, ...]:
        """Return the rules that hold for the script's directory: the project's and its own."""
        folders = dict.fromkeys((self.project, script.directory))
        for folder in folders:
            if folder not in self._ignore_files:
                self._ignore_files[folder] = IgnoreFile(folder)
        return tuple(self._ignore_files[folder] for folder in folders)


class _Assembly:
    """One snapshot while its files are gathered; `findings` holds what is wrong so far."""

    def __init__(self, builder: SnapshotBuilder, script: Script) -> None:
        self._builder = builder
        self._script = script
        self._files: dict[str, str] = {}
        self._imported: frozenset[str] = frozenset()
        self._tunes = False
        self._reads_argv = False
        self._parses_arguments = False
        self.findings: list[Finding] = []

    def add_imports(self) -> None:
        """Add the script and all that it imports from the project."""
        closure = self._closure(self._script.file)
        for file, source in closure.files.values():
            self._add_imported(file, ("script_name",) if file == self._script.file else ())
            self._look_at(source)
            if source.error:
                message = f"Python {platform.python_version()} cannot read this file: {source.error}"
                self._find((), file.path, message, source.line)
        self._imported = frozenset(closure.outside)

    def add_included(self, patterns: Sequence[str]) -> None:
        """Add the files that the patterns find, and what the Python files among them import."""
        for index, pattern in enumerate(patterns):
            key = ("include", index)
            if not is_inside(pattern):
                self._find(key, self._script.file.path, f"'{pattern}' of its include lies outside the project")
                continue
            found = included(pattern, self._script.folders)
            if not found:
                self._find(key, self._script.file.path, f"'{pattern}' of its include finds no file")
            for file in found:
                if self._add_checked(file, key, "narrow the include") and file.path.endswith(".py"):
                    # What cannot be parsed here may be meant for something else than Python's import.
                    for reached, source in self._closure(file).files.values():
                        self._add_imported(reached)
                        self._look_at(source)

    def add_directory(self) -> None:
        """Add all of the script's directory less what its .amlignore leaves out."""
        script = self._script
        for path in files_under(script.directory, self._builder.ignore_files(script)):
            place = os.path.relpath(path, script.directory).replace(os.sep, "/")
            self._add_checked(Located(path, place), ("snapshot",), "name it in .amlignore")

    def snapshot(self) -> Snapshot:
        """Return the snapshot.

        Raises SnapshotError with what was found wrong, or when it is too large or a file cannot be read.
        """
        places = sorted(self._files)
        sizes = dict(self._read(places, os.path.getsize))
        for sentence in over_the_limits(sizes):
            self._find(("snapshot",), self._script.file.path, sentence)
        hashes = {} if self.findings else dict(self._read(places, self._builder.hash_file))
        if self.findings:
            # Of all that lies behind one link the same is found.
            raise SnapshotError(list(dict.fromkeys(self.findings)))
        return Snapshot(
            script=self._script.file.place,
            files=MappingProxyType({place: Path(self._files[place]) for place in places}),
            hashes=MappingProxyType(hashes),
            outside=self._imported - sys.stdlib_module_names,
            standard=self._imported & sys.stdlib_module_names,
            tunes=self._tunes,
            splits_arguments=self._reads_argv and not self._parses_arguments,
        )

    def _look_at(self, source: SourceFile) -> None:
        self._tunes |= source.tunes
        self._reads_argv |= source.reads_argv
        self._parses_arguments |= source.parses_arguments

    def _closure(self, file: Located) -> Closure:
        closure = Closure(self._builder.modules(self._script), self._builder.sources)
        try:
            closure.add(file)
        except OSError as error:
            self._cannot_read(file.path, error)
        return closure

    def _add_imported(self, file: Located, key: tuple[str | int, ...] = ()) -> None:
        """Add a file that is run or imported, which may lie where a link leads to, unless it looks like a secret."""
        secret = self._secret(file.path)
        if secret:
            self._find(key, file.path, f"this {secret} is never sent")
        else:
            self._files.setdefault(file.place, file.path)

    def _add_checked(self, file: Located, key: tuple[str | int, ...], remedy: str) -> bool:
        """Add a file that lies in the project and does not look like a secret; say whether it was added."""
        inside = self._builder.real_paths.inside(file.path)
        if inside is None:
            left = self._builder.real_paths.exit(file.path)
            self._find(key, left, f"this leads out of the project by a link: {remedy}")
            return False
        secret = self._secret(file.path)
        if secret:
            self._find(key, file.path, f"this {secret} is never sent: {remedy}")
        elif is_never_sent(inside):
            self._find(key, file.path, f"this never belongs to a snapshot: {remedy}")
        elif secret is not None:
            self._files.setdefault(file.place, file.path)
            return True
        return False

    def _secret(self, path: str) -> str | None:
        """Say of what kind a file is that looks like a secret, else nothing; None for one that cannot be read."""
        real = self._builder.real_paths.of(path)
        try:
            if looks_secret(path, self._builder.project):
                return "looks like a secret, which"
            leads = real != path and looks_secret(real, self._builder.real_paths.project)
            return f"leads to {os.path.basename(real)}, which looks like a secret and" if leads else ""
        except OSError as error:
            self._cannot_read(path, error)
            return None

    def _read(self, places: Sequence[str], read: Callable[[str], _T]) -> Iterator[tuple[str, _T]]:
        for place in places:
            try:
                yield place, read(self._files[place])
            except OSError as error:
                self._cannot_read(self._files[place], error)

    def _cannot_read(self, path: str, error: OSError) -> None:
        # Of what the file imports it may be another that cannot be opened; where reading fails, no name is given.
        self._find((), error.filename or path, f"this file cannot be read: {error.strerror}")

    def _find(self, key: tuple[str | int, ...], path: str, message: str, line: int = 0) -> None:
        self.findings.append(Finding(key, Problem(self._script.shown(path), line, message)))
