"""Find the project's modules as Python would with the snapshot's root first on its import path."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES

from azml_tasks.snapshot.imports import Import, SourceFile, SourceFiles

_SUFFIXES = (*EXTENSION_SUFFIXES, ".py")


@dataclass(frozen=True)
class Located:
    """A file or folder of the project; `place` is its posix path in the snapshot, empty for the root."""

    path: str
    place: str = ""

    def child(self, name: str) -> Located:
        """Return what lies in this folder under that name."""
        return Located(os.path.join(self.path, name), f"{self.place}/{name}" if self.place else name)


@dataclass(frozen=True)
class Module:
    """A module of the project: its file (None for a namespace package), and where its submodules lie."""

    name: str
    file: Located | None
    folders: tuple[Located, ...] = ()

    @property
    def package(self) -> str:
        """The package against which its relative imports count."""
        return self.name if self.folders else self.name.rpartition(".")[0]


class Modules:
    """The modules under the folders of an import path, as they lay when each folder was first looked into."""

    def __init__(self, path: Sequence[Located]) -> None:
        self._path = tuple(path)
        self._found: dict[str, Module | None] = {}
        self._listed: dict[str, frozenset[str]] = {}

    def find(self, name: str) -> Module | None:
        """Return the project's module of that dotted name, or None when the project has none."""
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
            return None  # Python looks for these nowhere else.
        return self._in_folders(name, last, self._path)

    def _in_folders(self, name: str, last: str, folders: Iterable[Located]) -> Module | None:
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

    def _file(self, folder: Located, stem: str) -> Located | None:
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


class Closure:
    """Everything that some files import from the project, directly or not.

    `files` maps each place in the snapshot to the file that lies there and what was read in it;
    `outside` holds the top-level names that the project does not have.
    """

    def __init__(self, modules: Modules, sources: SourceFiles) -> None:
        self._modules = modules
        self._sources = sources
        self._waiting: list[tuple[SourceFile, str]] = []
        self._seen: set[tuple[str, str]] = set()
        self.files: dict[str, tuple[Located, SourceFile]] = {}
        self.outside: set[str] = set()

    def add(self, file: Located) -> None:
        """Add a file that is run or loaded by its path, and all that it imports.

        Raises OSError.
        """
        self._reach(file, package="")
        while self._waiting:
            source, package = self._waiting.pop()
            for item in source.imports:
                self._follow(item, package)

    def _reach(self, file: Located, package: str) -> SourceFile:
        if file.place not in self.files:
            source = self._sources.read(file.path) if file.path.endswith(".py") else SourceFile()
            self.files[file.place] = (file, source)
        source = self.files[file.place][1]
        if (file.place, package) not in self._seen:
            self._seen.add((file.place, package))
            self._waiting.append((source, package))
        return source

    def _follow(self, item: Import, package: str) -> None:
        base = _absolute(item, package)
        module = self._import(base) if base else None
        if module is None:
            return
        names = item.names
        if names == ("*",) and module.file is not None:
            names = self._reach(module.file, module.package).exports
        for name in names:
            self._import(f"{base}.{name}")

    def _import(self, name: str) -> Module | None:
        """Reach the module and the packages around it; return it, or None when the project lacks it."""
        found = list(self._modules.parents(name))
        if not found:
            self.outside.add(name.partition(".")[0])
        for module in found:
            if module.file is not None:
                self._reach(module.file, module.package)
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
