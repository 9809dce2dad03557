"""Words: lists, suggestions, shortened and printable text, sizes, seconds."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from itertools import islice

# Controls, line and paragraph ends, and the marks that turn the direction of writing: a problem must be one line, and
# text from files must not control the terminal.
_UNPRINTABLE = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
# Colour codes, which logs may contain.
_COLOUR = r"\x1b\[[0-9;]*m"
_LONGEST_NAME = 100
_MOST_NAMES = 1_000
_MOST_LISTED = 10


def one_line(text: str) -> str:
    """Return a text without line breaks and control characters."""
    return text if text.isprintable() else re.sub(_UNPRINTABLE, _escaped, text)


def printable(text: str) -> str:
    """Return a text of several lines without control characters and colours."""
    if text.isprintable():
        return text
    plain = re.sub(_COLOUR, "", text.replace("\r\n", "\n"))
    return re.sub(_UNPRINTABLE, lambda found: found[0] if found[0] in "\n\t" else _escaped(found), plain)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def shortened(text: str, most: int = 60) -> str:
    """Return the text, cut at its end when it is longer than `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is close enough to `name` to have been meant, if any."""
    if len(name) > _LONGEST_NAME:
        # Comparing takes quadratic time, and names of this length are not typing mistakes.
        return None
    by_lower_case = {other.lower(): other for other in islice(known, _MOST_NAMES)}
    found = difflib.get_close_matches(name.lower(), by_lower_case, n=1)
    return by_lower_case[found[0]] if found else None


# Suggestions take time, and a few are enough.
MOST_SUGGESTIONS = 20


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is close to `name`, else an empty text."""
    close = closest(name, known)
    return f"; did you mean '{close}'?" if close else ""


def what_there_is(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` when a known name is close to `name`, else the known: `: it has a and b`."""
    names = list(known)
    has = some_listed(names) if names else "none"
    return did_you_mean(name, names) or f": it has {has}"


def some_listed(names: Iterable[str]) -> str:
    """Join names in English, only the first ones if there are many: `a, b and 48 more`."""
    items = list(names)
    more = len(items) - _MOST_LISTED
    return listed(items if more < 2 else [*items[:_MOST_LISTED], f"{more} more"])


def listed(names: Iterable[str], last: str = "and") -> str:
    """Join names in English: `a`, `a and b`, `a, b and c`."""
    items = list(names)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {last} {items[-1]}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which is given in the plural: `1 setting`, `3 settings`."""
    return f"{number:,} {noun.removesuffix('s') if number == 1 else noun}"


_SIZE = r"(?ai)(\d+(?:\.\d+)?) ?([kmgt]?)(i?)b"


def size_of(text: str) -> int | None:
    """Return the bytes of a size such as `500MB`, `1.5 GB` or `2GiB`; None if it is not one."""
    found = re.fullmatch(_SIZE, text.strip())
    if not found or (found[3] and not found[2]):
        return None
    power = " kmgt".index(found[2].lower() or " ")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)


def size_text(size: int) -> str:
    """Return a size: `512 B`, `1.5 kB`, `23 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if round(amount) < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:,.0f} {unit}" if unit == "B" or amount >= 9.95 else f"{amount:.1f} {unit}"


def seconds_text(seconds: float) -> str:
    """Return a time span as text: `0.02 s`, `4.1 s`, `12 s`, `3 min 5 s`, `2 h 4 min`."""
    if seconds < 9.95:
        return f"{seconds:.2f} s" if seconds < 0.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes_left = divmod(minutes, 60)
    return f"{hours} h {minutes_left} min" if hours else f"{minutes} min {rest} s"
