"""A step is added to the text of the file, and every other byte stays."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.reading.edit import add_step, scalar

FIELDS = ["script_name: new.py", "script_directory: steps"]


def refusal(text: str, key: str = "new", after: str | None = None) -> str:
    with pytest.raises(ProjectError) as caught:
        add_step(text, key, FIELDS, after)
    return str(caught.value)


CHURN = """\
# The churn pipeline.
backend: local   # here

steps:
  # First the data.
  prepare:
    script_name: prepare.py   # a script

    # about the configuration
    step_config:
      rows: 10

  # Then the model.
  train: {script_name: train.py}


# What they run in.
environments:
  e: {pip_packages: [pandas]}
"""


@pytest.mark.parametrize(
    ("after", "added_behind"),
    [
        (None, "  train: {script_name: train.py}\n"),
        ("train", "  train: {script_name: train.py}\n"),
        ("prepare", "      rows: 10\n"),
    ],
)
def test_comments_and_blank_lines_stay(after, added_behind):
    new = "  new:\n    script_name: new.py\n    script_directory: steps\n"

    assert add_step(CHURN, "new", FIELDS, after) == CHURN.replace(added_behind, added_behind + new)


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        (
            "steps:\n  a: {script_name: a.py}",
            "steps:\n  a: {script_name: a.py}\n  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            "steps:\r\n  a:\r\n    script_name: a.py\r\ntags: {}\r\n",
            "steps:\r\n  a:\r\n    script_name: a.py\r\n"
            "  new:\r\n    script_name: new.py\r\n    script_directory: steps\r\ntags: {}\r\n",
        ),
        (
            "steps:\r\n  a: {script_name: a.py}",
            "steps:\r\n  a: {script_name: a.py}\n  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            "steps:\r  a:\r    script_name: a.py\r",
            "steps:\r  a:\r    script_name: a.py\r  new:\r    script_name: new.py\r    script_directory: steps\r",
        ),
        (
            "\ufeffsteps:\n  a: {script_name: a.py}\n",
            "\ufeffsteps:\n  a: {script_name: a.py}\n  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            "steps:\n a:\n    script_name: a.py\n",
            "steps:\n a:\n    script_name: a.py\n new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            "steps:\n    a: {script_name: a.py}\n    b:\n          script_name: b.py\n",
            "steps:\n    a: {script_name: a.py}\n    b:\n          script_name: b.py\n"
            "    new:\n          script_name: new.py\n          script_directory: steps\n",
        ),
        (
            "---\nsteps:\n  a: {script_name: a.py}\n...\n",
            "---\nsteps:\n  a: {script_name: a.py}\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\n...\n",
        ),
        (
            "steps:\n  a:\n    script_name: a.py\n    # about a\n  # about nothing\n# about the file\n",
            "steps:\n  a:\n    script_name: a.py\n    # about a\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\n"
            "  # about nothing\n# about the file\n",
        ),
        (
            "steps:\n  a:\n    script_name: a.py\n    text: |\n      # no comment\n\n      the end\n\ntags: {}\n",
            "steps:\n  a:\n    script_name: a.py\n    text: |\n      # no comment\n\n      the end\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\n\ntags: {}\n",
        ),
        (
            "steps:\n  a: {script_name: a.py,\nstep_name: b\n}\ntags: {}\n",
            "steps:\n  a: {script_name: a.py,\nstep_name: b\n}\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\ntags: {}\n",
        ),
        (
            "steps:\n  a: {script_name: a.py,\n  step_name: b}\n",
            "steps:\n  a: {script_name: a.py,\n  step_name: b}\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            'steps:\n  "a": &a\n    script_name: "a\n    b.py"\n',
            'steps:\n  "a": &a\n    script_name: "a\n    b.py"\n'
            "  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
        (
            "steps:\n  a: {script_name: a.py, step_config: {x: .nan}}\n",
            "steps:\n  a: {script_name: a.py, step_config: {x: .nan}}\n"
            "  new:\n    script_name: new.py\n    script_directory: steps\n",
        ),
    ],
    ids=[
        *("no newline at the end", "CRLF", "CRLF at first alone", "CR", "BOM", "one space", "ten spaces", "document"),
        *("comments at the end", "block scalar", "brace at the left", "flow as wide as the key", "anchor", "nan"),
    ],
)
def test_the_file_s_own_manners_are_kept(text, edited):
    assert add_step(text, "new", FIELDS) == edited


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("steps", "steps"),
        ("a/b-c_1.py", "a/b-c_1.py"),
        ("null", '"null"'),
        ("True", '"True"'),
        ("ON", '"ON"'),
        ("n", '"n"'),
        ("", '""'),
        ("1", '"1"'),
        ("a b", '"a b"'),
        ("a: b", '"a: b"'),
        ("été", '"été"'),
        ("${A}", '"$${A}"'),
        ("a$b", '"a$$b"'),
        ('a"b\n', r'"a\"b\n"'),
    ],
)
def test_a_text_as_a_scalar(text, written):
    assert scalar(text) == written


def test_a_key_that_other_readers_take_for_a_value_is_in_quotes():
    assert add_step("steps:\n  a: {}\n", "null", []) == 'steps:\n  a: {}\n  "null":\n'


def test_two_steps_one_behind_the_other():
    text = "steps:\n  a: {script_name: a.py}\n  b: {script_name: b.py}\n"

    once = add_step(text, "c", ["script_name: c.py"], "a")
    twice = add_step(once, "d", ["script_name: d.py"], "c")

    assert twice == (
        "steps:\n  a: {script_name: a.py}\n  c:\n    script_name: c.py\n  d:\n    script_name: d.py\n"
        "  b: {script_name: b.py}\n"
    )


@pytest.mark.parametrize(
    ("text", "options", "line"),
    [
        ("steps:\n  a: {}\n  new: {}\n", {}, "pipeline.yaml:3: step 'new' already exists"),
        ("steps:\n  a: {}\n", {"after": "b"}, "pipeline.yaml:1: the file has no step 'b': it has a"),
        (
            "tags: {}\nsteps:\n  prepare: {}\n",
            {"after": "prepair"},
            "pipeline.yaml:2: the file has no step 'prepair'; did you mean 'prepare'?",
        ),
        ("tags: {}\n", {}, "pipeline.yaml: has no steps to add one to"),
        ("steps:\n", {}, "pipeline.yaml: has no steps to add one to"),
        ("steps: {}\n", {}, "pipeline.yaml: has no steps to add one to"),
        ("steps: []\n", {}, "pipeline.yaml: has no steps to add one to"),
        ("- a\n", {}, "pipeline.yaml: has no steps to add one to"),
        ("", {}, "pipeline.yaml: has no steps to add one to"),
        (
            "steps: {a: {script_name: a.py}}\n",
            {},
            "pipeline.yaml:1: steps is written in braces; write each step on its own lines to add one",
        ),
        (
            "steps:\n  {a: {script_name: a.py}, b: {script_name: b.py}}\n",
            {},
            "pipeline.yaml:2: steps is written in braces; write each step on its own lines to add one",
        ),
        (
            "steps: {\n  a: {script_name: a.py},\n  b: {script_name: b.py}\n}\n",
            {},
            "pipeline.yaml: the step 'new' could not be added without changing other parts of the file; add it by hand",
        ),
        (
            "steps:\n  a:\n    script_name: |+\n      text\n\n\ntags: {}\n",
            {},
            "pipeline.yaml: the step 'new' could not be added without changing other parts of the file; add it by hand",
        ),
        (
            "steps: &s\n  a: {script_name: a.py}\ntags: *s\n",
            {},
            "pipeline.yaml: the step 'new' could not be added without changing other parts of the file; add it by hand",
        ),
        (
            "targets: {dev: &s {x: {}}}\nsteps:\n  <<: *s\n  a: {script_name: a.py}\n",
            {"after": "x"},
            "pipeline.yaml: the step 'new' could not be added without changing other parts of the file; add it by hand",
        ),
        ("steps:\n\ta: 1\n", {}, "pipeline.yaml:2: YAML does not allow tabs for indentation; use spaces"),
    ],
)
def test_what_cannot_be_added(text, options, line):
    assert refusal(text, **options) == line
