"""Which files of the package import which, read from their source."""

from __future__ import annotations

import ast
from collections.abc import Collection, Hashable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "azml_tasks"
# The folders that are first on the import path of a step's process: their modules have short names there.
FIRST_ON_PATH = (PACKAGE / "standin", PACKAGE / "local" / "forkserver")

Node = TypeVar("Node", bound=Hashable)


def modules(folder: Path = PACKAGE) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.py")) if "__pycache__" not in file.parts]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imports(file: Path, *, functions: bool = True, typing: bool = True) -> tuple[str, ...]:
    """Return the full names of what a module imports.

    Without `functions` what its functions import is left out, without `typing` what only a type checker imports.
    """
    return tuple(_imports(file, functions, typing))


def _imports(file: Path, functions: bool, typing: bool) -> Iterator[str]:
    package = ".".join(file.relative_to(ROOT).parent.parts)
    for node in _nodes(parsed(file), functions, typing):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _nodes(tree: ast.AST, functions: bool, typing: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not functions and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        if not typing and isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _nodes(node, functions, typing)


@cache
def graph() -> dict[Path, set[Path]]:
    """Return the files of the package that each file imports by itself, without the packages around them."""
    files = modules()
    names = {_dotted(file, ROOT): file for file in files}
    short = {_dotted(file, top): file for top in FIRST_ON_PATH for file in modules(top)}
    found = {}
    for file in files:
        known = {**names, **short} if any(top in file.parents for top in FIRST_ON_PATH) else names
        # `from package import name`: the module of that name, else the package's own file.
        imported = {known.get(name) or known.get(name.rpartition(".")[0]) for name in imports(file)}
        found[file] = {other for other in imported if other and other != file}
    return found


def _dotted(file: Path, top: Path) -> str:
    return ".".join(file.relative_to(top).with_suffix("").parts).removesuffix(".__init__")


def loops(edges: Mapping[Node, Collection[Node]]) -> list[list[Node]]:
    """Return the groups of nodes of which each leads to each other one."""
    reached = {node: _reached(edges, node) for node in edges}
    groups = {frozenset(other for other in reached[node] if node in reached[other]) for node in edges}
    return sorted((sorted(group, key=str) for group in groups if len(group) > 1), key=str)


def _reached(edges: Mapping[Node, Collection[Node]], start: Node) -> set[Node]:
    found: set[Node] = set()
    ahead = [start]
    while ahead:
        new = set(edges.get(ahead.pop(), ())) - found
        found |= new
        ahead.extend(new)
    return found


def file_loops() -> list[list[str]]:
    """Return the files of the package that import each other in loops, by their names below the package."""
    return [[file.relative_to(PACKAGE).as_posix() for file in loop] for loop in loops(graph())]


def folder_loops() -> list[list[str]]:
    """Return the folders that import each other, or a file beside them, in loops.

    Each is compared with what lies beside it in the folder around both, with all that is below it.
    """
    edges = graph()
    folders = {folder for file in edges for folder in file.parents if PACKAGE in (folder, *folder.parents)}
    found = []
    for around in sorted(folders):
        beside: dict[Path, set[Path]] = {}
        for file, imported in edges.items():
            if around in file.parents:
                inside = (_child(other, around) for other in imported if around in other.parents)
                beside.setdefault(_child(file, around), set()).update(inside)
        found += [loop for loop in loops(beside) if any(not item.suffix for item in loop)]
    return [[item.relative_to(PACKAGE).as_posix() for item in loop] for loop in found]


def _child(file: Path, around: Path) -> Path:
    """Return what of a folder holds the file: itself, or a folder above it."""
    return around / file.relative_to(around).parts[0]
