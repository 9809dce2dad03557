"""Which pipeline.yaml a task is about: the one beside the tasks.py that Invoke loaded."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import pytest
from invoke import Program

from tests.tasks.conftest import Invoke

TASKS = "from azml_tasks.tasks import namespace\n"


@pytest.fixture(autouse=True)
def _imports_undone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what Invoke imports, and from where."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    known = dict(sys.modules)
    yield
    for name in ("tasks", "build"):
        sys.modules.pop(name, None)
        sys.modules.update({name: known[name]} if name in known else {})


def graph(invoke: Invoke, *words: str) -> str:
    """Return what `invoke WORDS graph` prints, with the tasks.py that Invoke finds by itself."""
    with contextlib.suppress(SystemExit):
        Program().run(["invoke", *words, "graph"], exit=True)
    shown = invoke.capture.readouterr()
    return shown.out + shown.err


@pytest.fixture
def projects(invoke: Invoke) -> Invoke:
    """Two projects, alpha and beta, beside each other; each has a step of its name."""
    for name in ("alpha", "beta"):
        invoke.write(f"{name}/pipeline.yaml", f"steps: {{{name}: {{script_name: a.py}}}}\n")
        invoke.write(f"{name}/tasks.py", TASKS)
    return invoke


def test_from_the_folder_above(projects: Invoke):
    assert graph(projects, "-r", "alpha") == "alpha\n"
    assert graph(projects, "-r", str(projects.folder / "beta")) == "beta\n"


def test_from_another_project(projects: Invoke, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(projects.folder / "beta")

    assert graph(projects, "-r", "../alpha") == "alpha\n"
    assert graph(projects) == "beta\n"


def test_another_collection_and_a_package_of_tasks(projects: Invoke):
    projects.write("gamma/pipeline.yaml", "steps: {gamma: {script_name: a.py}}\n")
    projects.write("gamma/build.py", TASKS)
    projects.write("delta/pipeline.yaml", "steps: {delta: {script_name: a.py}}\n")
    projects.write("delta/tasks/__init__.py", TASKS)

    assert graph(projects, "-r", "gamma", "-c", "build") == "gamma\n"
    assert graph(projects, "-r", "delta") == "delta\n"


def test_one_tasks_file_for_the_projects_below_it(invoke: Invoke, monkeypatch: pytest.MonkeyPatch):
    invoke.write("tasks.py", TASKS)
    invoke.write("alpha/pipeline.yaml", "steps: {alpha: {script_name: a.py}}\n")
    (invoke.folder / "alpha/deep").mkdir()
    monkeypatch.chdir(invoke.folder / "alpha/deep")

    assert graph(invoke) == "alpha\n"


def test_a_pipeline_above_the_folder_of_the_tasks(invoke: Invoke, monkeypatch: pytest.MonkeyPatch):
    invoke.write("alpha/pipeline.yaml", "steps: {alpha: {script_name: a.py}}\n")
    invoke.write("alpha/ops/tasks.py", TASKS)

    assert graph(invoke, "-r", "alpha/ops") == "alpha\n"


def test_a_folder_without_a_project_is_reported(invoke: Invoke):
    invoke.write("alpha/tasks.py", TASKS)
    folder = invoke.folder

    assert graph(invoke, "-r", "alpha") == (
        f"pipeline.yaml: not found in {folder / 'alpha'}, {folder} or its parent folders; create a project with "
        "`copier copy`\n"
    )


def test_runs_and_variables_are_those_of_the_project(projects: Invoke):
    text = 'backend: local\nsteps: {alpha: {script_name: a.py, arguments: ["${WORD}"]}}\n'
    projects.write("alpha/pipeline.yaml", text)
    projects.write("alpha/a.py", "import sys; print(sys.argv[1])")
    projects.write("alpha/.env", "WORD=of-alpha\n")
    projects.write(".env", "WORD=of-the-folder-above\n")

    Program().run(["invoke", "-r", "alpha", "run"], exit=True)

    (log,) = (projects.folder / "alpha/.azml/runs").glob("*/steps/alpha/log.txt")
    assert log.read_text() == "of-alpha\n"
    assert not (projects.folder / ".azml").exists()
