"""Records in .azml in which something else stands than what was written."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from invoke import Program

from azml_tasks.local.run.failure import raise_for_status
from azml_tasks.local.run.runner import run_pipeline
from azml_tasks.plan import build_plan
from azml_tasks.reading import load_project
from azml_tasks.tasks import namespace

PIPELINE = """\
backend: local
steps:
  make: {script_name: make.py, step_config: {a: 1}}
  use: {script_name: use.py}
"""
MAKE = """\
import argparse, json, os
from azureml.core import Dataset, Run
parser = argparse.ArgumentParser()
parser.add_argument("--config")
parser.add_argument("--output-folder")
args = parser.parse_args()
with open(os.path.join(args.output_folder, "a.csv"), "w") as file:
    file.write("x\\n1\\n")
run = Run.get_context()
run.log("one", 1)
run.log_list("two", [1, 2])
run.log_row("three", a=1)
run.tag("a", "b")
run.parent.log("four", 4)
os.makedirs("outputs", exist_ok=True)
with open("outputs/m.txt", "w") as file:
    file.write("m")
run.upload_file("m.txt", "outputs/m.txt")
run.register_model("m", "m.txt")
"""
USE = """\
from azureml.core import Dataset, Model, Run
run = Run.get_context()
[(model.name, model.version, model.tags) for model in Model.list(run.experiment.workspace)]
list(run.experiment.workspace.datasets.values())
run.parent.get_metrics(recursive=True)
run.parent.tags
"""
# Whatever JSON can hold, numbers that no clock or process has among it, and paths that lead elsewhere.
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from([10**400, -1, 0, "..", "../../x", "/", "\0", "running", "completed", "\ud800", {}, []]),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with two runs, the records of which hold something of everything."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in (("pipeline.yaml", PIPELINE), ("make.py", MAKE), ("use.py", USE)):
        (folder / name).write_text(text)
    for _ in range(2):
        raise_for_status(run(folder))
    shutil.copytree(folder / ".azml", folder / "whole", symlinks=True)
    return folder


def run(folder: Path):
    loaded = load_project(folder / "pipeline.yaml", variables={})
    return run_pipeline(build_plan(loaded.pipeline), folder)


def places_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value in a JSON value, the whole first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places_in(inner, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a JSON value with another one at the path."""
    if not path:
        return other
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], other)
    return changed


def swap(folder: Path, draw: st.DataObject) -> str:
    """Put any JSON value in the place of another in one of the files of records, and say where."""
    kept = folder / "whole"
    names = sorted(
        file.relative_to(kept).as_posix()
        for file in kept.rglob("*.json*")
        if "work" not in file.parts and "objects" not in file.parts and file.name != "pipeline.schema.json"
    )
    file = folder / ".azml" / draw.draw(st.sampled_from(names))
    lines = file.read_text().splitlines()
    number = draw.draw(st.integers(0, len(lines) - 1))
    value = json.loads(lines[number])
    path = draw.draw(st.sampled_from(list(places_in(value))))
    lines[number] = json.dumps(replaced(value, path, draw.draw(VALUES)))
    file.write_text("\n".join(lines) + "\n")
    return f"{file.name} {path}"


def invoke(*words: str) -> tuple[int, str]:
    """Return the exit status of a command and all that it prints; what is no sentence of ours is raised."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            Program(namespace=namespace).run(["invoke", *words], exit=True)
        except SystemExit as ending:
            return int(ending.code or 0), out.getvalue()
    return 0, out.getvalue()


@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_value_in_the_place_of_any_other_ends_in_no_traceback(project, data, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("CI", "1")
    shutil.rmtree(project / ".azml")
    shutil.copytree(project / "whole", project / ".azml", symlinks=True)
    swap(project, data)

    for words in (
        ["runs.list"],
        ["runs.show"],
        ["runs.logs"],
        ["--dry", "runs.prune", "--keep", "1"],
        ["--dry", "run"],
    ):
        invoke(*words)
    # One damaged record keeps no new run from completing, nor the others from being cleared.
    assert invoke("run")[0] == 0
    assert invoke("runs.prune", "--keep", "1")[0] == 0
    assert invoke("runs.list")[0] == 0
