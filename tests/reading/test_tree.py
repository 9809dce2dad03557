"""The tree that a text makes: values, lines, how much it holds, and the most that it may."""

from __future__ import annotations

import pytest

from azml_tasks.reading.tree import LONGEST_KEY, MOST_DEPTH, MOST_NODES, TreeError, parse_tree


@pytest.mark.parametrize(
    ("text", "size", "height"),
    [
        ("a", 1, 0),
        ("[]", 1, 0),
        ("{}", 1, 0),
        ("[a]", 2, 1),
        ("[a, b]", 3, 1),
        ("[[a], b]", 4, 2),
        ("[a, [b]]", 4, 2),
        ("{a: b}", 2, 1),
        ("{a: {b: c}, d: e}", 4, 2),
        ("[&x [a, [b]], *x, c]", 10, 3),
        ("{a: &x {b: c}, d: {<<: *x, e: f}}", 7, 3),
    ],
)
def test_how_much_it_holds(text, size, height):
    root = parse_tree(text)

    assert (root.size, root.height) == (size, height)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("[" + "a," * (MOST_NODES - 1) + "]", "a"),
        ("[" + "a," * (MOST_NODES - 1) + "]", "[]"),
        ("{" + "".join(f"a{n}: b," for n in range(99_999)) + "}", "z: {}"),
    ],
)
def test_as_many_values_as_there_may_be_and_one_more(text, more):
    line = "the file contains more than 200,000 values, with each alias expanded"

    root = parse_tree(text)

    assert root.size in (MOST_NODES, 100_000)
    with pytest.raises(TreeError) as caught:
        parse_tree(text[:-1] + more + text[-1])
    assert (caught.value.line, caught.value.message, str(caught.value)) == (1, line, line)


def test_an_alias_counts_as_often_as_it_is_used():
    text = "- &x [" + "a," * 999 + "]\n" + "- *x\n" * 199

    with pytest.raises(TreeError) as caught:
        parse_tree(text)

    assert caught.value.line == 200
    assert parse_tree(text.removesuffix("- *x\n")).size == 199_001


def test_a_long_text_counts_as_often_as_an_alias_represents_it():
    text = "- &x " + "a" * 1_000_000 + "\n" + "- [*x]\n" * 21

    with pytest.raises(TreeError) as caught:
        parse_tree(text)

    message = "the file contains more than 20,000,000 characters, with each alias expanded"
    assert (caught.value.line, caught.value.message) == (22, message)
    assert parse_tree(text.removesuffix("- [*x]\n")).length == 21_000_000


@pytest.mark.parametrize("inner", [0, 1, 50, MOST_DEPTH - 2])
def test_an_alias_nests_what_it_represents(inner):
    anchored = "[" * inner + "a" + "]" * inner

    def nested(depth: int) -> str:
        return f"- &x {anchored}\n- {'[' * depth}*x{']' * depth}\n"

    deepest = MOST_DEPTH - 1 - inner
    assert parse_tree(nested(deepest)).height == MOST_DEPTH
    with pytest.raises(TreeError) as caught:
        parse_tree(nested(deepest + 1))
    assert (caught.value.line, caught.value.message) == (2, "nested more than 100 levels deep")


def test_the_longest_key():
    key = "k" * LONGEST_KEY

    assert list(parse_tree(f"? {key}\n: 1\n").value) == [key]


def test_an_anchor_on_a_key_represents_its_text():
    root = parse_tree("&x a: b\nc: *x\n? &y 'd'\n: *y\n")

    assert {key: node.value for key, node in root.value.items()} == {"a": "b", "c": "a", "d": "d"}


@pytest.mark.parametrize("text", ["! {a: ! [! b, ! '1']}", "!!map {a: !!seq [!!str b, !!str 1]}"])
def test_the_usual_tags_may_stand(text):
    inner = parse_tree(text).value["a"].value

    assert [node.value for node in inner] == ["b", "1"]


def test_lines():
    root = parse_tree("# first\na:\n  - b\n\n  - 'c\n    d'\ne: {f: 1,\n  g: 2}\n")

    assert (root.line, root.key_lines) == (2, {"a": 2, "e": 7})
    assert [node.line for node in root.value["a"].value] == [3, 5]
    assert root.value["e"].key_lines == {"f": 7, "g": 8}


@pytest.mark.parametrize(
    "text", ["{trees:50}", "a: {b: {trees:50}}", "{a: 1, trees:50}", "[{trees:50 }]", "{trees:50,}"]
)
def test_a_colon_without_a_space(text):
    with pytest.raises(TreeError) as refused:
        parse_tree(text)

    assert str(refused.value) == "'trees:50': a space is missing after the colon: write trees: 50"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{a:}", "'a:': a space and a value are missing after the colon: write a: VALUE"),
        ("{b: 1, a:, c: 2}", "'a:': a space and a value are missing after the colon: write a: VALUE"),
        (
            "{layers:[64, [32], 16]}",
            "'layers:[64, [32], 16]': a space is missing after the colon: write layers: [64, [32], 16]",
        ),
        ("x: {b: 1, a:{b: 1}}", "'a:{b: 1}': a space is missing after the colon: write a: {b: 1}"),
        ("{a:[1,\n2]}", "'a:[1,': a space is missing after the colon: write a: [1,"),
        ("{a:${X}}", "'a:${X}': a space is missing after the colon: write a: \"${X}\""),
        (
            "{a:${{ parameters.x }}}",
            "'a:${{ parameters.x }}': a space is missing after the colon: write a: \"${{ parameters.x }}\"",
        ),
    ],
)
def test_a_colon_without_a_space_before_a_bracket_or_nothing(text, message):
    with pytest.raises(TreeError) as refused:
        parse_tree(text)

    assert str(refused.value) == message


@pytest.mark.parametrize(
    "text", ["{a}", "{a: }", "{'a:1'}", "{a:1: 2}", "{a:1: }", '{"a":1}', "[a:1]", "a:1:", "{a::b}"]
)
def test_a_colon_that_is_meant(text):
    parse_tree(text)
