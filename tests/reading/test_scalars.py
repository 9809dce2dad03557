"""YAML 1.2: what a word without quotes stands for."""

from __future__ import annotations

import math

import pytest

from azml_tasks.reading.syntax import plain_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("true", True),
        ("True", True),
        ("TRUE", True),
        ("false", False),
        ("False", False),
        ("FALSE", False),
        ("0", 0),
        ("-0", 0),
        ("+12", 12),
        ("-12", -12),
        ("007", 7),
        ("0o17", 15),
        ("0xFf", 255),
        ("1.0", 1.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("2e-5", 2e-5),
        ("2.0e-5", 2e-5),
        ("1E3", 1000.0),
        ("+1.5e+2", 150.0),
        (".inf", math.inf),
        ("-.Inf", -math.inf),
        ("+.INF", math.inf),
    ],
)
def test_what_has_a_type(text, value):
    found = plain_scalar(text)

    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_no_number(text):
    found = plain_scalar(text)

    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize(
    "text",
    [
        *("no", "No", "on", "off", "yes", "y", "n"),
        *("tRUE", "nULL", "none", "None", "t", "f"),
        *("18:30", "1_000", "0b1", "0o8", "0xg", "-0x1", "1e", "e5", "1e5.0", "--1", "+", "-", ".", "+-1"),
        *("2024-01-01", "2024-01-01T00:00:00Z", "1.2.3", "inf", "nan", ".infinity", "-.nan", "٣"),
        "1" * 1_000,
        "0x" + "1" * 1_000,
    ],
)
def test_all_else_is_text(text):
    assert plain_scalar(text) == text


def test_the_longest_number_is_one_that_python_can_write_out():
    assert plain_scalar("9" * 999) == int("9" * 999)
    assert len(str(plain_scalar("0x" + "f" * 997))) == 1_201
