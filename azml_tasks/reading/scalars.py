"""YAML 1.2 scalars: what a plain word in the file stands for.

PyYAML follows YAML 1.1, where `no` is False, `2e-5` is text and `18:30` is a number of seconds.
These are the rules of YAML 1.2's core schema (yaml.org, section 10.3.2).
"""

from __future__ import annotations

import re

from azml_tasks.model.written import WrittenFloat, WrittenInt

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("true", "True", "TRUE"))
_FALSE = frozenset(("false", "False", "FALSE"))
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITY = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NAN = frozenset((".nan", ".NaN", ".NAN"))
# Python writes and reads no number of more than 4,300 digits, to bound the time that it takes; hex holds more in less.
_LONGEST_NUMBER = 1000

Scalar = str | int | float | bool | None


def plain_scalar(text: str) -> Scalar:
    """Return what an unquoted scalar stands for."""
    if text in _NULL:
        return None
    first = text[0]
    if first in "tTfF":
        return True if text in _TRUE else False if text in _FALSE else text
    if first in "0123456789+-." and len(text) < _LONGEST_NUMBER:
        return _number(text)
    return text


def written_scalar(text: str) -> Scalar:
    """Return what an unquoted scalar stands for; a decimal number keeps the text that it is written as."""
    value = plain_scalar(text)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or str(value) == text:
        return value
    if isinstance(value, int):
        return WrittenInt(text) if _INT.fullmatch(text) else value
    return WrittenFloat(text) if _FLOAT.fullmatch(text) else value


def _number(text: str) -> Scalar:
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if found := _INFINITY.fullmatch(text):
        return float(f"{found[1]}inf")
    return float("nan") if text in _NAN else text
