"""The stand-in needs nothing but the standard library: a step may run in another virtual environment."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standin.step import STAND_IN

FILES = sorted(STAND_IN.rglob("*.py"))
# Imported in functions, when a script asks for a frame, or in a job of Azure ML v2 for a secret.
LATER = {"azure", "mltable", "numpy", "pandas", "pyarrow", "pyspark"}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield str(node.module).partition(".")[0]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(STAND_IN)))
def test_a_module_imports_the_standard_library_and_itself(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    own = set() if file.is_relative_to(STAND_IN / "azml_local") else {"azml_local"}
    at_once = {name for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom)) for name in imported(node)}

    assert at_once <= sys.stdlib_module_names | own
    assert set(imported(tree)) <= sys.stdlib_module_names | own | LATER
