"""Find the project's modules like Python with the snapshot's root first on the import path."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib.machinery import EXTENSION_SUFFIXES
from typing import NamedTuple

from azml_tasks.snapshot.files import LinkResolver, SnapshotFile, is_never_sent
from azml_tasks.snapshot.imports import Import, SourceFile, SourceFiles

_SUFFIXES = (*EXTENSION_SUFFIXES, ".py")


class Module(NamedTuple):
    """A module of the project: its file (None for a namespace package), and the folders of its submodules."""

    name: str
    file: SnapshotFile | None
    folders: tuple[SnapshotFile, ...] = ()

    @property
    def package(self) -> str:
        """The package for its relative imports."""
        return self.name if self.folders else self.name.rpartition(".")[0]


class Modules:
    """The modules in the folders of an import path; each folder is read once."""

    def __init__(self, path: Sequence[SnapshotFile]) -> None:
        self._path = tuple(path)
        self._found: dict[str, Module | None] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def find(self, name: str) -> Module | None:
        """Return the project's module with that dotted name, or None."""
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def parents(self, name: str) -> Iterator[Module]:
        """Yield the packages around a module and then itself, outermost first, as far as the project has them."""
        end = -1
        while end < len(name):
            end = name.find(".", end + 1)
            end = len(name) if end < 0 else end
            module = self.find(name[:end])
            if module is None:
                return
            yield module

    def _search(self, name: str) -> Module | None:
        parent_name, _, last = name.rpartition(".")
        if parent_name:
            parent = self.find(parent_name)
            return self._in_folders(name, last, parent.folders) if parent else None
        if last in sys.builtin_module_names:
            return None  # Python searches only there.
        return self._in_folders(name, last, self._path)

    def _in_folders(self, name: str, last: str, folders: Iterable[SnapshotFile]) -> Module | None:
        portions = []
        for folder in folders:
            inner = folder.child(last)
            is_folder = last in self._names(folder.path) and os.path.isdir(inner.path)
            file = self._file(inner, "__init__") if is_folder else None
            if file:
                return Module(name, file, (inner,))
            file = self._file(folder, last)
            if file:
                return Module(name, file)
            if is_folder:
                portions.append(inner)
        return Module(name, None, tuple(portions)) if portions else None

    def _file(self, folder: SnapshotFile, stem: str) -> SnapshotFile | None:
        names = self._names(folder.path)
        for suffix in _SUFFIXES:
            file = folder.child(stem + suffix)
            if stem + suffix in names and os.path.isfile(file.path):
                return file
        return None

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self._listed:
            try:
                self._listed[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._listed[folder] = frozenset()
        return self._listed[folder]


class ImportClosure:
    """Everything that files import from the project, directly or indirectly.

    `files` maps each place in the snapshot to its file and imports, `importers` those that are imported to the first
    file and line found that do so; `outside` are the top-level names that are not in the project.
    """

    def __init__(self, modules: Modules, sources: SourceFiles) -> None:
        self._modules = modules
        self._sources = sources
        self._waiting: list[tuple[SnapshotFile, SourceFile, str]] = []
        self._seen: set[tuple[str, str]] = set()
        self.files: dict[str, tuple[SnapshotFile, SourceFile]] = {}
        self.importers: dict[str, tuple[SnapshotFile, int]] = {}
        self.outside: set[str] = set()

    def add(self, file: SnapshotFile) -> None:
        """Add a file that is run or loaded by its path, and all that it imports.

        Raises OSError.
        """
        self._reach(file, package="")
        while self._waiting:
            file, source, package = self._waiting.pop()
            for item in source.imports:
                self._follow(item, package, (file, item.line))

    def reason(self, file: SnapshotFile) -> str:
        """Return why a file was found: `imported by train.py:3`; empty for one that was added."""
        if file.place not in self.importers:
            return ""
        importer, line = self.importers[file.place]
        return f"imported by {importer.place}:{line}"

    def _reach(self, file: SnapshotFile, package: str, importer: tuple[SnapshotFile, int] | None = None) -> SourceFile:
        if file.place not in self.files:
            source = self._sources.read(file.path) if file.path.endswith(".py") else SourceFile()
            self.files[file.place] = (file, source)
            if importer:
                self.importers[file.place] = importer
        source = self.files[file.place][1]
        if (file.place, package) not in self._seen:
            self._seen.add((file.place, package))
            self._waiting.append((file, source, package))
        return source

    def _follow(self, item: Import, package: str, importer: tuple[SnapshotFile, int]) -> None:
        base = _absolute(item, package)
        module = self._import(base, importer) if base else None
        if module is None:
            return
        names = item.names
        if names == ("*",) and module.file is not None:
            names = self._reach(module.file, module.package).exports
        for name in names:
            self._import(f"{base}.{name}", importer)

    def _import(self, name: str, importer: tuple[SnapshotFile, int]) -> Module | None:
        """Add the module and its parent packages; return it, or None if it is not in the project."""
        found = list(self._modules.parents(name))
        if not found:
            self.outside.add(name.partition(".")[0])
        for module in found:
            if module.file is not None:
                self._reach(module.file, module.package, importer)
        return found[-1] if found and found[-1].name == name else None


def _absolute(item: Import, package: str) -> str | None:
    """Return the dotted name that the import starts from, or None when it points above its package."""
    if item.level == 0:
        return item.module
    parts = package.split(".") if package else []
    up = item.level - 1
    if up >= len(parts):
        return None
    base = ".".join(parts[: len(parts) - up])
    return f"{base}.{item.module}" if item.module else base


_INSTALLED = frozenset(("site-packages", "dist-packages"))
_MARKS_OF_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")


def import_folders(project: str) -> tuple[str, ...]:
    """Return the folders below the project that a new interpreter has on its import path, in its order.

    They come from PYTHONPATH and .pth files, without virtual environments in the project. `sys.path` has more: what
    Invoke added, and the working directory, on which a snapshot must not depend.
    """
    real_paths = LinkResolver(project)
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    entries += [line for folder in sys.path if os.path.basename(folder) in _INSTALLED for line in _pth_lines(folder)]
    places = (real_paths.inside(os.path.abspath(entry)) for entry in entries if entry and os.path.isdir(entry))
    kept = dict.fromkeys(place for place in places if place and place != os.curdir)
    return tuple(os.path.join(project, *place.split("/")) for place in kept if is_own_folder(project, place))


def _pth_lines(folder: str) -> Iterator[str]:
    """Yield the paths in the .pth files of a folder, like Python's `site`."""
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
    """Return whether a folder has the project's own modules, not those of an environment in the project."""
    parts = place.split("/")
    if is_never_sent(place) or not _INSTALLED.isdisjoint(parts):
        return False
    around = (os.path.join(project, *parts[:end]) for end in range(1, len(parts) + 1))
    return not any(os.path.exists(os.path.join(folder, mark)) for folder in around for mark in _MARKS_OF_ENVIRONMENTS)
