"""Recorded metrics, put in order."""

from __future__ import annotations

import math

import pytest

from azml_tasks.runs.metrics import FileMetric, Metrics, Series, Table, figure, figures
from azml_tasks.runs.summary import series_figures


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.123456, "0.1235"),
        (1234.5678, "1235"),
        (123456.7, "123457"),
        (1.5e-7, "1.5e-07"),
        (1.23456e20, "1.235e+20"),
        (0.5, "0.5"),
        (3.0, "3.0"),
        (12345678.0, "12345678"),
        (7043, "7043"),
        (10**30, "1" + "0" * 30),
        (True, "true"),
        (None, "null"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        ("text", "text"),
        ([1, "é"], '[1, "é"]'),
    ],
)
def test_numbers_are_rounded_to_four_figures(value, text):
    assert figure(value) == text


def test_numbers_that_differ_have_the_figures_that_show_it():
    assert figures([0.912341, 0.912344, 0.5, "a", None]) == ["0.912341", "0.912344", "0.5", "a", "null"]
    assert figures([24999.5, 25000.0]) == ["24999.5", "25000"]
    assert figures([0.1 + 0.2, 0.3]) == ["0.30000000000000004", "0.3"]
    assert figures([0.51234, 0.61234]) == ["0.5123", "0.6123"]
    assert figures([math.nan, 1.0, True]) == ["nan", "1.0", "true"]


def test_what_was_logged_twice_is_a_series_and_rows_add_up_to_a_table():
    found = Metrics.of(
        [
            {"name": "loss", "kind": "scalar", "value": 0.5, "type": "double", "step": 3},
            {"name": "loss", "kind": "scalar", "value": "NaN", "type": "double", "step": 4},
            {"name": "word", "kind": "scalar", "value": "NaN", "type": "string"},
            {"name": "point", "kind": "row", "value": {"x": 1}},
            {"name": "point", "kind": "row", "value": {"x": 2, "y": "Infinity"}, "type": {"x": "int", "y": "double"}},
            {"name": "curve", "kind": "list", "value": [1, 2, 3]},
            {"name": "plot", "kind": "image", "value": "./outputs/plot.png"},
            {"name": "matrix", "kind": "confusion_matrix", "value": "matrix"},
            {"name": "mixed", "kind": "scalar", "value": 1},
            {"name": "mixed", "kind": "row", "value": {"a": 1}},
        ]
    )

    assert [(one.name, one.steps) for one in found.series] == [
        ("loss", (3, 4)),
        ("word", ()),
        ("curve", ()),
        ("mixed", ()),
    ]
    assert (found.series[0].values[0], math.isnan(found.series[0].values[1])) == (0.5, True)
    assert [one.values for one in found.series[1:]] == [("NaN",), (1, 2, 3), (1,)]
    assert found.tables == (Table("point", {"x": [1, 2], "y": [None, math.inf]}),)
    assert list(found.tables[0].rows()) == [(1, None), (2, math.inf)]
    assert found.files == (
        FileMetric("plot", "image", "outputs/plot.png"),
        FileMetric("matrix", "confusion_matrix", "matrix"),
    )


def test_azures_own_records_are_told_by_their_values():
    found = Metrics.of(
        [
            {"name": "t", "kind": "scalar", "value": {"a": [1, 2], "b": [3, 4]}},
            {"name": "r", "kind": "scalar", "value": {"a": 1}},
            {"name": "p", "kind": "scalar", "value": "aml://artifactId/ExperimentRun/dcid.abc/outputs/roc.png"},
            {"name": "m", "kind": "scalar", "value": "aml://artifactId/ExperimentRun/dcid.abc/m"},
            {"name": "ones", "kind": "list", "value": [1, 2, 3]},
        ]
    )

    assert found.tables == (Table("t", {"a": [1, 2], "b": [3, 4]}), Table("r", {"a": [1]}))
    assert found.files == (FileMetric("p", "image", "outputs/roc.png"), FileMetric("m", "confusion_matrix", "m"))
    assert found.series == (Series("ones", (1, 2, 3)),)


def test_the_last_values_are_by_name_and_column():
    found = Metrics.of(
        [
            {"name": "loss", "kind": "list", "value": [3, 2]},
            {"name": "point", "kind": "row", "value": {"x": 1, "y": 5}},
        ]
    )

    assert found.values() == {"loss": 2, "point.x": 1, "point.y": 5}


def test_a_long_series_shows_its_beginning_its_end_and_its_length():
    text = series_figures([1 / (n + 1) for n in range(10_000)])

    assert text == "1.0, 0.5, 0.3333, 0.25, 0.2, ... 0.0001 (10,000 values)"
    assert series_figures([0.5, 0.25]) == "0.5, 0.25"
