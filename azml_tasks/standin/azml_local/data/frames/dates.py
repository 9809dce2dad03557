"""Parse columns of dates from the bytes of a file, all rows at once, as formats/columns.py parses each.

Only the common forms: each number has the digits of its directive, or one digit less where the next character ends it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Sequence

from ...formats import columns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy

    Array = numpy.ndarray[Any, Any]

# How many characters a directive takes; two where it is not said.
_WIDTHS = {"%Y": (4,), "%b": (3,), "%f": tuple(range(9, 0, -1)), "%z": (1, 3, 5, 6)}
_TWO = (2,)
_MAY_BE_SHORT = ("%m", "%d", "%H", "%I")
_LONGEST = 64
# Years of which pandas holds every day.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
_UNKNOWN = -(2**63)

# Directives and other characters in order, and how many characters each takes.
Form = tuple[tuple[str, int], ...]


def parse(array: Array, starts: Array, ends: Array, formats: Sequence[str]) -> tuple[Array, Array]:
    """Parse the fields that bytes hold from `starts` to `ends`, without the quotes around them.

    Returns nanoseconds since 1970, int64 (rows,), the smallest for what is not parsed here, and a mask of what is.
    """
    import numpy

    values = numpy.full(len(starts), _UNKNOWN)
    # Of several formats the first that fits counts; no text fits two of those that start with the year.
    if len(formats) > 1 and not set(formats) <= set(columns.YEAR_FIRST):
        return values, values != _UNKNOWN
    is_quoted = (array[starts] == ord('"')) & (starts < ends)
    starts, lengths = starts + is_quoted, ends - starts - 2 * is_quoted
    present = set(numpy.flatnonzero(numpy.bincount(numpy.clip(lengths, 0, _LONGEST + 1))).tolist())
    for form in itertools.chain.from_iterable(map(_forms, formats)):
        length = sum(width for _, width in form)
        if length in present:
            rows = numpy.flatnonzero((lengths == length) & (values == _UNKNOWN))
            if len(rows):
                values[rows] = _read(array, starts[rows], form)
    return values, values != _UNKNOWN


@functools.lru_cache
def _forms(date_format: str) -> Sequence[Form]:
    """Return the forms that dates of a format commonly have; none if the format is unusual."""
    parts = re.findall(r"%\w|[^%]", date_format)
    directives = {part for part in parts if part[0] == "%"}
    is_known = directives <= {*_WIDTHS, *_MAY_BE_SHORT, "%y", "%M", "%S", "%p"}
    if "".join(parts) != date_format or not date_format.isascii() or not is_known:
        return ()
    if any(parts.count(directive) > 1 for directive in directives) or len(directives & {"%Y", "%y"}) != 1:
        return ()
    if directives >= {"%m", "%b"} or directives >= {"%H", "%I"} or ("%p" in directives and "%I" not in directives):
        return ()
    if date_format.partition("%f")[2] not in ("", "%z"):
        return ()
    widths = [_widths(part, following) for part, following in zip(parts, [*parts[1:], ""])]  # noqa: B905
    forms = (tuple(zip(parts, chosen)) for chosen in itertools.product(*widths))  # noqa: B905
    return [form for form in forms if sum(width for _, width in form) <= _LONGEST]


def _widths(part: str, following: str) -> Sequence[int]:
    """Return how many characters a part of a format takes; `following` is the next part."""
    if part[0] != "%":
        return (1,)
    # Before a digit it would be unclear where a short number ends.
    is_delimited = following in ("", "%b", "%p", "%z") or not (following[0] == "%" or following.isdigit())
    return (2, 1) if part in _MAY_BE_SHORT and is_delimited else _WIDTHS.get(part, _TWO)


def _read(array: Array, starts: Array, form: Form) -> Array:
    """Return the nanoseconds of texts of one form, the smallest where they are not dates."""
    import numpy

    is_date: Array = numpy.ones(len(starts), dtype=bool)
    numbers: dict[str, Any] = {"%m": 1, "%d": 1, "%H": 0, "%M": 0, "%S": 0, "%f": 0, "%z": 0}
    length = sum(width for _, width in form)
    windows = numpy.ndarray((len(array) - length + 1, length), "uint8", array, strides=(1, 1))
    rest = windows[starts].T.copy()
    for part, width in form:
        characters, rest = rest[:width], rest[width:]
        if part[0] != "%":
            is_date &= characters[0] == ord(part)
        else:
            numbers[part], is_valid = _number(part, characters)
            is_date &= is_valid
    if "%y" in numbers:
        numbers["%Y"] = numbers["%y"] + numpy.where(numbers["%y"] < columns.PIVOT, 2000, 1900)
    if "%I" in numbers:
        is_date &= (numbers["%I"] >= 1) & (numbers["%I"] <= 12)
        numbers["%H"] = numbers["%I"] % 12 + numbers.get("%p", 0)
    year, month, day = numbers["%Y"], numbers.get("%b", numbers["%m"]), numbers["%d"]
    is_date &= (year >= _FIRST_YEAR) & (year <= _LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1) & (day <= 31)
    is_date &= (numbers["%H"] <= 23) & (numbers["%M"] <= 59) & (numbers["%S"] <= 60)
    firsts = _firsts_of_months()
    place = numpy.where(is_date, (year - _FIRST_YEAR) * 12 + month - 1, 0)
    days = firsts[place] + day - 1
    is_date &= days < firsts[place + 1]
    seconds = (days * 24 + numbers["%H"]) * 3600 + numbers["%M"] * 60 + numbers["%S"] - numbers["%z"]
    found: Array = numpy.where(is_date, seconds * 1_000_000_000 + numbers["%f"], _UNKNOWN)
    return found


@functools.lru_cache
def _firsts_of_months() -> Array:
    """Return the days since 1970 of the first of each month, and of the one after them, int64."""
    import numpy

    months = range((_FIRST_YEAR - 1970) * 12, (_LAST_YEAR - 1970 + 1) * 12 + 1)
    firsts: Array = numpy.array(months, dtype="M8[M]").astype("M8[D]").astype("int64")
    return firsts


def _number(part: str, characters: Array) -> tuple[Array, Array]:
    """Return the number that characters, uint8 (width, rows), mean for a directive, and whether they mean one."""
    if part == "%z":
        return _offset(characters)
    if part in ("%b", "%p"):
        # In lower case, if they are letters.
        place, is_name = _which(characters | 0x20, columns.MONTHS if part == "%b" else ("am", "pm"))
        return place + 1 if part == "%b" else place * 12, is_name
    number, is_number = _digits(characters)
    return number * 10 ** (9 - len(characters)) if part == "%f" else number, is_number


def _which(characters: Array, texts: Sequence[str]) -> tuple[Array, Array]:
    """Return the place of the text that characters are, and whether they are one of the texts."""
    import numpy

    place: Array = numpy.full(characters.shape[1], -1)
    for number, text in enumerate(texts):
        place[(characters == numpy.frombuffer(text.encode(), "uint8")[:, None]).all(axis=0)] = number
    return place, place >= 0


def _digits(characters: Array) -> tuple[Array, Array]:
    """Return the number that digits are, int64 (rows,), and whether they all are digits."""
    import numpy

    digits: Array = characters - numpy.uint8(ord("0"))  # uint8: what is below is above 9
    # Up to two digits are a number below 256, up to nine one below 2 ** 31.
    number: Array = digits[0] if len(digits) < 3 else digits[0].astype("int32")
    for digit in digits[1:]:
        number = number * 10 + digit
    are_digits: Array = (digits <= 9).all(axis=0)
    return number.astype("int64"), are_digits


def _offset(characters: Array) -> tuple[Array, Array]:
    """Return the seconds of an offset from UTC, and whether the characters are one."""
    import numpy

    if len(characters) < 5:
        place, is_utc = _which(characters, ("Z", "z") if len(characters) == 1 else ("UTC", "utc"))
        return place * 0, is_utc
    sign, (hours, has_hours), (minutes, has_minutes) = characters[0], _digits(characters[1:3]), _digits(characters[-2:])
    is_offset = has_hours & has_minutes & ((sign == ord("+")) | (sign == ord("-")))
    if len(characters) == 6:
        is_offset &= characters[3] == ord(":")
    return numpy.where(sign == ord("-"), -1, 1) * (hours * 3600 + minutes * 60), is_offset
