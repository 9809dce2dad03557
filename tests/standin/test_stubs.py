"""The stubs of `azureml`, which editors read, hold the names that its modules provide."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from azml_tasks.standin.azml_local.names import _MODULES
from tests.imports import PACKAGE

FOLDER = PACKAGE / "standin" / "azureml"
FILES = sorted(FOLDER.rglob("*.py"))
# As a step gets it, with its inputs and outputs.
RUN = ("Run", "run.run", "_SubmittedRun")


def provided(file: Path) -> set[str]:
    """Return the names in the call of `names` in a module of the stand-in."""
    calls = (node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    return {name.value for call in calls if getattr(call.func, "id", "") == "names" for name in call.args[1].elts}


def stubbed(file: Path) -> set[tuple[str, str, str]]:
    """Return the names in a stub, each with its module of azml_local and its name there."""
    found, imported = set(), {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("azml_local."):
            module = node.module.removeprefix("azml_local.")
            imported.update((alias.name, module) for alias in node.names)
            found |= {(alias.asname, module, alias.name) for alias in node.names if alias.asname}
        elif isinstance(node, ast.Assign):
            found.add((node.targets[0].id, imported[node.value.id], node.value.id))
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(FOLDER).as_posix())
def test_a_stub_has_the_names_of_its_module_from_where_they_are_defined(file: Path):
    stub = file.with_suffix(".pyi")

    assert stubbed(stub) == {RUN if name == "Run" else (name, _MODULES[name], name) for name in provided(file)}
    # Any other name is one of the SDK.
    assert "def __getattr__(name: str) -> Any: ..." in stub.read_text(encoding="utf-8")
