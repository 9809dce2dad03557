"""Types of the columns of delimited files: guessed as Azure ML guesses them, converted as it converts.

Measured on azureml-dataprep 5.5, the engine behind `Dataset.Tabular.from_delimited_files`: the first 200 rows
decide; a later value that does not fit is null.
"""

from __future__ import annotations

import math
import re

from . import dates

SAMPLE_ROWS = 200

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_MIN, _MAX = -(2**63), 2**63 - 1
# Lower-case y, n, yes and no are texts.
_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T", "Y", "Yes", "YES"))
_FALSE = frozenset(("0", "false", "False", "FALSE", "f", "F", "N", "No", "NO"))


class Type:
    """The type of a column: string, boolean, long, float, or datetime in certain formats."""

    def __init__(self, name: str, formats: list[str] | None = None, decimal_mark: str = ".") -> None:
        self.name = name
        self.formats = formats
        self.decimal_mark = decimal_mark

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Type) and vars(self) == vars(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"Type({self.name!r}, {self.formats!r})"


def guess(values: list[str | None]) -> Type:
    """Return the type of a column from its first rows; None is an empty field."""
    texts = [value for value in values if value is not None]
    stripped = [text.strip() for text in texts]
    if not texts:
        return Type("string")
    if all(map(_is_boolean, stripped)):
        return Type("boolean")
    if all(map(_is_long, stripped)):
        return Type("long")
    if all(map(_NUMBER.fullmatch, stripped)):
        return Type("float")
    formats = dates.formats_of(texts)
    return Type("datetime", formats) if formats else Type("string")


def convert(values: list[str | None], kind: Type) -> list:
    """Return a column's values in its type; None for an empty field and for what does not fit.

    A datetime is nanoseconds since 1970.
    """
    if kind.name == "string":
        return values
    if kind.name in _QUICK:
        quick = _converted_quickly(values, _QUICK[kind.name], kind)
        if quick is not None:
            return quick
    one = _CONVERTERS[kind.name]
    # Booleans and dates repeat: each text is converted once.
    known = {value: None if value is None else one(value, kind) for value in set(values)}
    return [known[value] for value in values]


def _converted_quickly(values: list, constructor, kind: Type) -> list | None:
    """Convert with Python's own constructor where it says the same; None where it may not."""
    if None in values or kind.decimal_mark != ".":
        return None
    joined = "".join(values)
    if "_" in joined or not joined.isascii():  # Python takes 1_000 and other scripts' digits
        return None
    try:
        converted = list(map(constructor, values))
    except ValueError:
        return None
    return (
        converted
        if constructor is float or _MIN <= min(converted, default=0) <= max(converted, default=0) <= _MAX
        else None
    )


def _is_boolean(text: str) -> bool:
    # Whole numbers that are 0 or 1 count, whatever their digits; '01' is then no boolean when it is converted.
    return text in _TRUE or text in _FALSE or bool(_INTEGER.fullmatch(text) and int(text) in (0, 1))


def _is_long(text: str) -> bool:
    return bool(_INTEGER.fullmatch(text)) and _MIN <= int(text) <= _MAX


def _to_boolean(text: str, kind: Type) -> bool | None:
    stripped = text.strip()
    if stripped in _TRUE:
        return True
    return False if stripped in _FALSE else None


def _to_long(text: str, kind: Type) -> int | None:
    stripped = text.strip()
    if _is_long(stripped):
        return int(stripped)
    number = _to_float(text, kind)
    if number is None or math.isnan(number):
        return number if number is None else 0
    return _MIN if number <= _MIN else _MAX if number >= _MAX else int(number)


def _to_float(text: str, kind: Type) -> float | None:
    stripped = text.strip()
    if kind.decimal_mark != ".":
        stripped = stripped.replace(".", "").replace(kind.decimal_mark, ".")
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def _to_datetime(text: str, kind: Type) -> int | None:
    found = dates.read_any(text, kind.formats or [])
    if found is None:
        return None
    moment, nanoseconds = found
    since = moment - dates.datetime.datetime(1970, 1, 1)
    return ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 + nanoseconds


_CONVERTERS = {"boolean": _to_boolean, "long": _to_long, "float": _to_float, "datetime": _to_datetime}
_QUICK = {"long": int, "float": float}
