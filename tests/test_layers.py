"""Imports go one way, and what is heavy is imported where it is needed."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.imports import PACKAGE, ROOT, imports, modules, name_of, parsed

# The rooms of the package by their floors, from below; a room imports itself and rooms of the floors below it.
FLOORS = (
    {"launcher", "packages", "secrets", "standin", "stub", "terminal", "text"},
    {"errors"},
    {"model"},
    {"plan"},
    {"runs", "snapshot"},
    {"reading"},
    {"lock", "schedule"},
    {"checks"},
    {"backend", "export"},
    {"azure", "local"},
    {"tasks", "wrapper"},
)
# What a room does not import although it lies below it.
STRANGERS = {("local", "export"), ("wrapper", "local")}
SDK = ("azureml", "azure", "msrest", "msrestazure", "adal")
SCRIPTS_STAY_APART = "azml_tasks/standin/"
# What runs in the process of a script, or beside it.
WITH_SCRIPTS = ("standin", "launcher")


def room_of(module: str) -> str | None:
    """Return which room of the package a dotted name is in, None for what is not in it."""
    names = module.split(".")
    return names[1] if names[0] == "azml_tasks" and len(names) > 1 else None


def floor_of(room: str) -> int:
    return next(place for place, floor in enumerate(FLOORS) if room in floor)


def rooms() -> set[str]:
    return {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in modules()} - {"__init__"}


def test_every_room_is_on_a_floor():
    assert rooms() == set().union(*FLOORS)


@pytest.mark.parametrize("file", modules(), ids=name_of)
def test_a_module_imports_its_own_room_and_those_of_lower_floors_alone(file):
    room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if room == "__init__":
        # The package's own face: it imports the wrapper classes when someone asks for them.
        assert [name for name in imports(file, functions=False, typing=False) if room_of(name)] == []
        return

    others = [(name, other) for name in imports(file) if (other := room_of(name)) not in (None, "__version__", room)]

    assert [name for name, other in others if floor_of(other) >= floor_of(room) or (room, other) in STRANGERS] == []


@pytest.mark.parametrize(("one", "other"), [("local", "azure"), ("azure", "local")])
def test_the_backends_do_not_know_each_other(one, other):
    found = {
        name_of(file): [name for name in imports(file) if room_of(name) == other] for file in modules(PACKAGE / one)
    }

    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(("one", "other"), [("v1", "v2"), ("v2", "v1")])
def test_the_backends_on_azure_do_not_know_each_other(one, other):
    prefix = f"azml_tasks.azure.{other}"
    found = {
        name_of(file): [name for name in imports(file) if f"{name}.".startswith(f"{prefix}.")]
        for file in modules(PACKAGE / "azure" / one)
    }

    assert {file: names for file, names in found.items() if names} == {}


CHOOSER = "azml_tasks/tasks/project.py"


def test_tasks_reach_a_backend_through_its_doors_alone():
    found = {
        name_of(file): [name for name in imports(file) if room_of(name) in ("local", "azure")]
        for file in modules(PACKAGE / "tasks")
        if name_of(file) != CHOOSER
    }

    assert {file: names for file, names in found.items() if names} == {}


def test_no_task_compares_its_backend_with_a_name():
    found = {
        name_of(file): [
            node.lineno
            for node in ast.walk(parsed(file))
            if isinstance(node, ast.Compare)
            and any(isinstance(one, ast.Attribute) and one.attr == "backend" for one in (node.left, *node.comparators))
        ]
        for file in modules(PACKAGE / "tasks")
    }

    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("packages", "places"),
    [
        (("azureml",), ("azml_tasks/azure/v1/",)),
        (("azure.ai", "azure.storage"), ("azml_tasks/azure/v2/",)),
        (("azure.identity",), ("azml_tasks/azure/auth.py", "azml_tasks/azure/credentials.py")),
        (SDK, ("azml_tasks/azure/",)),
    ],
)
def test_the_sdk_is_imported_in_its_places_alone(packages, places):
    prefixes = tuple(f"{package}." for package in packages)
    found = {
        name_of(file): [name for name in imports(file, typing=False) if f"{name}.".startswith(prefixes)]
        for file in modules()
        if not name_of(file).startswith((*places, SCRIPTS_STAY_APART))
    }

    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize("part", WITH_SCRIPTS)
def test_what_runs_beside_a_user_s_script_imports_nothing_of_ours(part):
    found = {
        name_of(file): [name for name in imports(file) if name.partition(".")[0] == "azml_tasks" and part not in name]
        for file in modules(PACKAGE / part)
    }

    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize("part", WITH_SCRIPTS)
def test_what_runs_beside_a_user_s_script_needs_the_standard_library_alone(part):
    own = {file.name.removesuffix(".py") for file in (PACKAGE / part).iterdir()}
    taken = sys.stdlib_module_names | own | {"azml_tasks"}
    found = {
        name_of(file): [
            name for name in imports(file, functions=False, typing=False) if name.partition(".")[0] not in taken
        ]
        for file in modules(PACKAGE / part)
    }

    assert {file: names for file, names in found.items() if names} == {}


FORMATS = "azml_tasks.standin.azml_local.formats"


def test_the_readers_of_files_are_all_that_is_shared_with_the_stand_in():
    found = {
        name_of(file): [name for name in imports(file) if room_of(name) == "standin"]
        for file in modules()
        if not name_of(file).startswith(SCRIPTS_STAY_APART)
    }
    sharing = {file: names for file, names in found.items() if names}

    assert [name for names in sharing.values() for name in names if not name.startswith(f"{FORMATS}.")] == []
    assert {file for file in sharing if not file.startswith("azml_tasks/local/")} == {
        "azml_tasks/checks/data.py",
        "azml_tasks/checks/files.py",
        "azml_tasks/checks/places.py",
        "azml_tasks/snapshot/imports.py",
    }


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
        name_of(file): [name for name in imports(file) if name.partition(".")[0] not in taken and room_of(name) is None]
        for folder in ("model", "plan")
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
    code = "import azml_tasks.reading, azml_tasks.checks, azml_tasks.plan.diagram, azml_tasks.reading.overrides"

    assert loaded_by(code, "pandas", "numpy", "jinja2", "copier", "invoke", "azureml", "jsonschema") == []


def test_the_local_backend_imports_no_data_and_no_sdk():
    assert loaded_by("import azml_tasks.local", "pandas", "numpy", "jinja2", "copier", "azureml") == []


@pytest.mark.parametrize("backend", ["azml_tasks.local.backend", "azml_tasks.azure.v1.backend"])
def test_a_project_without_a_target_on_v2_loads_nothing_of_it(backend):
    code = f"import azml_tasks.tasks.project, {backend}"

    assert loaded_by(code, "azure.ai", "azml_tasks.azure.v2", "azml_tasks.azure.v2.backend") == []


def test_making_the_backend_of_v2_imports_no_client():
    assert loaded_by("import azml_tasks.azure.v2.backend", "azure.ai", "azure.ai.ml", "requests") == []
