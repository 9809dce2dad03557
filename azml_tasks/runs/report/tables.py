"""Tables on the page: of metrics, of all steps, and confusion matrices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from azml_tasks.runs.metrics import Metrics, Table, figure, is_number
from azml_tasks.runs.records import ChildRun
from azml_tasks.runs.report.texts import Budget, Hider
from azml_tasks.runs.summary import OF_MLFLOW

_MOST_CELLS = 12
_LARGEST_MATRIX = 40
# Columns of the table of all steps.
_MOST_NAMES = 8


@dataclass(frozen=True)
class TableView:
    """A table with its first rows, of `length`."""

    name: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    length: int
    left_out: int = 0


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix; each cell has its text and its shade from 0 to 9."""

    name: str
    labels: tuple[str, ...]
    rows: tuple[tuple[tuple[str, int], ...], ...]


def table_view(table: Table, hide: Hider, left: Budget) -> TableView:
    """Return a metric's table with its first rows."""
    names = list(table.columns)[:_MOST_CELLS]
    share = max(3, min(30, left.rows // 4))
    rows = []
    for place, row in enumerate(table.rows()):
        if place == share:
            break
        cells = zip(names, row, strict=False)
        rows.append(tuple(hide.short(_cell(hide.setting(name, value)), 60) for name, value in cells))
    left.rows = max(0, left.rows - len(rows))
    return TableView(table.name, tuple(names), tuple(rows), table.length, len(table.columns) - len(names))


def overview(steps: Iterable[tuple[str, Metrics]], least: int, hide: Hider) -> TableView | None:
    """Return the last values of the metrics of steps; None of `least` steps with metrics or fewer."""
    found = [(key, values) for key, metrics in steps if (values := metrics.values())]
    if len(found) <= least:
        return None
    counts = Counter(name for _, values in found for name in values)
    names = [name for name, _ in counts.most_common(_MOST_NAMES)]
    rows = []
    for key, values in found:
        cells = (hide.setting(name, values[name]) if name in values else None for name in names)
        rows.append((hide.short(key, 60), *(hide.short(_cell(cell), 30) for cell in cells)))
    return TableView("Last values", ("step", *names), tuple(rows), len(rows), len(counts) - len(names))


def children_table(children: Sequence[ChildRun], hide: Hider, left: Budget) -> TableView:
    """Return child runs as rows: their parameters, tags and the last values of their metrics."""
    rows = [(child.name.partition(">")[2], _facts(child)) for child in children]
    names = list(dict.fromkeys(name for _, facts in rows for name in facts))
    shown = rows[: max(3, min(100, left.rows // 2))]
    left.rows = max(0, left.rows - len(shown))
    cells = []
    for key, facts in shown:
        values = (hide.setting(name, facts[name]) if name in facts else None for name in names[:_MOST_CELLS])
        cells.append((hide.short(key, 60), *(hide.short(_cell(value), 60) for value in values)))
    return TableView(
        "Child runs", ("run", *names[:_MOST_CELLS]), tuple(cells), len(rows), max(0, len(names) - _MOST_CELLS)
    )


def _facts(child: ChildRun) -> dict[str, Any]:
    tags = {name: "yes" if tag is None else tag for name, tag in child.tags.items() if not name.startswith(OF_MLFLOW)}
    return {**child.parameters, **Metrics.of(child.metrics).values(), **tags}


def _cell(value: Any) -> str:
    return "" if value is None else figure(value)


def matrix_of(name: str, document: Any) -> Matrix | None:
    """Return a confusion matrix as Azure ML describes it: `{"data": {"class_labels": [...], "matrix": [[...]]}}`."""
    data = document.get("data") if isinstance(document, dict) else None
    rows = data.get("matrix") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not 0 < len(rows) <= _LARGEST_MATRIX:
        return None
    if not all(isinstance(row, list) and len(row) == len(rows) and all(map(is_number, row)) for row in rows):
        return None
    assert isinstance(data, dict)
    labels = data.get("class_labels")
    named = [str(label) for label in labels] if isinstance(labels, list) and len(labels) == len(rows) else None
    most = max((abs(value) for row in rows for value in row if abs(value) < float("inf")), default=0) or 1
    shaded = tuple(
        tuple((figure(value), min(9, int(9 * abs(value) / most)) if abs(value) < float("inf") else 0) for value in row)
        for row in rows
    )
    return Matrix(name, tuple(named or map(str, range(len(rows)))), shaded)
