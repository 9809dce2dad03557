"""The Python files of a snapshot, by import name."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.checks.contract.values import Module, extend
from azml_tasks.snapshot import Snapshot
from azml_tasks.snapshot.imports import SourceFile, SourceFiles, reaches_argv_by_name
from azml_tasks.snapshot.packages import is_known_package

# Calls that only read their arguments.
_READERS = {"print", "len", "str", "repr", "list", "tuple", "join", "format", "bool"}
_READERS |= {"debug", "info", "warning", "error", "critical", "exception", "log"}


class Sources:
    """The Python files of one snapshot, already parsed when the snapshot was built."""

    def __init__(self, snapshot: Snapshot, files: SourceFiles, project: Path) -> None:
        self._snapshot = snapshot
        self._files = files
        self._project = project
        folder = os.path.dirname(snapshot.script)
        self._roots = tuple(dict.fromkeys((f"{folder}/" if folder else "", "")))

    def find(self, name: str) -> Module | None:
        """Return the module of that dotted name, not yet loaded, or None when the snapshot does not hold it."""
        files = self._snapshot.files
        path = name.replace(".", "/")
        for root in self._roots:
            if f"{root}{path}/__init__.py" in files:
                return Module(name, f"{root}{path}/__init__.py", name)
            if f"{root}{path}.py" in files:
                return Module(name, f"{root}{path}.py", name.rpartition(".")[0])
        inside = tuple(f"{root}{path}/" for root in self._roots)
        return Module(name, "", name) if any(place.startswith(inside) for place in files) else None

    def tree(self, place: str) -> ast.Module | None:
        """Return the syntax tree of the file at a place of the snapshot, None when it cannot be read."""
        try:
            return self._files.tree(str(self._snapshot.files[place]))
        except OSError:
            return None

    def reads_command_line(self, place: str) -> bool:
        """Return whether the file names `sys.argv`."""
        return bool(place) and self._files.read(str(self._snapshot.files[place])).reads_argv

    def shown(self, place: str) -> str:
        """Return the path of a file as messages give it: relative to the project."""
        return os.path.relpath(self._snapshot.files[place], self._project).replace(os.sep, "/")

    @cached_property
    def texts(self) -> Texts | None:
        """The names and texts in all Python files; None if one of them cannot be read."""
        trees = [self.tree(place) for place in self._snapshot.files if place.endswith(".py")]
        return Texts([tree for tree in trees if tree]) if all(trees) else None

    @cached_property
    def _text(self) -> bytes:
        """The text of all Python files."""
        python = (path for place, path in self._snapshot.files.items() if place.endswith(".py"))
        return b"\n".join(path.read_bytes() for path in python)

    def _may_hold(self, name: str) -> bool:
        """Return whether the files contain a name, which takes no look at their syntax."""
        try:
            return not name.isascii() or name.encode() in self._text
        except OSError:
            return True

    def hold(self, name: str) -> bool:
        """Return whether a name is used in one of the Python files, as a name or as a text; True if that is unknown."""
        return self._may_hold(name) and (self.texts is None or self.texts.hold(name))

    def declare(self, option: str) -> bool:
        """Return whether one of the Python files may declare an option, or names it."""
        texts = self.texts if self._may_hold(option) else Texts([])
        return texts is None or option in texts.declared or option in texts.texts

    @property
    def import_only_public_packages(self) -> bool:
        """Whether all packages from outside the project are known ones, which know nothing of Azure ML."""
        return all(map(is_known_package, self._snapshot.outside))

    @property
    def read_datasets(self) -> bool:
        """Whether one of the Python files names the datasets of the run."""
        return any(file.reads_datasets for file in self._python())

    @property
    def parse_arguments(self) -> bool:
        """Whether one of the Python files names a parser of arguments."""
        return any(file.parses_arguments for file in self._python())

    @property
    def yield_values(self) -> bool:
        """Whether one of the Python files may have a generator."""
        return any(file.yields for file in self._python())

    def _python(self) -> Iterator[SourceFile]:
        return (self._files.read(str(path)) for place, path in self._snapshot.files.items() if place.endswith(".py"))


class Texts:
    """All names and texts of Python files; `declared` are the texts that only declare and describe arguments.

    `all_datasets` is whether `input_datasets` stands for more than the datasets that are named in its brackets.
    """

    def __init__(self, trees: list[ast.Module]) -> None:
        self.names: set[str] = set()
        self.texts: set[str] = set()
        self.declared: set[str] = set()
        used = named = 0
        declaring: set[int] = set()
        waiting: list[Any] = list(trees)
        for node in waiting:
            kind = node.__class__
            if kind is ast.Name:
                self.names.add(node.id)
                continue
            if kind is ast.Constant:
                if node.value.__class__ is str:
                    (self.declared if id(node) in declaring else self.texts).add(node.value)
                continue
            if kind is ast.Attribute:
                self.names.add(node.attr)
                used += node.attr == "input_datasets"
            elif kind is ast.Call:
                declaring.update(map(id, _declaring(node)))
            elif kind is ast.arg or kind is ast.keyword:
                self.names.add(node.arg or "")
            elif kind is ast.Subscript and isinstance(node.slice, ast.Constant):
                named += getattr(node.value, "attr", "") == "input_datasets"
            extend(waiting, node)
        self.all_datasets = used > named or "input_datasets" in self.texts

    def hold(self, name: str) -> bool:
        """Return whether a name is used anywhere, as a name or as a text."""
        return name in self.names or name in self.texts

    def mention(self, name: str) -> bool:
        """Return whether a name is part of any text."""
        return any(name in text for text in self.texts)


def _declaring(node: ast.Call) -> list[ast.expr]:
    """Return what names and describes the argument of an `add_argument`."""
    if not isinstance(node.func, ast.Attribute) or node.func.attr != "add_argument":
        return []
    return [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg in ("dest", "help", "metavar"))]


def may_edit_command_line(tree: ast.AST) -> bool:
    """Return whether a module may change `sys.argv`: anything except reading it."""
    parents = {id(child): node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "argv" for alias in node.names):
            return True
        if isinstance(node, ast.Call) and reaches_argv_by_name(node):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "argv" and not _is_read(node, parents):
            return True
    return False


def _is_read(node: ast.Attribute, parents: dict[int, ast.AST]) -> bool:
    if not isinstance(node.ctx, ast.Load):
        return False
    around = parents[id(node)]
    if isinstance(around, ast.Subscript):
        return isinstance(around.ctx, ast.Load)
    if isinstance(around, ast.Call) and node in around.args:
        called = around.func
        return (called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")) in _READERS
    return isinstance(around, (ast.FormattedValue, ast.Compare))
