"""Files made to break a reader: each gets its one clear line."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.reading import load_project
from azml_tasks.reading.tree import MOST_DEPTH

FINE = "steps: {a: {script_name: a.py}}\n"

TABS = "YAML does not allow tabs for indentation; use spaces"
NO_KEY = "a key is not allowed here: check the indentation and the line above, or put text that contains ': ' in quotes"
INDENTATION = "the indentation does not match the lines above"
BEHIND = "unexpected text after a quoted value; put the whole text in one pair of quotes"
UNQUOTED = (
    "inside { } and [ ], ${VARIABLE} must be in quotes, and is text; for a number, write the key on a line of its own"
)
STARRED = "text that starts with * or & must be in quotes"
TOO_DEEP = "nested more than 100 levels deep"
TOO_MANY = "the file contains more than 200,000 values, with each alias expanded"
TAG = "is not supported; remove it, or put text that starts with ! in quotes"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "pipeline.yaml: the file is empty; a pipeline needs `steps`"),
        ("# nothing but a comment\n", "pipeline.yaml: the file is empty; a pipeline needs `steps`"),
        ("---\n", "pipeline.yaml: the file is empty; a pipeline needs `steps`"),
        ("- a\n- b\n", "pipeline.yaml:1: expected keys such as `steps`, found a list"),
        ("\nsteps\n", "pipeline.yaml:2: expected keys such as `steps`, found 'steps'"),
        ("7\n", "pipeline.yaml:1: expected keys such as `steps`, found 7"),
        (
            FINE + "---\n" + FINE,
            "pipeline.yaml:2: the file contains a second YAML document (a line `---`); only one is allowed",
        ),
        (
            "---\n" + FINE + "---\n",
            "pipeline.yaml:3: the file contains a second YAML document (a line `---`); only one is allowed",
        ),
    ],
)
def test_a_file_that_is_no_single_mapping(problems, text, line):
    assert problems(text) == [line]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"steps:\n  a: \xff\n", "pipeline.yaml:2: the file is not UTF-8; save it as UTF-8"),
        ("description: été\n".encode("latin-1"), "pipeline.yaml:1: the file is not UTF-8; save it as UTF-8"),
        (FINE.encode("utf-16"), "pipeline.yaml:1: the file is not UTF-8; save it as UTF-8"),
        (
            b"# \xc3\xa9\xc3\xa9\xc3\xa9\ndescription: a\0b\n",
            "pipeline.yaml:2: this line contains the character '\\x00', which YAML does not allow",
        ),
        (b"\n\0\n", "pipeline.yaml:2: this line contains the character '\\x00', which YAML does not allow"),
        (b"\n\xff\n", "pipeline.yaml:2: the file is not UTF-8; save it as UTF-8"),
        (b"#" * 5_000_000, "pipeline.yaml: the file is empty; a pipeline needs `steps`"),
        (b"#" * 5_000_001, "pipeline.yaml: the file is larger than 5 MB"),
        (b"a\0b: 1\n", "pipeline.yaml:1: this line contains the character '\\x00', which YAML does not allow"),
        (
            b"description: \x1b[31m\n",
            "pipeline.yaml:1: this line contains the character '\\x1b', which YAML does not allow",
        ),
        (b'description: "a\\0b"\n', "pipeline.yaml:1: the escape for '\\x00' is not a text character"),
        (b'"a\\0b": 1\n', "pipeline.yaml:1: the escape for '\\x00' is not a text character"),
        (b'description: "\\ud800"\n', "pipeline.yaml:1: invalid escape in double quotes: not a character"),
        (b"#" * 6_000_000, "pipeline.yaml: the file is larger than 5 MB"),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_bytes_that_are_no_text(problems, raw, line):
    assert problems(raw) == [line]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("steps:\n\ta: 1\n", f"pipeline.yaml:2: {TABS}"),
        ("steps:\n  a:\n  \tscript_name: a.py\n", f"pipeline.yaml:3: {TABS}"),
        ("a: |\n\t b\n", f"pipeline.yaml:2: {TABS}"),
        ("steps: a: b\n", f"pipeline.yaml:1: {NO_KEY}"),
        ("steps:\n  a\n  b: 1\n", f"pipeline.yaml:3: {NO_KEY}"),
        ("steps:\n  a:\n    script_name: a.py\n   step_name: b\n", f"pipeline.yaml:4: {INDENTATION}"),
        ("steps:\n    a: 1\n  b: 2\n", f"pipeline.yaml:3: {INDENTATION}"),
        ("- a\nb: 1\n", f"pipeline.yaml:2: {INDENTATION}"),
        ("a: - b\n", "pipeline.yaml:1: a list cannot start here; put its first '- ' on a new line"),
        ("a: 1\nb\nc: 2\n", "pipeline.yaml:2: missing ':' after this key"),
        ("steps:\n- a\nb\n", "pipeline.yaml:3: missing ':' after this key"),
        ("steps:\n  a: {script_name: a.py\n", "pipeline.yaml:2: the '{' on line 2 is not closed, or a ',' is missing"),
        (
            "steps:\n  a: {script_name: a.py\n  b: {script_name: b.py}\n",
            "pipeline.yaml:3: the '{' on line 2 is not closed, or a ',' is missing",
        ),
        ("a: [1, 2\nb: 3\n", "pipeline.yaml:2: the '[' on line 1 is not closed, or a ',' is missing"),
        ("a: {b: 1 c: 2}\n", "pipeline.yaml:1: the '{' on line 1 is not closed, or a ',' is missing"),
        ("a: {b: [1}\n", "pipeline.yaml:1: the '[' on line 1 is not closed, or a ',' is missing"),
        ("a: [\n", "pipeline.yaml:1: missing value, or a '[' or '{' above is not closed"),
        ("a: [b,, c]\n", "pipeline.yaml:1: missing value before this ','"),
        ("a: ]\n", "pipeline.yaml:1: unexpected ']'"),
        ("a: }}\n", "pipeline.yaml:1: unexpected '}'"),
        ("{a: 1}}\n", "pipeline.yaml:1: unexpected text after the end of the value above"),
        ("{a: 1}\nb: 2\n", "pipeline.yaml:2: unexpected text after the end of the value above"),
        ("a: {b: ${N}}\n", f"pipeline.yaml:1: {UNQUOTED}"),
        ("a: [${N}]\n", f"pipeline.yaml:1: {UNQUOTED}"),
        ("a: 1\nb: 'c\n\nd: 1\n", "pipeline.yaml:2: the quote that opens here is not closed"),
        ('a: 1\nb: "c\n\nd: 1\n', "pipeline.yaml:2: the quote that opens here is not closed"),
        ('a: 1\nb: "c\nd: "e"\n', "pipeline.yaml:2: the quote that opens here is not closed until line 3"),
        ("a: 1\nb: 'c\n\nd: ';'\n", "pipeline.yaml:2: the quote that opens here is not closed until line 4"),
        ('a: {b: "c}\nd: "e"\n', "pipeline.yaml:1: the quote that opens here is not closed until line 2"),
        ('a: "b\n  c"\nd: - e\n', "pipeline.yaml:3: a list cannot start here; put its first '- ' on a new line"),
        ('a: "b\n  c"\nd: "e" f\n', f"pipeline.yaml:3: {BEHIND}"),
        ("a: 'it's'\n", f"pipeline.yaml:1: {BEHIND}"),
        ('a: "b" c\n', f"pipeline.yaml:1: {BEHIND}"),
        (
            'a: "C:\\data"\n',
            "pipeline.yaml:1: invalid escape in double quotes; single quotes keep backslashes unchanged",
        ),
        (
            'a: "b\n  c\\d"\n',
            "pipeline.yaml:2: invalid escape in double quotes; single quotes keep backslashes unchanged",
        ),
        ("a: 1\nb: 'c\n  d", "pipeline.yaml:2: the quote that opens here is not closed"),
        ("a: @b\t# c\n", "pipeline.yaml:1: '@' cannot start a value; put the text in quotes"),
        ("a: @b\n", "pipeline.yaml:1: '@' cannot start a value; put the text in quotes"),
        ("a: `b`\n", "pipeline.yaml:1: '`' cannot start a value; put the text in quotes"),
        ("a: %b\n", "pipeline.yaml:1: '%' cannot start a value; put the text in quotes"),
        ("include: [*.csv]\n", f"pipeline.yaml:1: {STARRED}"),
        ("include:\n  - **\n", f"pipeline.yaml:2: {STARRED}"),
        ("a: &\n", f"pipeline.yaml:1: {STARRED}"),
        (
            "steps: *defaults\n",
            "pipeline.yaml:1: *defaults: no &defaults above; put text that starts with * in quotes",
        ),
        ("steps: &a [*a]\n", "pipeline.yaml:1: *a: no &a above; put text that starts with * in quotes"),
        ("a: |text\n", "pipeline.yaml:1: the text after '|' or '>' starts on the next line"),
        ("%YAML 3.0\n---\na: 1\n", "pipeline.yaml:1: invalid YAML: found incompatible YAML document"),
        ("a: 1\n\n\na: 2\n", "pipeline.yaml:4: duplicate key 'a' (first on line 1)"),
        ("{a: 1, 'a': 2}\n", "pipeline.yaml:1: duplicate key 'a' (first on line 1)"),
        (
            "a: {{ parameters.b }}\n",
            "pipeline.yaml:1: a key must be text, not a list or a mapping; write a pipeline parameter as '${{ "
            "parameters.NAME }}'",
        ),
        ("? [a]\n: 1\n", "pipeline.yaml:1: a key must be text, not a list or a mapping"),
        ("a: &k b\n*k : 1\n", "pipeline.yaml:2: an alias cannot be a key"),
        (f"? {'k' * 501}\n: 1\n", "pipeline.yaml:1: this key has 501 characters; the limit is 500"),
        ("a: 1\n<<: [b]\n", "pipeline.yaml:2: `<<` must be a mapping or a list of mappings"),
        ("a: 1\n<<: 2\n", "pipeline.yaml:2: `<<` must be a mapping or a list of mappings"),
    ],
)
def test_what_is_no_yaml_or_none_that_is_taken(problems, text, line):
    assert problems(text) == [line]


@pytest.mark.parametrize(
    ("value", "tag"),
    [
        ("!!python/object/apply:os.system ['echo 1']", "!!python/object/apply:os.system"),
        ("!!python/name:os.system", "!!python/name:os.system"),
        ("!!python/module:antigravity", "!!python/module:antigravity"),
        ("!mine {a: 1}", "!mine"),
        ("!!int 3", "!!int"),
        ("!!binary aGk=", "!!binary"),
        ("!!set {a, b}", "!!set"),
    ],
)
def test_no_tag_makes_anything(problems, value, tag):
    assert problems(f"a: 1\nsteps: {value}\n") == [f"pipeline.yaml:2: the tag {tag} {TAG}"]


@pytest.mark.parametrize(
    "text",
    [
        "steps: " + "[" * 100_000,
        "steps: " + "[" * 100_000 + "]" * 100_000,
        "steps: " + "{a: " * 100_000,
        "- " * 100_000,
        "[[], " * 100_000,
        "".join(" " * depth + "a:\n" for depth in range(1_000)),
        # Aliases nest what they stand for.
        "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} {'[' * 30}*a{n - 1}{']' * 30}\n" for n in range(1, 100)),
    ],
    ids=["brackets", "closed brackets", "braces", "dashes", "siblings", "lines", "aliases"],
)
def test_nesting_thousands_deep(problems, text):
    (line,) = problems(text)

    place, _, message = line.partition(": ")
    assert (place.partition(":")[0], message) == ("pipeline.yaml", TOO_DEEP)


def test_the_deepest_nesting_that_is_taken(load):
    deep = MOST_DEPTH - 4
    text = f"steps: {{a: {{script_name: a.py, step_config: {{x: {'[' * deep}{']' * deep}}}}}}}\n"

    value = load(text).pipeline.steps["a"].step_config["x"]

    depth = 0
    while value:
        value = value[0]
        depth += 1
    assert depth == deep - 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
            + "".join(
                f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcde", "bcdef", strict=True)
            ),
            6,
        ),
        ("a: &a {k: v}\nb:\n" + "  - <<: *a\n" * 150_000, 50_001),
        ("steps: [" + "1," * 210_000 + "]\n", 1),
    ],
    ids=["bomb", "merges", "values"],
)
def test_more_values_than_any_pipeline_needs(problems, text, line):
    assert problems(text) == [f"pipeline.yaml:{line}: {TOO_MANY}"]


@pytest.mark.parametrize(("targets", "is_taken"), [(200, True), (201, False)])
def test_more_steps_and_targets_than_any_pipeline_needs(problems, targets, is_taken):
    steps = "".join(f"  s{number}: {{script_name: a.py}}\n" for number in range(1_000))
    text = f"steps:\n{steps}targets:\n" + "".join(f"  t{number}: {{ws_name: abc}}\n" for number in range(targets))

    line = "pipeline.yaml:1002: 201 targets with 1,000 steps exceed the limit"
    assert problems(text) == ([] if is_taken else [line])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            FINE + f"ws_name: {'a' * 100_000}\n",
            f"pipeline.yaml:2: ws_name: '{'a' * 56}... is not a valid name: a workspace name has 3 to 33 letters, "
            "digits, underscores and dashes, and starts with a letter or a digit",
        ),
        (
            f"steps: {{a: {{script_name: a.py, run_after: [{'b' * 100_000}]}}}}\n",
            f"pipeline.yaml:1: step 'a' runs after '{'b' * 976}...",
        ),
        (
            f"steps: {{a: {{script_name: a.py, arguments: ['${{{{ {'b' * 100_000}']}}}}\n",
            f"pipeline.yaml:1: step 'a': '${{{{ {'b' * 53}...' is not a pipeline parameter; write "
            "${{ parameters.NAME }}",
        ),
        (
            f"steps: {{a: {{script_name: a.py, input_datasets: {{--a: '{'-' * 100_000}'}}}}}}\n",
            f"pipeline.yaml:1: step 'a': '{'-' * 56}... cannot be a dataset's name in the run: use letters, digits "
            "and underscores, not starting with a digit; set `name` in datasets",
        ),
    ],
    ids=["name", "step", "parameter", "dataset"],
)
def test_a_text_without_end_is_not_shown_whole(problems, text, line):
    assert problems(text) == [line]


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path / "pipeline.yaml", variables={})

    assert str(caught.value) == "pipeline.yaml: cannot be read: No such file or directory"


def test_a_folder_in_its_place(tmp_path):
    (tmp_path / "pipeline.yaml").mkdir()

    with pytest.raises(ProjectError) as caught:
        load_project(tmp_path / "pipeline.yaml", variables={})

    assert str(caught.value) == "pipeline.yaml: cannot be read: Is a directory"


@pytest.mark.parametrize(
    "raw",
    [
        FINE.encode(),
        FINE.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + FINE.encode(),
        b"---\n" + FINE.encode() + b"...\n",
        b"%YAML 1.2\n---\n" + FINE.encode(),
        b"steps:\r\n  a:\r\n    script_name: a.py\r\n",
        b"steps:\r  a:\r    script_name: a.py\r",
        b"steps:\n  a:\n    script_name: a.py",
        b"steps:\n  a: !!map\n    script_name: !!str a.py\n",
        b'{"steps": {"a": {"script_name": "a.py"}}}',
        b"steps:\n  a:\n    script_name: a.py\t# a tab before a comment\n",
    ],
    ids=["plain", "crlf", "bom", "document", "directive", "crlf-block", "cr", "no-end", "tags", "json", "tab"],
)
def test_files_that_are_fine(load, raw):
    assert {key: step.script_name for key, step in load(raw).pipeline.steps.items()} == {"a": "a.py"}
