"""Find the imports of Python files in their syntax trees, without running them, and store what was found."""

from __future__ import annotations

import ast
import contextlib
import hashlib
import json
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.secrets import redact
from azml_tasks.snapshot.files import leads_out
from azml_tasks.standin.azml_local.formats.records import read_json, write_json

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


# What an import can be in.
IN_FUNCTION, IN_TRY, IN_SUPPRESS, UNDER_CONDITION = "in a function", "in a `try`", "in `suppress`", "under a condition"
FOR_TYPES, BY_TEXT = "for type checking alone", "by its name in a text"


@dataclass(frozen=True)
class Import:
    """One import: `from ..module import name` has level 2; `names` is empty for a plain `import module`.

    `guard` is what it is in, empty if it always runs when the file is imported. `line` is where it is, the first one
    if the file repeats it.
    """

    module: str
    names: tuple[str, ...] = ()
    level: int = 0
    guard: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class SourceFile:
    """The imports of one file, or why it cannot be parsed; `line` counts from 1, 0 is the file as a whole.

    `exports` holds the names in a literal `__all__`, which `from package import *` imports. `tunes` is whether it
    contains a variable that libraries read at import, and so may set it before, `names_mlflow` whether it contains the
    name of MLflow (in an import, or in a text such as `report_to="mlflow"`), `reads_argv` whether it reads
    `sys.argv`, `parses_arguments` whether it names a parser of arguments, `reads_datasets` whether it names the
    datasets of the run, and `yields` whether it may have a generator. `digest` is the SHA-256 of its content.
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
    yields: bool = False
    digest: str = field(default="", compare=False)


_FLAGS = tuple(field.name for field in fields(SourceFile) if field.default is False)


class KnownRows:
    """Rows of JSON that were found earlier, by their keys, in a file of the project's `.azml`, which may be deleted.

    Rows that other code has found, as `code` says, and damaged ones count as none.
    """

    def __init__(self, project: str, file: str, code: str) -> None:
        self._project = project
        self._file = os.path.join(project, ".azml", file)
        self._code = code
        stored = {}
        with contextlib.suppress(OSError):
            stored = read_json(self._file) or {}
        rows = stored.get("rows")
        self._rows: dict[str, Any] = rows if rows and stored.get("digest") == self._digest(rows) else {}

    def get(self, key: str) -> Any:
        """Return the row of a key; None if it is not known."""
        return self._rows.get(key)

    def save(self, found: Mapping[str, Any], *, complete: bool) -> None:
        """Write what was found; the other rows stay, unless this is `complete`.

        What has the form of a secret is not stored. A folder that cannot be written is left as it is.
        """
        kept = {key: row for key, row in found.items() if key in self._rows or not _may_be_secret(row)}
        if not complete:
            kept = {**self._rows, **kept}
        if kept == self._rows or leads_out(self._file, self._project):
            return
        with contextlib.suppress(OSError):
            write_json(Path(self._file), {"rows": kept, "digest": self._digest(kept)})

    def _digest(self, rows: Mapping[str, Any]) -> str:
        """Return what is another text for damaged rows, and for those of other code."""
        return hashlib.sha256(json.dumps([self._code, rows]).encode()).hexdigest()


def _may_be_secret(row: list[Any]) -> bool:
    text = "\n".join(_texts(row))
    return redact(text) != text


def _texts(row: list[Any]) -> Iterator[str]:
    for item in row:
        if isinstance(item, list):
            yield from _texts(item)
        elif isinstance(item, str):
            yield item


def code_version(*folders: Path) -> str:
    """Return what is another text for other code in the folders, another release, and another Python."""
    total = hashlib.sha256(sys.version.encode())
    named = (file for folder in folders for file in sorted(folder.iterdir()) if file.suffix in (".py", ".json"))
    for file in (Path(__file__).parents[1] / "__init__.py", *named):  # the first names the release
        total.update(file.read_bytes())
    return total.hexdigest()


def _row(source: SourceFile) -> list[Any]:
    """Return what was found in a file, as JSON has it."""
    imports = [[item.module, list(item.names), item.level, item.guard, item.line] for item in source.imports]
    return [imports, list(source.exports), [getattr(source, name) for name in _FLAGS]]


class SourceFiles:
    """Parsed files, each read again only when its size, time or inode has changed; equal ones are parsed once.

    What was found earlier in files of the `project`, and stored in it, is not looked for again: such a file is parsed
    only if its tree is needed. `hash_file` returns the digest of a file's content, empty if it has to be read for it.
    """

    def __init__(self, project: str | None = None, hash_file: Callable[[str], str] = lambda path: "") -> None:
        self._project = project
        self._hash_file = hash_file
        self._read: dict[str, tuple[tuple[int, ...], SourceFile]] = {}
        self._by_digest: dict[str, SourceFile] = {}
        self._paths: dict[str, set[str]] = {}
        self._trees: dict[str, ast.Module | None] = {}

    def tree(self, path: str) -> ast.Module | None:
        """Return the file's syntax tree, None for what is not Python.

        Raises OSError.
        """
        digest = self.read(path).digest
        if digest not in self._trees:
            with open(path, "rb") as file:
                source = file.read()
            try:
                self._trees[digest] = _tree(source)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._trees[digest] = None
        return self._trees[digest]

    def forget_tree(self, path: str) -> None:
        """Free the tree of a file that is not needed again, unless another file has the same content."""
        if path in self._read and len(self._paths[digest := self._read[path][1].digest]) == 1:
            self._trees.pop(digest, None)

    def read(self, path: str) -> SourceFile:
        """Return what the file imports.

        Raises OSError.
        """
        status = os.stat(path)
        signature = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        known = self._read.get(path)
        if known is None or known[0] != signature:
            found = self._found(self._hash_file(path))
            if found is None:
                with open(path, "rb") as file:
                    source = file.read()
                digest = hashlib.sha256(source).hexdigest()
                found = self._found(digest) or self._parsed(source, digest)
                self._by_digest[digest] = found
            self._paths.setdefault(found.digest, set()).add(path)
            known = self._read[path] = (signature, found)
        return known[1]

    def _found(self, digest: str) -> SourceFile | None:
        row = self._stored.get(digest) if self._stored and digest not in self._by_digest else None
        if row:
            imports, exports, flags = row
            found = (Import(module, tuple(names), *rest) for module, names, *rest in imports)
            known = dict(zip(_FLAGS, flags, strict=True))
            self._by_digest[digest] = SourceFile(tuple(found), tuple(exports), digest=digest, **known)
        return self._by_digest.get(digest)

    def store(self, *, complete: bool) -> None:
        """Store what was found in files without errors; see `KnownRows.save`."""
        if self._stored:
            found = {digest: _row(source) for digest, source in self._by_digest.items() if source.error is None}
            self._stored.save(found, complete=complete)

    @cached_property
    def _stored(self) -> KnownRows | None:
        if self._project is None:
            return None
        return KnownRows(self._project, "sources.json", code_version(Path(__file__).parent))

    def _parsed(self, source: bytes, digest: str) -> SourceFile:
        found, tree = parse(source, digest)
        if found.parses_arguments or found.reads_datasets:
            self._trees[digest] = tree
        return found


def parse(source: bytes, digest: str = "") -> tuple[SourceFile, ast.Module | None]:
    """Find all imports of the source, at any level, including a literal `import_module("name")`.

    Returns the syntax tree, too, None for what is not Python.
    """
    try:
        tree = _tree(source)
    except SyntaxError as error:
        return SourceFile(error=error.msg or "invalid syntax", line=error.lineno or 0, digest=digest), None
    except (ValueError, RecursionError, MemoryError) as error:
        # Null bytes are a ValueError before Python 3.12; the parser's own stack overflow is a MemoryError.
        reason = str(error) if isinstance(error, ValueError) else _TOO_DEEP
        return SourceFile(error=reason, digest=digest), None
    found = _imports(tree, b"TYPE_CHECKING" in source)
    if b"import_module" in source or b"__import__" in source:
        found += _dynamic(tree)
    parses_arguments = any(item.module == "argparse" for item in found) or bool(_PARSER.search(source))
    read = SourceFile(
        tuple(dict.fromkeys(found)),
        _exports(tree),
        tunes=bool(_READ_AT_IMPORT.search(source)),
        names_mlflow=bool(_MLFLOW.search(source)),
        reads_argv=b"argv" in source and any(map(_is_argv, ast.walk(tree))),
        parses_arguments=parses_arguments,
        reads_datasets=b"input_datasets" in source,
        yields=b"yield" in source,
        digest=digest,
    )
    return read, tree


def _tree(source: bytes) -> ast.Module:
    with warnings.catch_warnings():
        # An invalid escape is not our concern, and would be a syntax error with -W error.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _imports(tree: ast.Module, may_be_for_types: bool) -> list[Import]:
    """Return the imports of all statements: they are statements themselves, and most of a tree is expressions."""
    found: list[Import] = []
    waiting: list[tuple[list[ast.stmt], str]] = [(tree.body, "")]
    for statements, guard in waiting:
        for statement in statements:
            kind = statement.__class__
            if kind in _WITHOUT_STATEMENTS:
                continue
            if isinstance(statement, ast.Import):
                found += [Import(alias.name, guard=guard, line=statement.lineno) for alias in statement.names]
            elif isinstance(statement, ast.ImportFrom):
                names = tuple(alias.name for alias in statement.names)
                found.append(Import(statement.module or "", names, statement.level, guard, statement.lineno))
            else:
                inner = guard or _guard_of(statement, may_be_for_types)
                for name in ("body", "orelse", "finalbody"):
                    if block := getattr(statement, name, None):
                        waiting.append((block, inner))
                parts = (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))
                waiting += [(part.body, inner) for part in parts]
    return sorted(found, key=lambda item: item.line)


_WITHOUT_STATEMENTS = frozenset((ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.Raise, ast.Assert))
_GUARDS: dict[type, str] = {
    **dict.fromkeys((ast.FunctionDef, ast.AsyncFunctionDef), IN_FUNCTION),
    **dict.fromkeys((ast.If, ast.While, ast.For, ast.AsyncFor, ast.Match), UNDER_CONDITION),
    **dict.fromkeys((ast.Try, getattr(ast, "TryStar", ast.Try)), IN_TRY),
}


def _guard_of(statement: ast.stmt, may_be_for_types: bool) -> str:
    """Return what the statements inside this one are in; empty if they always run."""
    if may_be_for_types and isinstance(statement, ast.If) and _names(statement.test, "TYPE_CHECKING"):
        return FOR_TYPES
    if isinstance(statement, (ast.With, ast.AsyncWith)):
        return IN_SUPPRESS if any(_names(item.context_expr, "suppress") for item in statement.items) else ""
    return _GUARDS.get(statement.__class__, "")


def _names(expression: ast.expr, name: str) -> bool:
    return any(name in (getattr(node, "id", ""), getattr(node, "attr", "")) for node in ast.walk(expression))


def _dynamic(tree: ast.Module) -> Iterator[Import]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            if called in ("import_module", "__import__") and isinstance(name, str) and not name.startswith("."):
                yield Import(name, guard=BY_TEXT, line=node.lineno)


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
