"""Find the imports of a Python file in its syntax tree, without running it."""

from __future__ import annotations

import ast
import hashlib
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

# The deepest nesting of statements that CPython itself compiles is below this.
_TOO_DEEP = "nested too deeply"
# Variables that libraries read once, at import.
READ_AT_IMPORT = (
    *("MALLOC_", "OMP_", "GOMP_", "KMP_", "OPENBLAS_", "GOTO_", "BLIS_", "MKL_", "NUMEXPR_", "NPY_", "NUMPY_"),
    *("PANDAS_", "SCIPY_", "SKLEARN_", "JOBLIB_", "ARROW_"),
)
_READ_AT_IMPORT = re.compile(rf"\b(?:{'|'.join(READ_AT_IMPORT)})[A-Z]".encode())

_MLFLOW = re.compile(rb"mlflow", re.IGNORECASE)

# argparse and parsers based on it: HfArgumentParser, jsonargparse.ArgumentParser, ArgParser.
_PARSER = re.compile(rb"Arg(?:ument)?Parser")


@dataclass(frozen=True)
class Import:
    """One import: `from ..module import name` has level 2; `names` is empty for a plain `import module`.

    `line` is where it is, the first one if the file repeats it.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class SourceFile:
    """The imports of one file, or why it cannot be parsed; `line` counts from 1, 0 is the file as a whole.

    `exports` holds the names in a literal `__all__`, which `from package import *` imports. `tunes` is whether it
    contains a variable that libraries read at import, and so may set it before, `names_mlflow` whether it contains the
    name of MLflow (in an import, or in a text such as `report_to="mlflow"`), `reads_argv` whether it reads
    `sys.argv`, `parses_arguments` whether it names a parser of arguments, and `reads_datasets` whether it names the
    datasets of the run; the syntax `tree` of one that does is kept, to be read again. `digest` is the SHA-256 of its
    content.
    """

    imports: tuple[Import, ...] = ()
    exports: tuple[str, ...] = ()
    error: str | None = None
    line: int = 0
    tunes: bool = False
    names_mlflow: bool = False
    reads_argv: bool = False
    parses_arguments: bool = False
    reads_datasets: bool = False
    digest: str = field(default="", compare=False)
    tree: ast.Module | None = field(default=None, compare=False, repr=False)


class SourceFiles:
    """Parsed files, each read again only when its size, time or inode has changed; equal ones are parsed once."""

    def __init__(self) -> None:
        self._parsed: dict[str, tuple[tuple[int, ...], SourceFile]] = {}
        self._by_content: dict[bytes, SourceFile] = {}
        self._trees: dict[str, ast.Module | None] = {}

    def tree(self, path: str) -> ast.Module | None:
        """Return the file's syntax tree, None for what is not Python.

        Raises OSError.
        """
        if tree := self.read(path).tree:
            return tree
        if path not in self._trees:
            with open(path, "rb") as file:
                source = file.read()
            try:
                self._trees[path] = _tree(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._trees[path] = None
        return self._trees[path]

    def read(self, path: str) -> SourceFile:
        """Return what the file imports.

        Raises OSError.
        """
        status = os.stat(path)
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._parsed.get(path)
        if known is None or known[0] != signature:
            with open(path, "rb") as file:
                source = file.read()
            if source not in self._by_content:
                self._by_content[source] = parse(source)
            known = self._parsed[path] = (signature, self._by_content[source])
        return known[1]


def parse(source: bytes) -> SourceFile:
    """Find all imports of the source, at any level, including a literal `import_module("name")`."""
    try:
        tree = _tree(source)
    except SyntaxError as error:
        return SourceFile(error=error.msg or "invalid syntax", line=error.lineno or 0)
    except (ValueError, RecursionError, MemoryError) as error:
        # Null bytes are a ValueError before Python 3.12; the parser's own stack overflow is a MemoryError.
        return SourceFile(error=str(error) if isinstance(error, ValueError) else _TOO_DEEP)
    found = [item for statement in _statements(tree) for item in _imported_by(statement)]
    if b"import_module" in source or b"__import__" in source:
        found += _dynamic(tree)
    parses_arguments = any(item.module == "argparse" for item in found) or bool(_PARSER.search(source))
    return SourceFile(
        tuple(dict.fromkeys(found)),
        _exports(tree),
        tunes=bool(_READ_AT_IMPORT.search(source)),
        names_mlflow=bool(_MLFLOW.search(source)),
        reads_argv=b"argv" in source and any(map(_is_argv, ast.walk(tree))),
        parses_arguments=parses_arguments,
        reads_datasets=b"input_datasets" in source,
        digest=hashlib.sha256(source).hexdigest(),
        tree=tree if parses_arguments or b"input_datasets" in source else None,
    )


def _tree(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # An invalid escape is not our concern, and would be a syntax error with -W error.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Walk only statements: imports are statements, and most of a tree is expressions."""
    blocks: list[list[ast.stmt]] = [tree.body]
    while blocks:
        for statement in blocks.pop():
            yield statement
            for part_name in ("body", "orelse", "finalbody"):
                block = getattr(statement, part_name, None)
                if block:
                    blocks.append(block)
            for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                blocks.append(part.body)


def _imported_by(statement: ast.stmt) -> Iterator[Import]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            yield Import(alias.name, line=statement.lineno)
    elif isinstance(statement, ast.ImportFrom):
        names = tuple(alias.name for alias in statement.names)
        yield Import(statement.module or "", names, statement.level, statement.lineno)


def _dynamic(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if called in ("import_module", "__import__") and isinstance(name, str) and not name.startswith("."):
                yield Import(name, line=node.lineno)


def reaches_argv_by_name(call: ast.Call) -> bool:
    """Return whether that is `getattr` or `setattr` of `sys.argv`, or a patch of unittest.mock or pytest."""
    called = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    names = (argument.value for argument in call.args if isinstance(argument, ast.Constant))
    return called in ("getattr", "setattr", "patch", "object") and any(name in ("argv", "sys.argv") for name in names)


def _is_argv(node: ast.AST) -> bool:
    """Return whether that is `sys.argv`, or `argv` imported from there."""
    if isinstance(node, ast.Attribute):
        return node.attr == "argv"
    if isinstance(node, ast.Call):
        return reaches_argv_by_name(node)
    return isinstance(node, ast.ImportFrom) and any(alias.name == "argv" for alias in node.names)


def _exports(tree: ast.Module) -> tuple[str, ...]:
    names: list[str] = []
    for statement in tree.body:
        if isinstance(statement, (ast.Assign, ast.AugAssign)):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                items = getattr(statement.value, "elts", [])
                names += [item.value for item in items if isinstance(getattr(item, "value", None), str)]
    return tuple(names)
