"""What holds for the parts of the reader whatever they are given."""

from __future__ import annotations

import json
import keyword
import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from azml_tasks.errors import ProjectError
from azml_tasks.model.names import DatasetName, StepKey, identifier, input_name_problem
from azml_tasks.plan.build import StepCycleError, in_order
from azml_tasks.reading.edit import add_step, scalar
from azml_tasks.reading.project import merge
from azml_tasks.reading.syntax import plain_scalar
from azml_tasks.reading.tree import MOST_NODES, Node, TreeError, parse_tree
from azml_tasks.reading.values import VariableError, resolve
from azml_tasks.stub import dataset_name_problem, step_name_problem
from azml_tasks.text import closest
from tests.fuzz.strategies import BROKEN_TEXTS, CHARACTERS, NAMES, TEXTS, TREES, written

VARIABLE_TEXTS = st.lists(
    st.sampled_from(["$", "$$", "${", "}", "A", "B", ":-", "{", " ", "x", "${A}", "${B:-", "\n"]), max_size=12
).map("".join)


def plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [plain(value) for value in node.value]
    return node.value


@given(text=st.text(CHARACTERS) | VARIABLE_TEXTS)
@settings(max_examples=100)
def test_two_dollars_are_one(text):
    assert resolve(text.replace("$", "$$"), {"A": "x"}).text == text


@given(text=VARIABLE_TEXTS)
@settings(max_examples=150)
def test_variables_are_resolved_or_refused(text):
    try:
        resolved = resolve(text, {"A": "one"})
    except VariableError:
        return

    assert set(resolved.missing) <= set(resolved.used)
    assert ("${A}" in resolved.text) <= ("$${A}" in text or "$$$" in text)


@given(text=st.text(max_size=12) | st.from_regex(r"[-+.0-9eExXoabcfINnulrtF~]{0,8}", fullmatch=True))
@settings(max_examples=200)
def test_a_scalar_is_its_text_or_what_it_writes_as(text):
    found = plain_scalar(text)

    if isinstance(found, str):
        assert found == text
    elif found is not None and not isinstance(found, bool):
        again = plain_scalar(json.dumps(found).replace("NaN", ".nan").replace("Infinity", ".inf"))
        assert again == found or found != found  # noqa: PLR0124  (not a number)


@given(text=st.text(CHARACTERS))
@settings(max_examples=100)
def test_a_text_written_as_a_scalar_is_read_as_itself(text):
    value = parse_tree(f"{{{scalar('key')}: {scalar(text)}}}").value["key"].value

    assert resolve(value, {}).text == text


@given(base=st.dictionaries(NAMES, TREES, max_size=4), over=st.dictionaries(NAMES, TREES, max_size=4))
@settings(max_examples=75)
def test_merging_trees(base, over):
    one, other = (Node(_node(tree).value, 1, dict.fromkeys(tree, 1)) for tree in (base, over))

    merged = merge(one, other)

    assert plain(merge(one, Node({}, 1))) == base
    assert plain(merge(merged, other)) == plain(merged)
    assert all(
        plain(merged)[key] == value for key, value in over.items() if not isinstance(value, dict) and value is not None
    )
    assert all(key not in plain(merged) for key, value in over.items() if value is None)
    assert all(plain(merged)[key] == value for key, value in base.items() if key not in over)
    assert all(merged.value[key] is one.value[key] for key in base if key not in over)


def _node(tree: Any) -> Node:
    if isinstance(tree, dict):
        return Node({key: _node(value) for key, value in tree.items()}, 1, dict.fromkeys(tree, 1))
    if isinstance(tree, list):
        return Node([_node(value) for value in tree], 1)
    return Node(tree, 1)


@given(edges=st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=14))
@settings(max_examples=150)
def test_the_order_follows_what_each_needs_and_is_the_file_s_otherwise(edges):
    keys = [f"s{number}" for number in range(8)]
    upstream: dict[str, list[str]] = {key: [] for key in keys}
    for before, after in edges:
        upstream[keys[after]].append(keys[before])
    try:
        order = in_order(upstream)
    except StepCycleError as cycle:
        _check_cycle(cycle.keys, upstream)
        return

    assert sorted(order) == keys
    done: set[str] = set()
    for key in order:
        ready = [other for other in keys if other not in done and done.issuperset(upstream[other])]
        assert key == ready[0]
        done.add(key)


def _check_cycle(keys: list[str], upstream: dict[str, list[str]]) -> None:
    assert keys[0] == keys[-1] == min(keys)
    assert all(before in upstream[after] for before, after in pairwise(keys))


@given(parts=st.lists(st.text(max_size=8), min_size=1, max_size=3))
@settings(max_examples=150)
def test_an_identifier_is_one(parts):
    name = identifier(*parts)

    assert re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)
    assert identifier(name) in (name, name.strip("_") or "_", name.lstrip("_"))


@given(name=st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True) | TEXTS | st.sampled_from(keyword.kwlist))
@settings(max_examples=75)
def test_a_name_that_the_template_takes_is_one_everywhere(name):
    if step_name_problem(name) == "":
        assert TypeAdapter(StepKey).validate_python(name) == name
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert identifier(name).isidentifier()
        assert plain(parse_tree(f"{scalar(name)}: 1")) == {name: 1}
    if dataset_name_problem(name) == "":
        assert TypeAdapter(DatasetName).validate_python(name) == name
        assert input_name_problem(name) is None


LINES = st.sampled_from(["", "  # a comment", "# another", "    # an inner one", "      ", "   "])
STEP_LINES = st.sampled_from(
    [
        ["  {key}: {{script_name: a.py}}"],
        ["  {key}:", "    script_name: a.py"],
        ["  {key}: # comment", "    # comment", "    script_name: a.py   # comment", "    run_after: []"],
        ["  {key}:", "    script_name: a.py", "    step_config:", "      x: |", "        text", "", "        # text"],
        ["  {key}: {{script_name: a.py,", "    step_name: x}}"],
        ["  '{key}':", "      script_name: >", "        a", "        b"],
    ]
)


@given(
    steps=st.lists(st.tuples(STEP_LINES, st.lists(LINES, max_size=3)), min_size=1, max_size=4),
    after=st.none() | st.integers(0, 3),
    ending=st.sampled_from(["\n", "\r\n"]),
    tail=st.sampled_from([["tags: {}"], [""], ["tags: {}", ""], ["# the end"], ["...", ""]]),
)
@settings(max_examples=150)
def test_adding_a_step_keeps_every_byte(steps, after, ending, tail):
    lines = ["# top", "backend: local", "steps:"]
    for number, (step, between) in enumerate(steps):
        lines += [line.format(key=f"s{number}") for line in step] + between
    text = ending.join(lines + tail)
    behind = None if after is None else f"s{after % len(steps)}"
    before = plain(parse_tree(text))

    edited = add_step(text, "new", ["script_name: new.py", "allow_reuse: true"], behind)

    keys = list(before["steps"])
    keys.insert(keys.index(behind or keys[-1]) + 1, "new")
    found = plain(parse_tree(edited))
    assert list(found["steps"]) == keys
    assert found["steps"].pop("new") == {"script_name": "new.py", "allow_reuse": True}
    assert found == before
    new = re.findall(r"  new:\r?\n +script_name: new.py\r?\n +allow_reuse: true\r?\n", edited)
    assert len(new) == 1
    assert edited.replace(new[0], "", 1) in (text, text + ending)


@given(text=BROKEN_TEXTS)
@settings(max_examples=100)
def test_adding_a_step_to_anything(text):
    try:
        edited = add_step(text, "new", ["script_name: new.py"])
    except ProjectError:
        return
    assert "new" in plain(parse_tree(edited))["steps"]


@given(text=BROKEN_TEXTS | TREES.map(written))
@settings(max_examples=100)
def test_a_tree_counts_what_it_holds(text):
    try:
        root = parse_tree(text)
    except TreeError:
        return

    def size(node: Node) -> int:
        inner = (
            node.value.values() if isinstance(node.value, dict) else node.value if isinstance(node.value, list) else ()
        )
        return 1 + sum(map(size, inner))

    assert root.size <= MOST_NODES
    assert "<<" in text or root.size == size(root)


@given(name=st.text(max_size=300), known=st.lists(st.text(max_size=12), max_size=5))
@settings(max_examples=50)
def test_what_was_meant_is_known(name, known):
    assert closest(name, known) in (None, *known)


@pytest.mark.parametrize("count", [2_000])
def test_thousands_of_wrong_references_are_no_harder_than_twenty(count):
    # Counted, not timed: comparing names is what would take minutes here.
    from azml_tasks.model import Pipeline
    from azml_tasks.plan import WiringError, build_plan

    steps = {
        f"step_{number:05}": {"script_name": "a.py", "run_after": [f"stpe_{number:05}"]} for number in range(count)
    }
    with pytest.raises(WiringError) as caught:
        build_plan(Pipeline.model_validate({"steps": steps}))

    suggested = [finding for finding in caught.value.findings if "did you mean" in finding.message]
    assert (len(caught.value.findings), len(suggested)) == (count, 20)
