"""Numbers that keep the text that they are written as."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from azml_tasks.model.written import WrittenFloat, WrittenInt, argument_text


@pytest.mark.parametrize("number", [WrittenFloat("1e-5"), WrittenInt("007")])
def test_it_stays_the_same_number_and_text_when_it_is_copied(number):
    for copied in (copy.deepcopy(number), pickle.loads(pickle.dumps(number))):
        assert (copied, str(copied)) == (number, number.text)


def test_json_has_it_as_a_number():
    assert json.dumps([WrittenFloat("+1e-5"), WrittenInt("007")]) == "[1e-05, 7]"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-1e-5, "-0.00001"),
        (1e-5, "1e-05"),
        (-5e-324, "-0." + "0" * 323 + "5"),
        (-0.5, "-0.5"),
        (-float("inf"), "-inf"),
        (True, "True"),
        (WrittenFloat("-1e-999999999"), "-0.0"),
        (WrittenFloat("-1e999999999"), "-inf"),
    ],
)
def test_a_script_receives_no_negative_number_with_an_exponent(value, text):
    assert argument_text(value) == text
