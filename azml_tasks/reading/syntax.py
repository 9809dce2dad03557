"""What the YAML parser stumbled over, said so that the file can be mended.

The patterns match the texts of libyaml (scanner.c, parser.c) and of PyYAML's own scanner and parser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

TABS = "YAML takes no tabs for indentation; use spaces"

# (what the parser says, what it was about, our sentence); the first that matches counts.
_SENTENCES = tuple(
    (re.compile(problem), re.compile(context), sentence)
    for problem, context, sentence in (
        (
            r"mapping values",
            "",
            "no key can stand here, so ': ' is out of place: check the indentation and the line above, "
            "or put a text that holds ': ' in quotes",
        ),
        (r"sequence entries", "", "a list cannot start here; put its first '- ' on a line of its own"),
        (r"find expected ':'", "", "this is a key without ':' behind it"),
        (r"end of stream", "quoted", "the quote that opens here is never closed"),
        (r"unknown escape", "", "double quotes take no such escape; single quotes take a backslash as it is"),
        (r"Unicode character escape", "", "double quotes take no such escape: that is no character"),
        (r"cannot start any token", "", "'{character}' cannot start a value; put the text in quotes"),
        (r"alphabetic or numeric", "", "a text that starts with * or & must stand in quotes"),
        (r"comment or line break|chomping", "", "'|' and '>' take their text from the lines below"),
        (r"", r"\btag$|parsing a node", "a text that starts with ! must stand in quotes"),
        (r"document start", "", "the value above has ended, and this belongs to nothing"),
        (r"expected (key|'-'|<block end>)", "", "the indentation does not fit the lines above"),
    )
)


def place_and_sentence(text: str, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Return the line of the error, counted from 1, and what is wrong there."""
    lines = text.splitlines() or [""]
    mark = error.problem_mark or error.context_mark
    start = error.context_mark or mark
    if mark is None or start is None:
        return 1, f"this is no YAML: {error.problem}"
    problem = error.problem or ""
    if mark.line >= len(lines) or "find expected ':'" in problem or "end of stream" in problem:
        # Noticed at the end of the file, or lines later: what matters is where it began.
        line, column = min(start.line, len(lines) - 1), start.column
    else:
        line, column = mark.line, mark.column
    if "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]:
        return line + 1, TABS
    return line + 1, _sentence(lines, line, column, error)


def _sentence(lines: Sequence[str], line: int, column: int, error: yaml.MarkedYAMLError) -> str:
    problem, context = error.problem or "", error.context or ""
    rest = lines[line][column:]
    if "flow" in context or "node content" in problem:
        return _in_brackets(lines, line, column, error)
    if re.search(r"expected (key|<block end>)", problem) and lines[line][:column].strip():
        return "this stands behind the end of a value; put the whole text in one pair of quotes"
    for wanted, about, sentence in _SENTENCES:
        if wanted.search(problem) and about.search(context):
            return sentence.format(character=rest[:1])
    return f"this is no YAML: {problem} {context}".rstrip()


def _in_brackets(lines: Sequence[str], line: int, column: int, error: yaml.MarkedYAMLError) -> str:
    rest = lines[line][column:]
    if lines[line][max(column - 1, 0) :].startswith("${"):
        return "inside { } and [ ] a ${VARIABLE} must stand in quotes"
    start = error.context_mark
    if start is not None and "node" not in (error.context or ""):
        opening = lines[start.line][start.column : start.column + 1]
        return f"the '{opening}' in line {start.line + 1} is not closed, or a ',' is missing"
    if rest[:1] in ("]", "}"):
        return f"this '{rest[0]}' closes nothing"
    if rest[:1] == ",":
        return "nothing stands before this ','"
    return "a value is missing here, or a '[' or '{' above is not closed"
