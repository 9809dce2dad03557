"""The Python files of a snapshot, by the names that the script imports them by."""

from __future__ import annotations

import ast
import os
from pathlib import Path

from azml_tasks.checks.contract.values import Module
from azml_tasks.snapshot import Snapshot
from azml_tasks.snapshot.imports import SourceFiles


class Sources:
    """The Python files of one snapshot, parsed already when the snapshot was made."""

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
        """Say whether the file names `sys.argv`."""
        return bool(place) and self._files.read(str(self._snapshot.files[place])).reads_argv

    def shown(self, place: str) -> str:
        """Return the path of a file as messages give it: relative to the project."""
        return os.path.relpath(self._snapshot.files[place], self._project).replace(os.sep, "/")

    @property
    def parse_arguments(self) -> bool:
        """Whether one of the Python files names a parser of arguments."""
        python = (str(path) for place, path in self._snapshot.files.items() if place.endswith(".py"))
        return any(self._files.read(path).parses_arguments for path in python)
