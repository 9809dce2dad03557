"""Files made to break a reader: each gets its one clear line."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.reading import load_project
from azml_tasks.reading.tree import MOST_DEPTH

FINE = "steps: {a: {script_name: a.py}}\n"

TABS = "YAML takes no tabs for indentation; use spaces"
NO_KEY = (
    "no key can stand here, so ': ' is out of place: check the indentation and the line above, "
    "or put a text that holds ': ' in quotes"
)
INDENTATION = "the indentation does not fit the lines above"
BEHIND = "this stands behind the end of a value; put the whole text in one pair of quotes"
STARRED = "a text that starts with * or & must stand in quotes"
TOO_DEEP = "nested more than 100 deep, which no pipeline needs"
TOO_MANY = "the file holds more than 200,000 values, each alias counted as what it stands for"
TAG = "is not taken; leave it out, or quote a text that starts with !"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "pipeline.yaml: is empty; a pipeline has at least `steps`"),
        ("# nothing but a comment\n", "pipeline.yaml: is empty; a pipeline has at least `steps`"),
        ("---\n", "pipeline.yaml: is empty; a pipeline has at least `steps`"),
        ("- a\n- b\n", "pipeline.yaml:1: the file holds a list; a pipeline has keys such as `steps`"),
        ("\nsteps\n", "pipeline.yaml:2: the file holds 'steps'; a pipeline has keys such as `steps`"),
        ("7\n", "pipeline.yaml:1: the file holds 7; a pipeline has keys such as `steps`"),
        (FINE + "---\n" + FINE, "pipeline.yaml:2: the file holds a second YAML document (a line `---`); it takes one"),
        (
            "---\n" + FINE + "---\n",
            "pipeline.yaml:3: the file holds a second YAML document (a line `---`); it takes one",
        ),
    ],
)
def test_a_file_that_is_no_single_mapping(problems, text, line):
    assert problems(text) == [line]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"steps:\n  a: \xff\n", "pipeline.yaml:2: is not UTF-8; save the file in that encoding"),
        ("description: été\n".encode("latin-1"), "pipeline.yaml:1: is not UTF-8; save the file in that encoding"),
        (FINE.encode("utf-16"), "pipeline.yaml:1: is not UTF-8; save the file in that encoding"),
        (
            b"# \xc3\xa9\xc3\xa9\xc3\xa9\ndescription: a\0b\n",
            "pipeline.yaml:2: holds the character '\\x00', which YAML does not take",
        ),
        (b"\n\0\n", "pipeline.yaml:2: holds the character '\\x00', which YAML does not take"),
        (b"\n\xff\n", "pipeline.yaml:2: is not UTF-8; save the file in that encoding"),
        (b"#" * 5_000_000, "pipeline.yaml: is empty; a pipeline has at least `steps`"),
        (b"#" * 5_000_001, "pipeline.yaml: is larger than 5 MB, which no pipeline needs"),
        (b"a\0b: 1\n", "pipeline.yaml:1: holds the character '\\x00', which YAML does not take"),
        (b"description: \x1b[31m\n", "pipeline.yaml:1: holds the character '\\x1b', which YAML does not take"),
        (b'description: "a\\0b"\n', "pipeline.yaml:1: the escape for '\\x00' stands for no character of a text"),
        (b'"a\\0b": 1\n', "pipeline.yaml:1: the escape for '\\x00' stands for no character of a text"),
        (b'description: "\\ud800"\n', "pipeline.yaml:1: double quotes take no such escape: that is no character"),
        (b"#" * 6_000_000, "pipeline.yaml: is larger than 5 MB, which no pipeline needs"),
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
        ("a: - b\n", "pipeline.yaml:1: a list cannot start here; put its first '- ' on a line of its own"),
        ("a: 1\nb\nc: 2\n", "pipeline.yaml:2: this is a key without ':' behind it"),
        ("steps:\n- a\nb\n", "pipeline.yaml:3: this is a key without ':' behind it"),
        ("steps:\n  a: {script_name: a.py\n", "pipeline.yaml:2: the '{' in line 2 is not closed, or a ',' is missing"),
        (
            "steps:\n  a: {script_name: a.py\n  b: {script_name: b.py}\n",
            "pipeline.yaml:3: the '{' in line 2 is not closed, or a ',' is missing",
        ),
        ("a: [1, 2\nb: 3\n", "pipeline.yaml:2: the '[' in line 1 is not closed, or a ',' is missing"),
        ("a: {b: 1 c: 2}\n", "pipeline.yaml:1: the '{' in line 1 is not closed, or a ',' is missing"),
        ("a: {b: [1}\n", "pipeline.yaml:1: the '[' in line 1 is not closed, or a ',' is missing"),
        ("a: [\n", "pipeline.yaml:1: a value is missing here, or a '[' or '{' above is not closed"),
        ("a: [b,, c]\n", "pipeline.yaml:1: nothing stands before this ','"),
        ("a: ]\n", "pipeline.yaml:1: this ']' closes nothing"),
        ("a: }}\n", "pipeline.yaml:1: this '}' closes nothing"),
        ("{a: 1}}\n", "pipeline.yaml:1: the value above has ended, and this belongs to nothing"),
        ("{a: 1}\nb: 2\n", "pipeline.yaml:2: the value above has ended, and this belongs to nothing"),
        ("a: {b: ${N}}\n", "pipeline.yaml:1: inside { } and [ ] a ${VARIABLE} must stand in quotes"),
        ("a: [${N}]\n", "pipeline.yaml:1: inside { } and [ ] a ${VARIABLE} must stand in quotes"),
        ("a: 1\nb: 'c\n\nd: 1\n", "pipeline.yaml:2: the quote that opens here is never closed"),
        ('a: 1\nb: "c\n\nd: 1\n', "pipeline.yaml:2: the quote that opens here is never closed"),
        ("a: 'it's'\n", f"pipeline.yaml:1: {BEHIND}"),
        ('a: "b" c\n', f"pipeline.yaml:1: {BEHIND}"),
        (
            'a: "C:\\data"\n',
            "pipeline.yaml:1: double quotes take no such escape; single quotes take a backslash as it is",
        ),
        (
            'a: "b\n  c\\d"\n',
            "pipeline.yaml:2: double quotes take no such escape; single quotes take a backslash as it is",
        ),
        ("a: 1\nb: 'c\n  d", "pipeline.yaml:2: the quote that opens here is never closed"),
        ("a: @b\t# c\n", "pipeline.yaml:1: '@' cannot start a value; put the text in quotes"),
        ("a: @b\n", "pipeline.yaml:1: '@' cannot start a value; put the text in quotes"),
        ("a: `b`\n", "pipeline.yaml:1: '`' cannot start a value; put the text in quotes"),
        ("a: %b\n", "pipeline.yaml:1: '%' cannot start a value; put the text in quotes"),
        ("include: [*.csv]\n", f"pipeline.yaml:1: {STARRED}"),
        ("include:\n  - **\n", f"pipeline.yaml:2: {STARRED}"),
        ("a: &\n", f"pipeline.yaml:1: {STARRED}"),
        (
            "steps: *defaults\n",
            "pipeline.yaml:1: *defaults: no &defaults stands above; put a text that starts with * in quotes",
        ),
        ("steps: &a [*a]\n", "pipeline.yaml:1: *a: no &a stands above; put a text that starts with * in quotes"),
        ("a: |text\n", "pipeline.yaml:1: '|' and '>' take their text from the lines below"),
        ("%YAML 3.0\n---\na: 1\n", "pipeline.yaml:1: this is no YAML: found incompatible YAML document"),
        ("a: 1\n\n\na: 2\n", "pipeline.yaml:4: the key 'a' stands twice; the first is in line 1"),
        ("{a: 1, 'a': 2}\n", "pipeline.yaml:1: the key 'a' stands twice; the first is in line 1"),
        (
            "a: {{ parameters.b }}\n",
            "pipeline.yaml:1: a key is one word or text, not a list or a mapping; "
            "a pipeline parameter is written '${{ parameters.NAME }}'",
        ),
        ("? [a]\n: 1\n", "pipeline.yaml:1: a key is one word or text, not a list or a mapping"),
        ("a: &k b\n*k : 1\n", "pipeline.yaml:2: an alias cannot be a key"),
        (f"? {'k' * 501}\n: 1\n", "pipeline.yaml:1: a key of 501 characters; keys are names, of 500 at most"),
        ("a: 1\n<<: [b]\n", "pipeline.yaml:2: `<<` takes a mapping, or a list of mappings"),
        ("a: 1\n<<: 2\n", "pipeline.yaml:2: `<<` takes a mapping, or a list of mappings"),
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

    line = "pipeline.yaml:1002: 201 targets of 1,000 steps are more than any pipeline needs"
    assert problems(text) == ([] if is_taken else [line])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            FINE + f"ws_name: {'a' * 100_000}\n",
            f"pipeline.yaml:2: ws_name: '{'a' * 56}... is not a valid name: a workspace takes 3 to 33 letters, digits, "
            "underscores and dashes, and starts with a letter or a digit",
        ),
        (
            f"steps: {{a: {{script_name: a.py, run_after: [{'b' * 100_000}]}}}}\n",
            f"pipeline.yaml:1: step 'a' runs after '{'b' * 976}...",
        ),
        (
            f"steps: {{a: {{script_name: a.py, arguments: ['${{{{ {'b' * 100_000}']}}}}\n",
            f"pipeline.yaml:1: step 'a': '${{{{ {'b' * 53}...' is no pipeline parameter; "
            "write ${{ parameters.NAME }}",
        ),
        (
            f"steps: {{a: {{script_name: a.py, input_datasets: {{--a: '{'-' * 100_000}'}}}}}}\n",
            f"pipeline.yaml:1: step 'a': '{'-' * 56}... cannot be a dataset's name in the run: such a name takes "
            "letters, digits and underscores, and no digit first; give it another with `name` under datasets",
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
