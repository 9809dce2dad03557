"""Metrics as they are recorded, put in order: values, series, tables, images and documents."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Metrics whose value is a JSON file of the run.
DOCUMENTS = ("confusion_matrix", "accuracy_table", "residuals", "predictions")
# How JSON lines spell what JSON has no number for.
_NAMED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# Larger numbers have an exponent.
_LARGE = 1e15
# A series of fewer values is shown as text.
_FEWEST = 3
# Azure's address of an image in the run's files: `aml://artifactId/ExperimentRun/dcid.<run id>/<name>`.
_ARTIFACT = re.compile(r"(?:aml://artifactId/)?ExperimentRun/dcid\.[^/]+/(?P<name>.+)")


@dataclass(frozen=True)
class Series:
    """Values logged under one name, in order; `steps` are their numbers, if they were logged with numbers."""

    name: str
    values: tuple[Any, ...]
    steps: tuple[float, ...] = ()

    @property
    def last(self) -> Any:
        """The last value."""
        return self.values[-1] if self.values else None

    @property
    def is_line(self) -> bool:
        """Whether it can be drawn: several values, all numbers."""
        return len(self.values) >= _FEWEST and all(map(is_number, self.values))


@dataclass(frozen=True)
class Table:
    """Rows logged under one name; a column is shorter where it has no more values."""

    name: str
    columns: Mapping[str, Sequence[Any]]

    @property
    def length(self) -> int:
        """The number of rows."""
        return max(map(len, self.columns.values()), default=0)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows; None where there is no value."""
        columns = list(self.columns.values())
        for place in range(self.length):
            yield tuple(column[place] if place < len(column) else None for column in columns)


@dataclass(frozen=True)
class FileMetric:
    """A metric whose value is a file of the run: an `image` or one of DOCUMENTS."""

    name: str
    kind: str
    file: str


@dataclass(frozen=True)
class Metrics:
    """The metrics of a step, or of a run, each kind in the order of its first record."""

    series: tuple[Series, ...] = ()
    tables: tuple[Table, ...] = ()
    files: tuple[FileMetric, ...] = ()
    names: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> Metrics:
        """Return the metrics of a step's records, in its order."""
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for record in records:
            groups.setdefault(str(record.get("name", "")), []).append(record)
        found = [_metric(name, group) for name, group in groups.items()]
        return cls(
            tuple(one for one in found if isinstance(one, Series)),
            tuple(one for one in found if isinstance(one, Table)),
            tuple(one for one in found if isinstance(one, FileMetric)),
            tuple(groups),
        )

    def values(self) -> dict[str, Any]:
        """Return the last value of each: of tables of each column, as `name.column`."""
        found = {one.name: one.last for one in self.series}
        for table in self.tables:
            found |= {f"{table.name}.{name}": column[-1] for name, column in table.columns.items() if column}
        return found


def _metric(name: str, records: list[Mapping[str, Any]]) -> Series | Table | FileMetric:
    kind = _kind(records[0])
    if kind == "image" or kind in DOCUMENTS:
        return FileMetric(name, kind, _file(str(records[-1].get("value", ""))))
    if kind in ("row", "table"):
        return _table(name, [record for record in records if _kind(record) in ("row", "table")])
    values: list[Any] = []
    steps: list[float] = []
    for record in records:
        value = record.get("value")
        if isinstance(value, Mapping):
            continue
        is_double = record.get("type") == "double"
        values += [_read(item, is_double) for item in (value if isinstance(value, list) else [value])]
        step = record.get("step")
        if isinstance(step, (int, float)) and is_number(step) and not isinstance(value, list):
            steps.append(step)
    return Series(name, tuple(values), tuple(steps) if len(steps) == len(values) else ())


def _kind(record: Mapping[str, Any]) -> str:
    """Return the kind of a record; Azure's own records are recognized by their values."""
    kind, value = str(record.get("kind", "scalar")), record.get("value")
    if isinstance(value, Mapping):
        return "table" if any(isinstance(item, list) for item in value.values()) else "row"
    if kind == "scalar" and isinstance(value, str) and value.startswith("aml://") and _ARTIFACT.fullmatch(value):
        return "image" if re.search(r"\.(png|jpe?g|gif|bmp|webp|tiff?)$", value, re.IGNORECASE) else "confusion_matrix"
    return "scalar" if kind in ("row", "table") else kind


def _file(value: str) -> str:
    """Return the name of a file in its run, from a path or Azure's address of it."""
    found = _ARTIFACT.fullmatch(value)
    parts = (found["name"] if found else value).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


def _table(name: str, records: list[Mapping[str, Any]]) -> Table:
    columns: dict[str, list[Any]] = {}
    length = 0
    for record in records:
        types = record.get("type")
        kinds = types if isinstance(types, Mapping) else {}
        cells = {key: item if isinstance(item, list) else [item] for key, item in record["value"].items()}
        for key, items in cells.items():
            column = columns.setdefault(key, [])
            column += [None] * (length - len(column))
            column += [_read(item, kinds.get(key) == "double") for item in items]
        length += max(map(len, cells.values()), default=0)
    return Table(name, columns)


def _read(value: Any, is_double: bool) -> Any:
    return _NAMED.get(value, value) if is_double and isinstance(value, str) else value


def is_number(value: Any) -> bool:
    """Return whether it is a number, finite or not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def figure(value: Any) -> str:
    """Return a value as text: a number rounded to four figures, whole numbers as they are."""
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, (bool, type(None))):
        return json.dumps(value)
    if isinstance(value, (list, tuple, Mapping)):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def figures(values: Sequence[Any]) -> list[str]:
    """Return values as texts: numbers that differ with as many figures as show it."""
    texts = [*map(figure, values)]
    places = [place for place, value in enumerate(values) if isinstance(value, float) and math.isfinite(value)]
    different = len({values[place] for place in places})
    for digits in range(5, 18):
        if len({texts[place] for place in places}) == different:
            break
        for place in places:
            texts[place] = f"{values[place]:.{digits}g}" if digits < 17 else repr(values[place])
    return texts


def _rounded(value: float) -> str:
    if not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    if value.is_integer() and abs(value) < _LARGE:
        return f"{value:.1f}" if abs(value) < 10_000 else f"{value:.0f}"
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e" in text and 1 <= abs(value) < _LARGE else text
