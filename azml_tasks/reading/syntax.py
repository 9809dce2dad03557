"""YAML 1.2 syntax: values of plain scalars, and messages for parser errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import yaml

from azml_tasks.model.written import WrittenFloat, WrittenInt
from azml_tasks.text import shortened

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INT = r"[-+]?[0-9]+"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
_INFINITIES = frozenset((".inf", ".Inf", ".INF"))
_NAN = frozenset((".nan", ".NaN", ".NAN"))
# Python writes and reads no number of more than 4,300 digits, to bound the time that it takes; hex holds more in less.
_LONGEST_NUMBER = 1000

Scalar = str | int | float | bool | None


def plain_scalar(text: str) -> Scalar:
    """Return the value of an unquoted scalar."""
    if text in _NULL:
        return None
    first = text[0]
    if first in "tTfF":
        return True if text in _TRUE else False if text in _FALSE else text
    if first in "0123456789+-." and not text.startswith("--") and len(text) < _LONGEST_NUMBER:
        return _number(text)
    return text


def written_scalar(text: str) -> Scalar:
    """Return the value of an unquoted scalar; a decimal number keeps its text."""
    value = plain_scalar(text)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or str(value) == text:
        return value
    if isinstance(value, int):
        return WrittenInt(text) if re.fullmatch(_INT, text) else value
    return WrittenFloat(text) if re.fullmatch(_FLOAT, text) else value


def _number(text: str) -> Scalar:
    if re.fullmatch(_INT, text):
        return int(text)
    if re.fullmatch(_FLOAT, text):
        return float(text)
    if text.startswith("0o") and re.fullmatch("0o[0-7]+", text):
        return int(text[2:], 8)
    if text.startswith("0x") and re.fullmatch("0x[0-9a-fA-F]+", text):
        return int(text[2:], 16)
    if text.removeprefix("-" if text[0] == "-" else "+") in _INFINITIES:
        return float(text.replace(".", ""))
    return float("nan") if text in _NAN else text


KeyPath = tuple[str | int, ...]

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

TABS = "YAML does not allow tabs for indentation; use spaces"

# (the parser's problem, its context, our message); the first match counts.
_SENTENCES = (
    (
        r"mapping values",
        "",
        "a key is not allowed here: check the indentation and the line above, or put text that contains ': ' in quotes",
    ),
    (r"sequence entries", "", "a list cannot start here; put its first '- ' on a new line"),
    (r"find expected ':'", "", "missing ':' after this key"),
    (r"end of stream", "quoted", "the quote that opens here is not closed"),
    (r"unknown escape", "", "invalid escape in double quotes; single quotes keep backslashes unchanged"),
    (r"Unicode character escape", "", "invalid escape in double quotes: not a character"),
    (r"cannot start any token", "", "'{character}' cannot start a value; put the text in quotes"),
    (r"alphabetic or numeric", "", "text that starts with * or & must be in quotes"),
    (r"comment or line break|chomping", "", "the text after '|' or '>' starts on the next line"),
    (r"", r"\btag$|parsing a node", "text that starts with ! must be in quotes"),
    (r"document start", "", "unexpected text after the end of the value above"),
    (r"expected (key|'-'|<block end>)", "", "the indentation does not match the lines above"),
)


def place_and_sentence(text: str, error: yaml.MarkedYAMLError) -> tuple[int, str]:
    """Return the line of the error, counted from 1, and the message."""
    lines = text.splitlines() or [""]
    mark = error.problem_mark or error.context_mark
    start = error.context_mark or mark
    if mark is None or start is None:
        return 1, f"invalid YAML: {error.problem}"
    problem = error.problem or ""
    if mark.line >= len(lines) or "find expected ':'" in problem or "end of stream" in problem:
        # Detected at the end of the file, or lines later: report where it began.
        line, column = min(start.line, len(lines) - 1), start.column
    else:
        line, column = mark.line, mark.column
    if "\t" in lines[line][: len(lines[line]) - len(lines[line].lstrip())]:
        return line + 1, TABS
    opened = _quote_before(text, line, column)
    if opened is not None:
        return opened + 1, f"the quote that opens here is not closed until line {line + 1}"
    return line + 1, _sentence(lines, line, column, error)


def _quote_before(text: str, line: int, column: int) -> int | None:
    """Return the first line, counted from 0, of the quoted text over several lines that ends in this line, directly
    before an error; None without one."""
    if not re.search("['\"]", text.splitlines()[line][:column]):
        return None
    found = None
    with suppress(yaml.YAMLError):
        for token in yaml.scan(text, Loader=Loader):
            if token.start_mark.line > line:
                break
            if isinstance(token, yaml.ScalarToken) and token.style in ("'", '"') and token.end_mark.line == line:
                is_before = token.end_mark.column <= column and token.start_mark.line < line
                found = token.start_mark.line if is_before else found
    return found


def _sentence(lines: Sequence[str], line: int, column: int, error: yaml.MarkedYAMLError) -> str:
    problem, context = error.problem or "", error.context or ""
    rest = lines[line][column:]
    if "unexpected ':'" in problem:
        return _without_space(lines[line], column)
    if "flow" in context or "node content" in problem:
        return _in_brackets(lines, line, column, error)
    if re.search(r"expected (key|<block end>)", problem) and lines[line][:column].strip():
        return "unexpected text after a quoted value; put the whole text in one pair of quotes"
    for wanted, about, sentence in _SENTENCES:
        if re.search(wanted, problem) and re.search(about, context):
            return sentence.format(character=rest[:1])
    return f"invalid YAML: {problem} {context}".rstrip()


def _in_brackets(lines: Sequence[str], line: int, column: int, error: yaml.MarkedYAMLError) -> str:
    rest = lines[line][column:]
    if lines[line][max(column - 1, 0) :].startswith("${"):
        return (
            "inside { } and [ ], ${VARIABLE} must be in quotes, and is text; for a number, write the key on a line of "
            "its own"
        )
    start = error.context_mark
    if start is not None and "node" not in (error.context or ""):
        opening = lines[start.line][start.column : start.column + 1]
        return f"the '{opening}' on line {start.line + 1} is not closed, or a ',' is missing"
    if rest[:1] in ("]", "}"):
        return f"unexpected '{rest[0]}'"
    if rest[:1] == ",":
        return "missing value before this ','"
    return "missing value, or a '[' or '{' above is not closed"


_NO_SPACE = r"(?s)(?P<key>[^\s:{}\[\],]+):(?P<value>[^\s:/\\].*)"


def with_space(text: str) -> str:
    """Return `trees: 50` for `trees:50`, which YAML reads as a text, not as a key and its value; else an empty text."""
    found = re.fullmatch(_NO_SPACE, text)
    return f"{found['key']}: {found['value'].split()[0]}" if found else ""


_LAST_WORD = r"[^\s:{}\[\],]*\Z"


def _without_space(line: str, colon: int) -> str:
    """Return what is wrong with a colon that a bracket follows, or nothing, as in `{layers:[1]}` and `{a:}`."""
    word = re.search(_LAST_WORD, line[:colon])
    key = word[0] if word else ""
    value = line[colon + 1 :]
    if value[:1] not in ("[", "{"):
        return f"'{shortened(key)}:': a space and a value are missing after the colon: write {shortened(key)}: VALUE"
    value = shortened(value[: _end_of_brackets(value)])
    return f"'{shortened(key)}:{value}': a space is missing after the colon: write {shortened(key)}: {value}"


def _end_of_brackets(text: str) -> int:
    """Return where the bracket ends that the text begins with; the end of the text if it is not in it."""
    depth = 0
    for place, character in enumerate(text):
        depth += (character in "[{") - (character in "]}")
        if not depth:
            return place + 1
    return len(text)
