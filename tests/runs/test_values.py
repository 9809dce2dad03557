"""What `runs.show` makes of parameters and metrics."""

from __future__ import annotations

import pytest

from azml_tasks.runs import summary
from azml_tasks.runs.details import RunFile
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.show import series_text, value_text
from azml_tasks.runs.summary import metric_lines


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (None, "null"),
        (3, "3"),
        (0.5, "0.5"),
        (float("nan"), ".nan"),
        (float("-inf"), "-.inf"),
        ("a text, with a comma", "a text, with a comma"),
        ("True", "True"),
        ("1.5", "1.5"),
        ("", '""'),
        (" ", '" "'),
        ("é", "é"),
        ("a\nb\x1b", '"a\\nb\\u001b"'),
        ({"x": 1, "y": [True, None]}, "{x: 1, y: [true, null]}"),
    ],
)
def test_a_value_is_written_as_yaml_writes_it(value, text):
    assert value_text(value) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.5], "0.5"),
        ([0.5, 0.7], "0.5, 0.7"),
        (list(range(20)), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ... 19 (20 values)"),
        ([1234.5678] * 1234, "1234.5678, 1234.5678, ... 1234.5678 (1,234 values)"),
        (["x" * 50, "y", "z" * 50], f"... {'z' * 50} (3 values)"),
        (["x" * 70], "x" * 70),
    ],
)
def test_a_series_is_a_short_row(values, text):
    assert series_text(values) == text


def test_what_was_logged_under_a_name_is_a_line():
    logged = [
        {"name": "acc", "kind": "scalar", "value": 0.5},
        {"name": "ok", "kind": "scalar", "value": True},
        {"name": "acc", "kind": "scalar", "value": 0.7},
        {"name": "loss", "kind": "list", "value": [3, 2]},
        {"name": "loss", "kind": "list", "value": [1]},
        {"name": "point", "kind": "row", "value": {"x": 1, "y": 2.5}},
        {"name": "point", "kind": "row", "value": {"x": 2, "y": 3.5}},
        {"name": "table", "kind": "table", "value": {"n": list(range(99)), "t": ["a", "b"]}},
    ]

    assert list(metric_lines(Metrics.of(logged))) == [
        "acc = 0.5, 0.7",
        "ok = true",
        "loss = 3, 2, 1",
        "point: table, 2 rows of x and y",
        "table: table, 99 rows of n and t",
    ]


def test_the_name_of_a_file_is_one_line() -> None:
    files = [RunFile("outputs/a\nb.txt", None, "", lambda most: None)]

    assert [*summary._file_lines(files, Metrics.of([]), 80, "")] == ["file outputs/a\\nb.txt"]
