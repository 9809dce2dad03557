"""The text of a YAML file: what a reader of it gets, and what a person sees."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from azml_tasks.export.document import Lines, document, plain_document
from azml_tasks.reading.syntax import plain_scalar
from tests.fuzz.strategies import TEXTS


def test_keys_keep_their_order_and_what_is_not_stated_is_left_out():
    content = {"name": "a", "empty": None, "deep": {"b": None, "a": [1, {"y": True, "x": None}]}, "list": ()}

    assert document("data", content).decode() == (
        "$schema: https://azuremlschemas.azureedge.net/latest/data.schema.json\n"
        "name: a\n"
        "deep:\n"
        "  a:\n"
        "    - 1\n"
        "    - y: true\n"
        "list: []\n"
    )


def test_text_is_text_to_a_reader_of_either_yaml():
    content = {
        "a": "1",
        "b": "no",
        "c": "2e-5",
        "d": "null",
        "e": "0x1f",
        "f": "it's: #1",
        "g": "x" * 300,
        "h": "a\nb\n",
    }

    assert plain_document(content).decode() == (
        f"a: '1'\nb: 'no'\nc: '2e-5'\nd: 'null'\ne: '0x1f'\nf: 'it''s: #1'\ng: {'x' * 300}\nh: |\n  a\n  b\n"
    )


def test_a_command_has_an_argument_to_a_line_and_none_to_its_reader():
    command = Lines(["python a.py", "--config '${{inputs.config}}'", "--text 'a  # b'"])

    text = plain_document({"command": command, "after": 1}).decode()

    assert text == ("command: >-\n  python a.py\n  --config '${{inputs.config}}'\n  --text 'a  # b'\nafter: 1\n")
    assert yaml.safe_load(text)["command"] == str(command)


ANY_TEXT = (
    st.text(max_size=20) | TEXTS | st.text(st.sampled_from(" \n\t\r:#-'\"|>{}[]&*!%@\\\x85\u2028é1e~"), max_size=12)
)


@pytest.mark.many
@given(st.dictionaries(ANY_TEXT, ANY_TEXT, max_size=3))
def test_any_text_comes_back(content):
    text = plain_document(content).decode()

    assert yaml.safe_load(text) == content
    for node in yaml.compose(text).value if content else ():
        # Where it stands plain, YAML 1.2 takes it for text too.
        assert node[1].style is not None or isinstance(plain_scalar(node[1].value), str)


@pytest.mark.many
@given(st.lists(ANY_TEXT.filter(str.strip), min_size=1, max_size=4))
def test_any_command_comes_back(lines):
    command = Lines(["python", *lines])

    assert yaml.safe_load(plain_document({"jobs": {"command": command}}))["jobs"]["command"] == str(command)
