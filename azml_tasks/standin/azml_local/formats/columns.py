"""Types of the columns of delimited files: guessed as Azure ML guesses them, converted as it converts.

Measured on azureml-dataprep 5.5, the engine behind `Dataset.Tabular.from_delimited_files`: the first 200 rows
decide; a later value that does not fit is null. So were the formats of dates, of which the engine writes nothing, with
odd answers: a two-digit year in front is the first century, and out of pandas' range.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from .delimited import SPACES

TYPE_CHECKING = False
if TYPE_CHECKING:
    Value = str | bool | int | float | None  # not at run time: a job of Azure ML v2 may have Python 3.9

SAMPLE_ROWS = 200

_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_BIT = re.compile(r"[+-]?0+|\+?0*1", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_MIN, _MAX = -(2**63), 2**63 - 1
# Lower-case y, n, yes and no are texts.
_TRUE = frozenset(("1", "true", "True", "TRUE", "t", "T", "Y", "Yes", "YES"))
_FALSE = frozenset(("0", "false", "False", "FALSE", "f", "F", "N", "No", "NO"))


@dataclass(frozen=True)
class Type:
    """The type of a column: string, boolean, long, float, or datetime in certain formats.

    A datetime without formats is one whose formats the first rows show; `settled` finds them.
    """

    name: str
    formats: Sequence[str] | None = None
    decimal_mark: str = "."


def guess(values: Iterable[str | None]) -> Type:
    """Return the type of a column from its first rows; None is an empty field."""
    texts = [value for value in values if value is not None]
    stripped = [text.strip(SPACES) for text in texts]
    if not texts:
        return Type("string")
    if all(map(_is_boolean, stripped)):
        return Type("boolean")
    if all(map(_is_long, stripped)):
        return Type("long")
    if all(map(_NUMBER.fullmatch, stripped)):
        return Type("float")
    dates = date_formats(texts)
    return Type("datetime", tuple(dates[0])) if dates else Type("string")


def settled(kind: Type, values: Iterable[str | None]) -> Type:
    """Return the type with the formats of its dates, as the column's first rows show them.

    Raises ValueError with the problem of the dates if Azure ML cannot detect the format.
    """
    if kind.name != "datetime" or kind.formats is not None:
        return kind
    texts = [value for value in values if value is not None]
    found = date_formats(texts)
    if found is None:
        wrong = next((f"{text!r} is not a date" for text in texts if date_formats([text]) is None), None)
        raise ValueError(wrong or ("both month-day and day-month dates were found" if texts else "no dates were found"))
    formats, is_ambiguous = found
    if is_ambiguous:
        raise ValueError("month-day and day-month both fit")
    return Type("datetime", tuple(formats))


def convert(values: Sequence[str | None], kind: Type) -> tuple[list[Value], frozenset[str]]:
    """Return a column's values in its type, and the texts that do not match the type.

    None is an empty or invalid field. A datetime is nanoseconds since 1970.
    """
    if kind.name == "string":
        return list(values), frozenset()
    quick = _converted_quickly(values, kind)
    if quick is not None:
        return quick, frozenset()
    one = _CONVERTERS[kind.name]
    # Booleans and dates repeat: each text is converted once.
    known = {value: None if value is None else one(value, kind) for value in set(values)}
    unread = frozenset(text for text, value in known.items() if text is not None and value is None)
    return [known[value] for value in values], unread


def _converted_quickly(values: Sequence[str | None], kind: Type) -> list[Value] | None:
    """Convert with Python's constructor if it has the same result; None if it may differ."""
    if kind.name not in ("long", "float") or kind.decimal_mark != ".":
        return None
    try:
        joined = "".join(values)  # type: ignore[arg-type]
    except TypeError:  # there is a None
        return None
    # Python takes 1_000, other scripts' digits, and the separators 1c to 1f as spaces.
    if not joined.isascii() or any(mark in joined for mark in "_\x1c\x1d\x1e\x1f"):
        return None
    try:
        if kind.name == "float":
            return list(map(float, values))  # type: ignore[arg-type]
        whole = list(map(int, values))  # type: ignore[arg-type]
    except ValueError:
        return None
    return list(whole) if _MIN <= min(whole, default=0) <= max(whole, default=0) <= _MAX else None


def _is_boolean(text: str) -> bool:
    # Any spelling of 0 or 1 counts here; '01' is then not a boolean in the conversion.
    return text in _TRUE or text in _FALSE or bool(_BIT.fullmatch(text))


def _is_long(text: str) -> bool:
    # Python refuses to convert thousands of digits.
    return bool(_INTEGER.fullmatch(text)) and len(text.lstrip("+-").lstrip("0")) < 20 and _MIN <= int(text) <= _MAX


def _to_boolean(text: str, kind: Type) -> bool | None:
    stripped = text.strip(SPACES)
    if stripped in _TRUE:
        return True
    return False if stripped in _FALSE else None


def _to_long(text: str, kind: Type) -> int | None:
    stripped = text.strip(SPACES)
    if _is_long(stripped):
        return int(stripped)
    number = _to_float(text, kind)
    if number is None or math.isnan(number):
        return number if number is None else 0
    return _MIN if number <= _MIN else _MAX if number >= _MAX else int(number)


def _to_float(text: str, kind: Type) -> float | None:
    stripped = text.strip(SPACES)
    if kind.decimal_mark != ".":
        stripped = stripped.replace(".", "").replace(kind.decimal_mark, ".")
    return float(stripped) if _NUMBER.fullmatch(stripped) else None


def _to_datetime(text: str, kind: Type) -> int | None:
    found = read_any(text, kind.formats or [])
    if found is None:
        return None
    moment, nanoseconds = found
    since = moment - datetime.datetime(1970, 1, 1)
    return ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000 + nanoseconds


_CONVERTERS: dict[str, Callable[[str, Type], Value]] = {
    "boolean": _to_boolean,
    "long": _to_long,
    "float": _to_float,
    "datetime": _to_datetime,
}


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
PIVOT = 70  # two-digit years below it are of this century

_PARTS = {
    "Y": r"\s*(?P<Y>[+-]?\d{1,4})",
    "y": r"\s*(?P<y>\d{1,2})",
    "m": r"\s*(?P<m>\d{1,2})",
    "d": r"\s*(?P<d>\d{1,2})",
    "b": r"(?P<b>[A-Za-z]{3})",
    "H": r"\s*(?P<H>\d{1,2})",
    "I": r"\s*(?P<I>\d{1,2})",
    "M": r"\s*(?P<M>\d{1,2})",
    "S": r"\s*(?P<S>\d{1,2})",
    "f": r"(?P<f>\d+)",
    "p": r"(?P<p>[AaPp][Mm])",
    "z": r"\s*(?P<z>[Zz]|UTC|utc|[+-]\d\d:?\d\d)",
}
_ISO_TIMES = ("T%H:%M:%S", " %H:%M:%S")
_AMERICAN_TIMES = ("", " %I:%M %p", " %I:%M:%S %p", " %H:%M", " %H:%M:%S")
_NAMED_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f")


def _year_first(separator: str) -> list[str]:
    date = f"%Y{separator}%m{separator}%d"
    return [date, *(date + time + more for more in ("", ".%f", "%z", ".%f%z") for time in _ISO_TIMES)]


def _month_first(separator: str) -> list[str]:
    dates = [f"%m{separator}%d{separator}{year}" for year in ("%y", "%Y")]
    return [date + time for time in _AMERICAN_TIMES for date in dates]


def _named_month(separator: str) -> list[str]:
    dates = [f"%d{separator}%b{separator}{year}" for year in ("%y", "%Y")]
    return [date + time for time in _NAMED_TIMES for date in dates]


# In the order in which they are tried.
YEAR_FIRST = [*_year_first("-"), *_year_first("/")]
_PLAIN = [*YEAR_FIRST, *_named_month("-"), *_named_month("/")]
_AMERICAN = [*_month_first("-"), *_month_first("/")]

_patterns: dict[str, re.Pattern[str]] = {}
_literals: dict[str, str] = {}


def date_formats(texts: Iterable[str]) -> tuple[list[str], bool] | None:
    """Return the formats of a column's dates; None if not every text is a date.

    If day and month are ambiguous, the month comes first, and the second value is True.
    """
    plain: list[str] = []
    american: dict[str, list[str]] = {}
    for text in texts:
        found = next((f for f in _PLAIN if read(text, f) is not None), None)
        if found is not None:
            if found not in plain:
                plain.append(found)
            continue
        found = next((f for f in _AMERICAN if _either(text, f)), None)
        if found is None:
            return None
        american.setdefault(found, []).append(text)
    is_ambiguous = False
    for month_first, values in american.items():
        orders = [f for f in (month_first, _swapped(month_first)) if all(map(_reads(f), values))]
        if not orders:
            return None
        plain.append(orders[0])
        is_ambiguous = is_ambiguous or len(orders) > 1
    return (plain, is_ambiguous) if plain else None


def read(text: str, date_format: str) -> datetime.datetime | None:
    """Parse a date in a format, in UTC, to the microsecond; None if it does not match."""
    match = _match(text, date_format)
    return _moment(match.groupdict()) if match else None


def read_any(text: str, formats: Sequence[str]) -> tuple[datetime.datetime, int] | None:
    """Parse a date with the first format that matches, with the nanoseconds below its microseconds."""
    for date_format in formats:
        match = _match(text, date_format)
        moment = _moment(match.groupdict()) if match else None
        if match and moment is not None:
            fraction = match.groupdict().get("f") or ""
            return moment, int(fraction[6:9].ljust(3, "0")) if len(fraction) > 6 else 0
    return None


def _reads(date_format: str) -> Callable[[str], bool]:
    return lambda text: read(text, date_format) is not None


def _either(text: str, month_first: str) -> bool:
    return read(text, month_first) is not None or read(text, _swapped(month_first)) is not None


def _swapped(month_first: str) -> str:
    return f"%d{month_first[2]}%m{month_first[5:]}"


def _match(text: str, date_format: str) -> re.Match[str] | None:
    # There are dozens of formats, and patterns take long to compile.
    if date_format not in _literals:
        _literals[date_format] = "".join(re.split(r"%\w| ", date_format))
    literals = _literals[date_format]
    return _pattern(date_format).fullmatch(text) if all(letter in text for letter in literals) else None


def _pattern(date_format: str) -> re.Pattern[str]:
    if date_format not in _patterns:
        parts = re.split(r"%(\w)", date_format)
        literals = [re.escape(part).replace(r"\ ", r"\s*") for part in parts[::2]]
        names = [_PARTS.get(part, re.escape(f"%{part}")) for part in parts[1::2]]
        pairs = zip(literals, [*names, ""])  # noqa: B905 - there is a literal around each part
        _patterns[date_format] = re.compile("".join(literal + name for literal, name in pairs), re.ASCII)
    return _patterns[date_format]


def _moment(parts: Mapping[str, str | None]) -> datetime.datetime | None:
    try:
        moment = datetime.datetime(_year(parts), _month(parts), int(parts.get("d") or 1))
        clock = _clock(parts)
        return moment + clock if clock is not None else None
    except (ValueError, OverflowError):
        return None


def _year(parts: Mapping[str, str | None]) -> int:
    full = parts.get("Y")
    if full:
        # A year before the first is a date too, but neither Python nor pandas can hold it.
        return max(int(full), 1)
    short = int(parts.get("y") or 0)
    return short + (2000 if short < PIVOT else 1900)


def _month(parts: Mapping[str, str | None]) -> int:
    named = parts.get("b")
    if named:
        return MONTHS.index(named.lower()) + 1
    return int(parts.get("m") or 1)


def _clock(parts: Mapping[str, str | None]) -> datetime.timedelta | None:
    """Return the time of day, minus the offset from UTC; None if invalid."""
    hour = int(parts.get("H") or 0)
    twelve = parts.get("I")
    if twelve:
        hour = int(twelve)
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if (parts.get("p") or "").lower() == "pm" else 0)
    minute, second = int(parts.get("M") or 0), int(parts.get("S") or 0)
    if hour > 23 or minute > 59 or second > 60:  # 60 is a leap second
        return None
    micros = int((parts.get("f") or "0")[:6].ljust(6, "0"))
    time = datetime.timedelta(hours=hour, minutes=minute, seconds=second, microseconds=micros)
    return time - _offset(parts.get("z"))


def _offset(zone: str | None) -> datetime.timedelta:
    if not zone or zone.upper() in ("Z", "UTC"):
        return datetime.timedelta()
    digits = zone[1:].replace(":", "")
    offset = datetime.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return -offset if zone[0] == "-" else offset
