"""Any bytes are a project or an error of ours that says where; never anything else."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from azml_tasks.errors import ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.plan import DatasetInput, FolderInput, Plan, TableInput
from azml_tasks.reading import Project, load_project
from azml_tasks.reading.schema import json_schema
from tests.fuzz.strategies import BROKEN_TEXTS, CHARACTERS, TREES, damaged, pipelines, written

VARIABLES = {"A": "value", "B": "", "SECRET_KEY": "hunter2"}
SCHEMA = Draft202012Validator(json_schema())


def read(folder: Path, raw: bytes, target: str | None = None) -> Project | ProjectError:
    file = folder / "pipeline.yaml"
    file.write_bytes(raw)
    try:
        return load_project(file, target, VARIABLES)
    except ProjectError as error:
        return error


def check(folder: Path, raw: bytes, target: str | None = None) -> Project | None:
    """Read the bytes, and hold what comes out to what may."""
    found = read(folder, raw, target)
    if isinstance(found, ProjectError):
        lines = str(found).split("\n")
        assert {unicodedata.category(character) for character in "".join(lines)}.isdisjoint(("Cc", "Cs", "Zl", "Zp"))
        assert all(
            problem.message and 0 <= problem.line <= raw.count(b"\n") + raw.count(b"\r") + 9
            for problem in found.problems
        )
        assert "hunter2" not in str(found)
        assert len(set(found.problems)) == len(found.problems)
        return None
    assert "hunter2" not in repr(found.pipeline)
    check_plan(found.plan)
    return found


def check_plan(plan: Plan) -> None:
    done: set[str] = set()
    written_by = {(step.key, output.argument): output for step in plan.steps for output in step.outputs}
    for step in plan.steps:
        assert done.issuperset(step.upstream)
        done.add(step.key)
        read_here = [item for item in step.inputs if isinstance(item, (FolderInput, TableInput))]
        assert all(written_by[item.output.step, item.output.argument] is item.output for item in read_here)
        assert {item.output.step for item in read_here} <= set(step.upstream)
        names = Counter(item.name for item in (*step.inputs, *step.outputs))
        assert all(name.isidentifier() for name in names)
        assert all(item in step.argv for item in (*step.inputs, *step.outputs) if item.argument)
        assert all(token in step.inputs for token in step.argv if isinstance(token, DatasetInput))
    assert done == set(plan.pipeline.steps)


@given(raw=st.binary(max_size=200))
@settings(max_examples=75)
def test_any_bytes(folder, raw):
    check(folder, raw)


@given(text=st.text(max_size=100))
@settings(max_examples=75)
def test_any_text(folder, text):
    check(folder, text.encode("utf-8", "surrogatepass"))


@given(text=BROKEN_TEXTS)
@settings(max_examples=200)
def test_pieces_of_yaml(folder, text):
    check(folder, text.encode())


@given(tree=TREES)
@settings(max_examples=75)
def test_any_tree(folder, tree):
    check(folder, written(tree).encode())


@given(tree=pipelines(), target=st.sampled_from([None, None, "dev"]))
@settings(max_examples=150)
def test_a_file_that_is_nearly_right(folder, tree, target):
    if check(folder, written(tree).encode(), target):
        # Null takes a key away in a target, and in the file stands where the schema says so.
        assert SCHEMA.is_valid(tree), next(SCHEMA.iter_errors(tree))


@given(raw=damaged())
@settings(max_examples=75)
def test_a_damaged_file(folder, raw):
    check(folder, raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(CHARACTERS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(CHARACTERS, max_size=20), inner, max_size=3),
    max_leaves=10,
)


def without_variables(tree: Any) -> Any:
    if isinstance(tree, str):
        return tree.replace("$", "$$")
    if isinstance(tree, dict):
        return {key: without_variables(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [without_variables(value) for value in tree]
    return tree


@given(config=st.dictionaries(st.text(CHARACTERS, max_size=20), JSON, max_size=3), description=st.text(CHARACTERS))
@settings(max_examples=75)
def test_what_is_written_is_read(folder, config, description):
    assume("<<" not in json.dumps(config))
    data = {"description": description, "steps": {"a": {"script_name": "a.py", "step_config": config}}}

    project = read(folder, written(without_variables(data)).encode())

    assert isinstance(project, Project), project
    assert project.pipeline == Pipeline.model_validate(data)
    assert json.loads(project.plan["a"].argv[1].text) == config
