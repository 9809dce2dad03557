"""Show values, metrics and tables of runs as text."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate

from azml_tasks.text import seconds_text

# The longest text of a series (characters) that is not shortened in the middle.
_LONGEST = 60


def value_text(value: object) -> str:
    """Return the value as one line of YAML, with long lists shortened.

    Text is not quoted, because all parameters of Azure are text, unless it is invisible or has several lines.
    """
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {value_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{series_text(value)}]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, str):
        return value if value.isprintable() and value.strip() else json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def series_text(values: Iterable[object]) -> str:
    """Return the values in a row: `0.5, 0.6, 0.7`; of many the first and the last: `0.5, 0.6, ... 0.7 (12 values)`."""
    texts = [value_text(value) for value in values]
    whole = ", ".join(texts)
    if len(texts) < 3 or len(whole) <= _LONGEST:
        return whole
    end = f"... {texts[-1]} ({len(texts):,} values)"
    room = _LONGEST - len(end)
    first = sum(length <= room for length in accumulate(len(text) + 2 for text in texts[:-1]))
    return ", ".join([*texts[:first], end])


def table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def local_time(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def time_taken(seconds: float | None) -> str:
    return seconds_text(seconds) if seconds is not None else ""
