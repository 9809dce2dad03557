"""What is different from the run before: last metrics, settings, and everything else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from azml_tasks.runs.compare import Comparison, Row, Section, setting_values
from azml_tasks.runs.details import RunDetails
from azml_tasks.runs.listing import values_of
from azml_tasks.runs.metrics import Metrics, figure, is_number
from azml_tasks.runs.report.texts import Budget, Hider

_MOST_HIGHLIGHTS = 6
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Highlight:
    """A number worth a headline; `change` is its difference from the run before."""

    name: str
    text: str
    change: str = ""


@dataclass(frozen=True)
class Setting:
    """A setting of the run, and what it was in the run before if that is different."""

    name: str
    text: str
    before: str | None


@dataclass(frozen=True)
class Change:
    """Something that differs from the run before, in its words: added, removed or changed."""

    name: str
    before: str
    now: str


def highlights(metrics: Sequence[Metrics], steps: Iterable[str], comparison: Comparison | None) -> Iterator[Highlight]:
    """Yield the numbers that the run, the first of the metrics, and its last steps, the others, logged once."""
    found: dict[str, tuple[str, float]] = {}
    own, *others = metrics
    for key, one in (("", own), *reversed([*zip(steps, others, strict=True)])):
        for series in one.series:
            if len(series.values) == 1 and is_number(series.last):
                found.setdefault(series.name, (f"{key}.{series.name}" if key else series.name, series.last))
    # Only with the same step: another one may mean something else by the name.
    before = values_of(comparison.runs[0].run) if comparison else {}
    for name, (place, value) in list(found.items())[:_MOST_HIGHLIGHTS]:
        yield Highlight(name, figure(value), _change(before.get(place), value))


def settings(details: RunDetails, comparison: Comparison | None, hide: Hider) -> Iterator[Setting]:
    """Yield the settings of the run, and those that only the run before had."""
    before = setting_values(comparison.runs[0]) if comparison else None
    now = setting_values(details)
    for name in dict.fromkeys((*now, *(before or ()))):
        text = hide.value(name, now[name]) if name in now else "-"
        was = None
        if before is not None and not (name in before and name in now and _same(before[name], now[name])):
            was = hide.value(name, before[name]) if name in before else "-"
        yield Setting(name, text, was)


def changes(comparison: Comparison | None, hide: Hider, left: Budget) -> Iterator[tuple[str, list[Change], int]]:
    """Yield each subject with what changed since the run before; the settings have a place of their own."""
    for section in comparison.sections if comparison else ():
        rows = [row for row in section.different if section.title != "settings"]
        if not rows:
            continue
        kept = rows[: max(3, min(40, left.changes))]
        left.changes = max(0, left.changes - len(kept))
        shown = [Change(row.name, *_shown(section, row, hide)) for row in kept]
        yield section.title, shown, len(rows) - len(kept)


def _shown(section: Section, row: Row, hide: Hider) -> list[str]:
    is_metric = section.title == "metrics"
    hidden = [hide.setting(row.name, value) if is_metric else value for value in row.values]
    return [hide.short(text, 80) for text in section.texts_of(hidden)]


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _change(before: Any, now: float) -> str:
    if not is_number(before) or before == now:
        return ""
    difference = now - before
    if math.isnan(difference):
        return ""
    is_small = isinstance(difference, float) and abs(difference) < 100
    size = f"{abs(difference):.2g}" if is_small else figure(abs(difference))
    return f"{'+' if difference > 0 else _MINUS}{size}"
