from __future__ import annotations

import pytest

from azml_tasks.errors import (
    AzmlError,
    LoginError,
    NotInstalledError,
    Problem,
    ProjectError,
    RunError,
    ServiceError,
    UsageError,
)
from azml_tasks.text import closest, did_you_mean, listed, printable, shortened, what_there_is


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("pipeline.yaml", 12, "wrong"), "pipeline.yaml:12: wrong"),
        (Problem("pipeline.yaml", 0, "is empty"), "pipeline.yaml: is empty"),
        (
            Problem("a\nb.py", 1, "a\r\n\t\x1b[1m\x7f\x9b\u2028\u202e\u2066\ud800é✓"),
            r"a\nb.py:1: a\r\n\t\x1b[1m\x7f\x9b\u2028\u202e\u2066\ud800é✓",
        ),
    ],
)
def test_a_problem_is_one_line(problem, text):
    assert str(problem) == text


def test_a_text_of_several_lines_does_not_act_on_the_terminal():
    assert (
        printable("a\tb\r\n\x1b[1;31mred\x1b[0m\n\x1b]0;title\x07\x1b[2Jé\r")
        == "a\tb\nred\n\\x1b]0;title\\x07\\x1b[2Jé\\r"
    )


def test_a_long_message_is_cut():
    assert str(Problem("f", 1, "x" * 1_000)) == f"f:1: {'x' * 1_000}"
    assert str(Problem("f", 1, "x" * 1_001)) == f"f:1: {'x' * 997}..."


@pytest.mark.parametrize(("text", "most", "shown"), [("abcdef", 6, "abcdef"), ("abcdefg", 6, "abc..."), ("", 6, "")])
def test_a_text_that_is_shortened(text, most, shown):
    assert shortened(text, most) == shown


def test_problems_stand_in_the_order_of_their_places():
    problems = [Problem("b", 1, "x"), Problem("a", 10, "x"), Problem("a", 2, "z"), Problem("a", 2, "y")]

    error = ProjectError(problems)

    assert str(error) == "a:2: y\na:2: z\na:10: x\nb:1: x"
    assert error.problems == (problems[3], problems[2], problems[1], problems[0])


@pytest.mark.parametrize(
    ("count", "last"), [(200, "f:200: x"), (201, "and 1 more problem"), (203, "and 3 more problems")]
)
def test_many_problems_are_counted(count, last):
    error = ProjectError(Problem("f", line, "x") for line in range(1, count + 1))

    lines = str(error).split("\n")
    assert (lines[:200], lines[-1]) == ([f"f:{line}: x" for line in range(1, 201)], last)
    assert len(error.problems) == count


def test_exit_statuses():
    children = (ProjectError, UsageError, NotInstalledError, LoginError, ServiceError, RunError)

    assert {child: child.exit_status for child in children} == {
        ProjectError: 2,
        UsageError: 2,
        NotInstalledError: 2,
        LoginError: 2,
        ServiceError: 2,
        RunError: 1,
    }
    assert all(issubclass(child, AzmlError) for child in children)


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("prepair", ["evaluate", "prepare"], "prepare"),
        ("PREPARE", ["evaluate", "Prepare"], "Prepare"),
        ("xyz", ["evaluate", "prepare"], None),
        ("prepare", [], None),
        ("p" * 101, ["p" * 100], None),
        ("prepair", [*(f"x{number}" for number in range(999)), "prepare"], "prepare"),
        ("prepair", [*(f"x{number}" for number in range(1_000)), "prepare"], None),
        ("p" * 100, ["p" * 101], "p" * 101),
    ],
)
def test_what_was_meant(name, known, meant):
    assert closest(name, known) == meant
    assert did_you_mean(name, iter(known)) == (f"; did you mean '{meant}'?" if meant else "")


@pytest.mark.parametrize(
    ("names", "options", "text"),
    [
        ([], {}, ""),
        (["a"], {}, "a"),
        (["a", "b"], {}, "a and b"),
        (("a", "b", "c"), {}, "a, b and c"),
        ({"a": 1, "b": 2}, {"last": "or"}, "a or b"),
    ],
)
def test_lists_read_as_english(names, options, text):
    assert listed(names, **options) == text


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        ("prepair", ["prepare", "train"], "; did you mean 'prepare'?"),
        ("xyz", ["prepare", "train"], ": it has prepare and train"),
        ("xyz", [], ": it has none"),
        ("xyz", "abcdefghijk", ": it has a, b, c, d, e, f, g, h, i, j and k"),
        ("xyz", "abcdefghijkl", ": it has a, b, c, d, e, f, g, h, i, j and 2 more"),
    ],
)
def test_what_there_is_when_nothing_is_close(name, known, text):
    assert what_there_is(name, iter(known)) == text
