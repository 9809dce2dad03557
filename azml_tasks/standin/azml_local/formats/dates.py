"""Dates in delimited files: which formats Azure ML knows, which one a column is in, how a text is read.

The formats are those of azureml-dataprep 5.5, whose engine writes nothing about them; its answers were measured,
odd ones included (a two-digit year in front is the first century, and out of pandas' range).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_PIVOT = 70  # two-digit years below it are of this century

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
_PLAIN = [*_year_first("-"), *_year_first("/"), *_named_month("-"), *_named_month("/")]
_AMERICAN = [*_month_first("-"), *_month_first("/")]

_patterns: dict[str, re.Pattern] = {}


def formats_of(texts: Iterable[str]) -> list[str] | None:
    """Return the formats that a column's dates are in; None when not every text is a date.

    Where day and month cannot be told apart, the month comes first.
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
    for month_first, values in american.items():
        order = next((f for f in (month_first, _swapped(month_first)) if all(map(_reads(f), values))), None)
        if order is None:
            return None
        plain.append(order)
    return plain or None


def read(text: str, date_format: str) -> datetime.datetime | None:
    """Return the date that a text says in a format, in UTC, to the microsecond; None when it does not."""
    match = _pattern(date_format).fullmatch(text)
    return _moment(match.groupdict()) if match else None


def read_any(text: str, formats: list[str]) -> tuple[datetime.datetime, int] | None:
    """Return the date that a text says in the first format that fits, and the nanoseconds below its microseconds."""
    for date_format in formats:
        match = _pattern(date_format).fullmatch(text)
        moment = _moment(match.groupdict()) if match else None
        if moment is not None:
            fraction = match.groupdict().get("f") or ""
            return moment, int(fraction[6:9].ljust(3, "0")) if len(fraction) > 6 else 0
    return None


def _reads(date_format: str):
    return lambda text: read(text, date_format) is not None


def _either(text: str, month_first: str) -> bool:
    return read(text, month_first) is not None or read(text, _swapped(month_first)) is not None


def _swapped(month_first: str) -> str:
    return f"%d{month_first[2]}%m{month_first[5:]}"


def _pattern(date_format: str) -> re.Pattern:
    if date_format not in _patterns:
        parts = re.split(r"%(\w)", date_format)
        literals = [re.escape(part).replace(r"\ ", r"\s*") for part in parts[::2]]
        names = [_PARTS.get(part, re.escape(f"%{part}")) for part in parts[1::2]]
        pairs = zip(literals, [*names, ""])  # noqa: B905 - there is a literal around each part
        _patterns[date_format] = re.compile("".join(literal + name for literal, name in pairs), re.ASCII)
    return _patterns[date_format]


def _moment(parts: dict[str, str | None]) -> datetime.datetime | None:
    try:
        moment = datetime.datetime(_year(parts), _month(parts), int(parts.get("d") or 1))
        clock = _clock(parts)
        return moment + clock if clock is not None else None
    except (ValueError, OverflowError):
        return None


def _year(parts: dict[str, str | None]) -> int:
    if parts.get("Y"):
        # A year before the first is a date too, but neither Python nor pandas can hold it.
        return max(int(parts["Y"]), 1)
    short = int(parts.get("y") or 0)
    return short + (2000 if short < _PIVOT else 1900)


def _month(parts: dict[str, str | None]) -> int:
    if parts.get("b"):
        return _MONTHS.index(parts["b"].lower()) + 1
    return int(parts.get("m") or 1)


def _clock(parts: dict[str, str | None]) -> datetime.timedelta | None:
    """Return the time of day, less the offset from UTC; None when there is no such time."""
    hour = int(parts.get("H") or 0)
    if parts.get("I"):
        hour = int(parts["I"])
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
