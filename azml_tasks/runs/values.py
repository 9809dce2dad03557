"""Parameters and metrics as `runs.show` prints them: as YAML writes them, texts plain, a series in a short row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from typing import Any

# How long (characters) a series may get before its middle is left out.
_LONGEST = 60


def value_text(value: object) -> str:
    """Return the value as YAML writes it in a line; long lists in it are cut.

    A text stands as it is, since all parameters of Azure are texts, unless it would not be seen or not be one line.
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


def metric_lines(metrics: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each name that was logged, with all that was logged under it."""
    named: dict[str, list[object]] = {}
    for metric in metrics:
        values = metric["value"] if metric.get("kind") == "list" else [metric["value"]]
        named.setdefault(str(metric["name"]), []).extend(values)
    for name, values in named.items():
        yield f"{name} = {series_text(values)}"
