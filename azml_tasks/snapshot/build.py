"""Find the files of the steps' snapshots, and check them before anything is sent."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.plan import OptionValue, Plan, StepPlan, Token
from azml_tasks.secrets import looks_secret
from azml_tasks.snapshot.files import (
    IgnoreFile,
    LinkResolver,
    Script,
    SnapshotFile,
    files_under,
    hash_file,
    included,
    is_inside,
    is_never_sent,
)
from azml_tasks.snapshot.imports import SourceFile, SourceFiles
from azml_tasks.snapshot.modules import ImportClosure, Modules, import_folders
from azml_tasks.snapshot.snapshot import FileSet, Snapshot, SnapshotError, SnapshotProblem, over_the_limits
from azml_tasks.text import MOST_SUGGESTIONS

_T = TypeVar("_T")


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

    It caches folders, so create a new one for each command. `hash_file` returns the SHA-256 of a file's content by its
    path.
    """

    def __init__(self, project_dir: str | Path, hash_file: Callable[[str], str] = hash_file) -> None:
        self.project = os.path.abspath(project_dir)
        self.hash_file = hash_file
        self.sources = SourceFiles(self.project, hash_file)
        self.real_paths = LinkResolver(self.project)
        self.import_folders = import_folders(self.project)
        self._built: dict[object, Snapshot] = {}
        self._modules: dict[tuple[SnapshotFile, ...], Modules] = {}
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

        Steps with the same script share theirs. Raises SnapshotError with all problems.
        """
        asked = (script_directory, script_name, tuple(include), whole_directory)
        if asked not in self._built:
            self._built[asked] = self._assembly(*asked).snapshot()
        return self._built[asked]

    def remember(self, *, complete: bool) -> None:
        """Store in the project what was found in files, so that they are not parsed again; see `KnownRows.save`."""
        self.sources.store(complete=complete)

    def collect(
        self,
        script_directory: str,
        script_name: str,
        include: Sequence[str] = (),
        whole_directory: bool = False,
    ) -> FileSet:
        """Return the files of the snapshot with their sizes and reasons, and its problems, without reading contents."""
        try:
            return self._assembly(script_directory, script_name, include, whole_directory).file_set()
        except SnapshotError as error:
            return FileSet("", {}, {}, {}, error.findings)

    def _assembly(
        self, script_directory: str, script_name: str, include: Sequence[str], whole_directory: bool
    ) -> _Assembly:
        suggests = self._refused < MOST_SUGGESTIONS
        script = Script(self.project, script_directory, script_name, self.import_folders, suggests)
        findings = list(script.findings(self.real_paths))
        if findings:
            self._refused += 1
            raise SnapshotError(findings)
        assembly = _Assembly(self, script)
        assembly.add_imports()
        assembly.add_included(include)
        if whole_directory:
            assembly.add_directory()
        return assembly

    def modules(self, script: Script) -> Modules:
        """Return the project's modules as the script imports them."""
        path = script.import_path
        if path not in self._modules:
            self._modules[path] = Modules(path)
        return self._modules[path]

    def ignore_files(self, script: Script) -> tuple[IgnoreFile, ...]:
        """Return the ignore rules for the script's directory: the project's and its own."""
        folders = dict.fromkeys((self.project, script.directory))
        for folder in folders:
            if folder not in self._ignore_files:
                self._ignore_files[folder] = IgnoreFile(folder)
        return tuple(self._ignore_files[folder] for folder in folders)


class _Assembly:
    """A snapshot while its files are collected; `findings` are the problems so far."""

    def __init__(self, builder: SnapshotBuilder, script: Script) -> None:
        self._builder = builder
        self._script = script
        self._files: dict[str, str] = {}
        self._reasons: dict[str, str] = {}
        self._imported: frozenset[str] = frozenset()
        self._tunes = False
        self._names_mlflow = False
        self._reads_argv = False
        self._parses_arguments = False
        self.findings: list[SnapshotProblem] = []

    def add_imports(self) -> None:
        """Add the script and all that it imports from the project."""
        closure = self._closure(self._script.file)
        for file, source in closure.files.values():
            is_script = file == self._script.file
            self._add_imported(file, closure.reason(file) or "the script", is_script)
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
                self._find(key, self._script.file.path, f"include '{pattern}' is outside the project")
                continue
            found = included(pattern, self._script.folders)
            if not found:
                self._find(key, self._script.file.path, f"include '{pattern}' does not match any file")
            for file in found:
                added = self._add_checked(file, key, "narrow the include", f"include: {pattern}")
                if added and file.path.endswith(".py"):
                    # A file that cannot be parsed may not be meant for import.
                    closure = self._closure(file)
                    for reached, source in closure.files.values():
                        self._add_imported(reached, closure.reason(reached))
                        self._look_at(source)

    def add_directory(self) -> None:
        """Add all of the script's directory except what its .amlignore excludes."""
        script = self._script
        for path in files_under(script.directory, self._builder.ignore_files(script)):
            place = os.path.relpath(path, script.directory).replace(os.sep, "/")
            self._add_checked(SnapshotFile(path, place), ("snapshot",), "add it to .amlignore", "snapshot: directory")

    def file_set(self) -> FileSet:
        """Return the files so far, with sizes, and all problems, those of the limits too."""
        places = sorted(self._files)
        sizes = dict(self._read(places, os.path.getsize))
        for sentence in over_the_limits(sizes):
            self._find(("snapshot",), self._script.file.path, sentence)
        # All files behind one link have the same problem.
        findings = tuple(dict.fromkeys(self.findings))
        return FileSet(self._script.file.place, dict(self._files), sizes, dict(self._reasons), findings)

    def snapshot(self) -> Snapshot:
        """Return the snapshot.

        Raises SnapshotError with the problems, or if it is too large or a file cannot be read.
        """
        self.file_set()
        places = sorted(self._files)
        hashes = {} if self.findings else dict(self._read(places, self._builder.hash_file))
        if self.findings:
            raise SnapshotError(list(dict.fromkeys(self.findings)))
        return Snapshot(
            script=self._script.file.place,
            files=MappingProxyType({place: Path(self._files[place]) for place in places}),
            hashes=MappingProxyType(hashes),
            outside=self._imported - sys.stdlib_module_names,
            standard=self._imported & sys.stdlib_module_names,
            tunes=self._tunes,
            names_mlflow=self._names_mlflow,
            splits_arguments=self._reads_argv and not self._parses_arguments,
        )

    def _look_at(self, source: SourceFile) -> None:
        self._tunes |= source.tunes
        self._names_mlflow |= source.names_mlflow
        self._reads_argv |= source.reads_argv
        self._parses_arguments |= source.parses_arguments

    def _closure(self, file: SnapshotFile) -> ImportClosure:
        closure = ImportClosure(self._builder.modules(self._script), self._builder.sources)
        try:
            closure.add(file)
        except OSError as error:
            self._cannot_read(file.path, error)
        return closure

    def _add_imported(self, file: SnapshotFile, reason: str, is_script: bool = False) -> None:
        """Add a file that is run or imported, possibly through a link, unless it looks like a secret."""
        secret = self._secret(file.path)
        if secret:
            self._find(("script_name",) if is_script else (), file.path, f"this {secret} is never uploaded")
        else:
            self._add(file, reason)

    def _add(self, file: SnapshotFile, reason: str) -> None:
        if file.place not in self._files:
            self._files[file.place] = file.path
            self._reasons[file.place] = reason

    def _add_checked(self, file: SnapshotFile, key: tuple[str | int, ...], remedy: str, reason: str) -> bool:
        """Add a file if it is in the project and does not look like a secret; return whether it was added."""
        inside = self._builder.real_paths.inside(file.path)
        if inside is None:
            left = self._builder.real_paths.exit(file.path)
            self._find(key, left, f"this is outside the project (through a link): {remedy}")
            return False
        secret = self._secret(file.path)
        if secret:
            self._find(key, file.path, f"this {secret} is never uploaded: {remedy}")
        elif is_never_sent(inside):
            self._find(key, file.path, f"this is never uploaded: {remedy}")
        elif secret is not None:
            self._add(file, reason)
            return True
        return False

    def _secret(self, path: str) -> str | None:
        """Return the kind of secret that a file looks like, empty if none; None if it cannot be read."""
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
        # The unreadable file may be an imported one; a failing read has no name.
        self._find((), error.filename or path, f"this file cannot be read: {error.strerror}")

    def _find(self, key: tuple[str | int, ...], path: str, message: str, line: int = 0) -> None:
        self.findings.append(SnapshotProblem(key, Problem(self._script.shown(path), line, message)))


Locate = Callable[[tuple[str | int, ...], str], Problem]


def take_snapshots(
    builder: SnapshotBuilder,
    steps: Iterable[StepPlan],
    located: Locate | None = None,
    then: Callable[[StepPlan, Snapshot], None] | None = None,
) -> dict[str, Snapshot]:
    """Return the snapshot of each step, by its key.

    `located` turns a place in pipeline.yaml into a problem. `then` is called with each step and its snapshot, as long
    as nothing is wrong. Raises ProjectError with everything that is wrong.
    """
    snapshots: dict[str, Snapshot] = {}
    problems: list[Problem] = []
    for planned in steps:
        key, step = planned.key, planned.step
        whole = step.snapshot == "directory"
        try:
            snapshots[key] = builder.build(step.script_directory, step.script_name, step.include, whole)
            if then and not problems:
                then(planned, snapshots[key])
        except SnapshotError as error:
            problems += located_problems(key, error.findings, located)
    if problems:
        raise ProjectError(dict.fromkeys(problems))
    return snapshots


def located_problems(
    step: str, findings: Iterable[SnapshotProblem], located: Locate | None = None
) -> Iterator[Problem]:
    """Yield the problems of a step's snapshot; those that a key of pipeline.yaml causes are located there."""
    for finding in findings:
        wrong = finding.problem
        if finding.key and located:
            wrong = located(("steps", step, *finding.key), f"step '{step}': {wrong.file}: {wrong.message}")
        yield wrong


def with_words(plan: Plan, snapshots: Mapping[str, Snapshot]) -> Plan:
    """Return the plan with the options and values in the form that the scripts in the snapshots accept."""
    return replace(plan, steps=tuple(step_with_words(step, snapshots[step.key]) for step in plan.steps))


def step_with_words(step: StepPlan, snapshot: Snapshot) -> StepPlan:
    """Return the step's plan with the options and values in the form that its script accepts.

    Where a script reads `sys.argv` by itself, an option and its value are two words whatever the value is.
    """
    has_options = any(isinstance(token, OptionValue) for token in step.argv)
    return step._replace(argv=tuple(_words(step, snapshot))) if has_options else step


def _words(step: StepPlan, snapshot: Snapshot) -> Iterator[Token]:
    for token in step.argv:
        if not isinstance(token, OptionValue):
            yield token
        elif snapshot.splits_arguments:
            yield from (token.name, token.value)
        else:
            yield token.joined
