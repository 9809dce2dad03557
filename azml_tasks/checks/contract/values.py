"""What is known of the values in a script that is read but not run."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from azml_tasks.checks.contract.parsers import Parser
from azml_tasks.snapshot.imports import reaches_argv_by_name


class Unknown:
    """A value of which nothing is known."""


UNKNOWN = Unknown()


@dataclass(eq=False)
class Literal:
    """A value that is written in the source; one that can change is `known` as long as no other code has it."""

    value: Any
    known: bool = True


@dataclass(frozen=True)
class Items:
    """A list or tuple whose items are not all literals."""

    items: tuple[Value, ...]


@dataclass(frozen=True)
class Reference:
    """Something from outside the project, or a builtin, by its full name."""

    name: str


@dataclass(frozen=True)
class CommandLine:
    """`sys.argv[1:]`, unchanged."""


@dataclass(frozen=True)
class Container:
    """A parser, or one of its groups."""

    parser: Parser


@dataclass(frozen=True)
class Declared:
    """The action that `add_argument` returns."""

    parser: Parser
    place: int


@dataclass(eq=False)
class Scope:
    """The names of a module or of a function that is called; `node` is what defines it."""

    node: ast.Module | ast.FunctionDef
    module: Module
    parent: Scope | None = None
    names: dict[str, Value] = field(default_factory=dict)
    shared: set[str] = field(default_factory=set)
    returned: list[Value] = field(default_factory=list)

    def find(self, name: str) -> Value:
        """Return the value of a name as Python would look it up."""
        scope: Scope | None = self
        while scope:
            if name in scope.names and name not in scope.shared:
                return scope.names[name]
            scope = scope.parent
        return Reference(name) if hasattr(builtins, name) else UNKNOWN

    def owner(self, name: str) -> Scope:
        """Return the scope that an assignment to the name changes."""
        return self.module.scope if name in self.shared else self


@dataclass(eq=False)
class Module:
    """A module of the project: its dotted name, its place in the snapshot (empty for a folder), and its package."""

    name: str
    place: str
    package: str
    file: str = ""
    scope: Scope = field(init=False)


@dataclass(frozen=True, eq=False)
class Function:
    """A function of the project that can be followed when it is called."""

    node: ast.FunctionDef
    scope: Scope


Value = Unknown | Literal | Items | Reference | CommandLine | Container | Declared | Module | Function


def loaded_names(node: ast.AST) -> Iterator[str]:
    """Yield every name that is read somewhere in the node."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            yield inner.id


def names_out_of_sight(node: ast.AST) -> set[str]:
    """Return the names of a scope that are read where code is not followed: in classes, lambdas, decorated functions.

    What is called from there by its name belongs to them.
    """
    functions = {inner.name: inner for inner in ast.walk(node) if isinstance(inner, ast.FunctionDef)}
    found: set[str] = set()
    waiting = [inner for inner in ast.walk(node) if inner is not node and _is_not_followed(inner)]
    while waiting:
        for name in loaded_names(waiting.pop()):
            if name not in found:
                found.add(name)
                if name in functions:
                    waiting.append(functions[name])
    return found


_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_OUT_OF_SIGHT = (ast.ClassDef, ast.Lambda, ast.AsyncFunctionDef, *_COMPREHENSIONS)


def _is_not_followed(node: ast.AST) -> bool:
    if isinstance(node, ast.FunctionDef):
        return not is_plain(node)
    return isinstance(node, _OUT_OF_SIGHT)


def is_plain(function: ast.FunctionDef) -> bool:
    """Say whether calling a function runs its body, and nothing else."""
    if function.decorator_list:
        return False
    blocks: list[ast.AST] = list(function.body)
    while blocks:
        node = blocks.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return False
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            blocks.extend(ast.iter_child_nodes(node))
    return True


# Calls that do no more than read what they are given.
_READERS = {"print", "len", "str", "repr", "list", "tuple", "join", "format", "bool"}
_READERS |= {"debug", "info", "warning", "error", "critical", "exception", "log"}


def may_edit_command_line(tree: ast.AST) -> bool:
    """Say whether a module may change `sys.argv`: whatever it does with the list but reading it."""
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
