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
    line = "the file holds more than 200,000 values, each alias counted as what it stands for"

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


def test_a_long_text_counts_as_often_as_an_alias_stands_for_it():
    text = "- &x " + "a" * 1_000_000 + "\n" + "- [*x]\n" * 21

    with pytest.raises(TreeError) as caught:
        parse_tree(text)

    message = "the file holds more than 20,000,000 characters, each alias counted as what it stands for"
    assert (caught.value.line, caught.value.message) == (22, message)
    assert parse_tree(text.removesuffix("- [*x]\n")).length == 21_000_000


@pytest.mark.parametrize("inner", [0, 1, 50, MOST_DEPTH - 2])
def test_an_alias_nests_what_it_stands_for(inner):
    anchored = "[" * inner + "a" + "]" * inner

    def nested(depth: int) -> str:
        return f"- &x {anchored}\n- {'[' * depth}*x{']' * depth}\n"

    deepest = MOST_DEPTH - 1 - inner
    assert parse_tree(nested(deepest)).height == MOST_DEPTH
    with pytest.raises(TreeError) as caught:
        parse_tree(nested(deepest + 1))
    assert (caught.value.line, caught.value.message) == (2, "nested more than 100 deep, which no pipeline needs")


def test_the_longest_key():
    key = "k" * LONGEST_KEY

    assert list(parse_tree(f"? {key}\n: 1\n").value) == [key]


def test_an_anchor_on_a_key_stands_for_its_text():
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
