"""Imports go one way, and what is heavy is imported where it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "azml_tasks"

# The parts of the package, by the layer that they belong to; a part imports its own layer's and those before.
LAYERS = (
    {"durations", "errors", "secrets", "standin"},
    {"model", "wiring"},
    {"conda", "reading", "snapshot", "recurrence", "runs", "stub"},
    {"checks", "diagnosis", "diagram", "export", "needs", "overrides", "preview", "schedule_checks"},
    {"local", "azure"},
    {"tasks"},
)
SDK = ("azureml", "azure", "msrest", "msrestazure", "adal")
SCRIPTS_STAY_APART = "azml_tasks/standin/"


def modules(folder: Path = PACKAGE) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.py")) if "__pycache__" not in file.parts]


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def imports(file: Path, *, functions: bool = True, typing: bool = True) -> Iterator[str]:
    """Yield the full names of what a module imports.

    Without `functions` what its functions import is left out, without `typing` what only a type checker imports.
    """
    package = ".".join(file.relative_to(ROOT).parent.parts)
    for node in _nodes(ast.parse(file.read_text(encoding="utf-8")), functions, typing):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _nodes(tree: ast.AST, functions: bool, typing: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not functions:
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not typing:
            continue
        yield node
        yield from _nodes(node, functions, typing)


def part_of(module: str) -> str | None:
    """Return which part of the package a dotted name is in, None for what is not in it."""
    names = module.split(".")
    return names[1] if names[0] == "azml_tasks" and len(names) > 1 else None


def layer_of(part: str) -> int:
    return next(place for place, layer in enumerate(LAYERS) if part in layer)


def parts() -> set[str]:
    return {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in modules()} - {"__init__"}


def test_every_part_has_a_layer():
    assert parts() - set().union(*LAYERS) == set()


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_module_imports_nothing_of_a_layer_above_it(file):
    part = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if part == "__init__":
        # The package's own face: it imports the wrapper classes when someone asks for them.
        assert [name for name in imports(file, functions=False, typing=False) if part_of(name)] == []
        return

    above = [
        name
        for name in imports(file)
        if (other := part_of(name)) and other != "__version__" and layer_of(other) > layer_of(part)
    ]

    assert above == []


@pytest.mark.parametrize(("one", "other"), [("local", "azure"), ("azure", "local")])
def test_the_backends_do_not_know_each_other(one, other):
    found = {
        name_of(file): [name for name in imports(file) if part_of(name) == other] for file in modules(PACKAGE / one)
    }

    assert {file: names for file, names in found.items() if names} == {}


def test_the_sdk_is_imported_under_azure_alone():
    found = {
        name_of(file): [name for name in imports(file, typing=False) if name.partition(".")[0] in SDK]
        for file in modules()
        if not name_of(file).startswith(("azml_tasks/azure/", SCRIPTS_STAY_APART))
    }

    assert {file: names for file, names in found.items() if names} == {}


def test_what_runs_beside_a_user_s_script_imports_nothing_of_ours():
    found = {
        name_of(file): [
            name for name in imports(file) if name.partition(".")[0] == "azml_tasks" and "standin" not in name
        ]
        for file in modules(PACKAGE / "standin")
    }

    assert {file: names for file, names in found.items() if names} == {}


def test_what_runs_beside_a_user_s_script_needs_the_standard_library_alone():
    own = {file.name.removesuffix(".py") for file in (PACKAGE / "standin").iterdir()}
    taken = sys.stdlib_module_names | own | {"azml_tasks"}
    found = {
        name_of(file): [
            name for name in imports(file, functions=False, typing=False) if name.partition(".")[0] not in taken
        ]
        for file in modules(PACKAGE / "standin")
    }

    assert {file: names for file, names in found.items() if names} == {}


FORMATS = "azml_tasks.standin.azml_local.formats"


def test_the_readers_of_files_are_all_that_is_shared_with_the_stand_in():
    found = {
        name_of(file): [name for name in imports(file) if part_of(name) == "standin"]
        for file in modules()
        if not name_of(file).startswith(SCRIPTS_STAY_APART)
    }
    sharing = {file: names for file, names in found.items() if names}

    # What a recorded answer depends on is asked as the step asked it.
    reuse = [sharing.pop(f"azml_tasks/local/reuse/{name}.py", []) for name in ("answers", "recorded")]
    assert {name.split(".")[3] for names in reuse for name in names} <= {"secrets", "session"}
    assert [name for names in sharing.values() for name in names if not name.startswith(f"{FORMATS}.")] == []
    assert {file for file in sharing if not file.startswith("azml_tasks/local/")} == {"azml_tasks/checks/data.py"}


def test_the_readers_of_files_are_given_paths_and_import_themselves_alone():
    found = {
        name_of(file): [
            name
            for name in imports(file)
            if not name.startswith(FORMATS) and name.partition(".")[0] not in sys.stdlib_module_names
        ]
        for file in modules(PACKAGE / "standin/azml_local/formats")
    }

    assert {file: names for file, names in found.items() if names} == {}


def test_the_model_and_the_wiring_need_pydantic_and_the_standard_library_alone():
    taken = sys.stdlib_module_names | {"pydantic", "tzlocal"}
    found = {
        name_of(file): [name for name in imports(file) if name.partition(".")[0] not in taken and part_of(name) is None]
        for folder in ("model", "wiring")
        for file in modules(PACKAGE / folder)
    }

    assert {file: names for file, names in found.items() if names} == {}


def loaded_by(code: str, *packages: str) -> list[str]:
    """Return which of the packages a fresh interpreter has loaded after the code."""
    report = f"import json, sys\n{code}\nprint(json.dumps([name for name in {packages!r} if name in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", report], cwd=ROOT, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


HEAVY = (
    "pydantic",
    "yaml",
    "pandas",
    "numpy",
    "jinja2",
    "copier",
    "dotenv",
    "azureml",
    "azml_tasks.model",
    "azml_tasks.reading",
)


@pytest.mark.parametrize(
    "code", ["import azml_tasks", "import azml_tasks.tasks", "from azml_tasks.tasks import namespace"]
)
def test_listing_tasks_imports_nothing_heavy(code):
    # Invoke imports PyYAML by itself.
    assert loaded_by(code, *HEAVY) == loaded_by("import invoke" if ".tasks" in code else "", *HEAVY)


def test_reading_a_pipeline_imports_no_data_and_no_sdk():
    code = "import azml_tasks.reading, azml_tasks.checks, azml_tasks.diagram, azml_tasks.overrides"

    assert loaded_by(code, "pandas", "numpy", "jinja2", "copier", "invoke", "azureml", "jsonschema") == []


def test_the_local_backend_imports_no_data_and_no_sdk():
    assert loaded_by("import azml_tasks.local", "pandas", "numpy", "jinja2", "copier", "azureml") == []
