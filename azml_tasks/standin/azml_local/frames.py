"""Tables as pandas frames, with the types that Azure ML gives them.

pandas is imported here alone, when a script asks for a frame.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

from . import columns, delimited

_CHUNK_ROWS = 50_000
# What a datetime of pandas holds, in nanoseconds since 1970.
_EARLIEST, _LATEST = -(2**63) + 1, 2**63 - 1


def pandas():
    """Return the pandas module, or say in one sentence that it is missing."""
    try:
        import pandas as found
    except ImportError:
        raise ImportError("this step reads a table as a frame; install pandas") from None
    return found


def read(files: list[str], reading: dict, limit: int | None = None):
    """Return the frame that files make, read as `reading` says; its first rows where a limit is given.

    As on Azure, a table without rows has no columns either.
    """
    pd = pandas()
    readers = {"delimited": _read_delimited, "parquet": _read_parquet, "json_lines": _read_json_lines}
    frame = readers[reading["format"]](pd, files, reading, limit)
    return frame if len(frame) else pd.DataFrame()


def _read_parquet(pd, files: list[str], reading: dict, limit: int | None):
    frames = []
    for path in files:
        # Opened here: given a path, pandas would make columns of folders named `year=2020`.
        with open(path, "rb") as file:
            try:
                frames.append(pd.read_parquet(file))
            except ImportError:
                raise ImportError("this step reads a parquet table as a frame; install pyarrow") from None
    full = [frame for frame in frames if len(frame)]
    frame = full[0] if len(full) == 1 else pd.concat(full, ignore_index=True) if full else pd.DataFrame()
    return _retyped(pd, frame, reading)


def _read_json_lines(pd, files: list[str], reading: dict, limit: int | None):
    records = []
    for path in files:
        with open(path, encoding=delimited.encoding(reading.get("encoding") or "utf8")) as file:
            records += [json.loads(line) for line in file if line.strip()]
    return _retyped(pd, pd.DataFrame(records), reading)


def _retyped(pd, frame, reading: dict):
    """Convert the columns whose types were stated."""
    for name, kind in _stated(reading).items():
        if name in frame.columns:
            texts = [None if value is None or value != value else str(value) for value in frame[name].tolist()]  # noqa: PLR0124
            part = _Column(kind)
            part.add(texts)
            frame = frame.assign(**{name: part.series(pd, frame.index)})
    return frame


def _read_delimited(pd, files: list[str], reading: dict, limit: int | None):
    table = _Rows(files, reading)
    rows = itertools.islice(iter(table), limit)
    sample = list(itertools.islice(rows, columns.SAMPLE_ROWS))
    kinds = _guessed(sample) if reading.get("infer", True) else []
    parts: list[_Column] = []
    stated, count = _stated(reading), 0
    for chunk in itertools.chain([sample], iter(lambda: list(itertools.islice(rows, _CHUNK_ROWS)), [])):
        width = max(map(len, chunk), default=0)
        for position in range(len(parts), width):
            kind = kinds[position] if position < len(kinds) else columns.Type("string")
            parts.append(_Column(stated.get(table.name(position), kind), nulls=count))
        for position, part in enumerate(parts):
            values = [row[position] if position < len(row) else None for row in chunk]
            part.add(values)
        count += len(chunk)
    return pd.DataFrame({table.name(n): part.series(pd) for n, part in enumerate(parts)})


def _guessed(sample: list[list]) -> list[columns.Type]:
    width = max(map(len, sample), default=0)
    return [columns.guess([row[n] if n < len(row) else None for row in sample]) for n in range(width)]


def _stated(reading: dict) -> dict[str, columns.Type]:
    return {name: columns.Type(**kind) for name, kind in (reading.get("types") or {}).items()}


class _Rows:
    """The data rows of delimited files, in order, and the columns' names, which are known once rows are read."""

    def __init__(self, files: list[str], reading: dict) -> None:
        self._files = files
        self._header = reading.get("header") or "ALL_FILES_HAVE_SAME_HEADERS"
        self._options = (
            reading.get("separator") or ",",
            reading.get("encoding") or "utf8",
            bool(reading.get("multi_line")),
        )
        self._empty = "" if reading.get("empty_as_string") else None
        self.names: list[str] = []

    def name(self, position: int) -> str:
        """Return a column's name; one that no header names is called by its number."""
        if position < len(self.names):
            return self.names[position]
        return delimited.unnamed(position, 1)[0]

    def __iter__(self) -> Iterator[list]:
        for number, path in enumerate(self._files):
            rows = delimited.rows(path, *self._options)
            if self._header == "COMBINE_ALL_FILES_HEADERS":
                yield from self._by_name(rows)
                continue
            has_header = self._header != "NO_HEADERS" and (number == 0 or self._header.startswith("ALL"))
            first = next(rows, None) if has_header else None
            if first is not None and not self.names:
                self.names = delimited.header(first)
            yield from rows if self._empty is None else (self._filled(row) for row in rows)

    def _filled(self, row: list) -> list:
        return [self._empty if value is None else value for value in row]

    def _by_name(self, rows: Iterator[list]) -> Iterator[list]:
        header = delimited.header(next(rows, []))
        self.names += [name for name in header if name not in self.names]
        places = [self.names.index(name) for name in header]
        for row in rows:
            moved = [None] * len(self.names)
            for place, value in zip(places, row):  # noqa: B905 - what has no header is left out
                moved[place] = value
            yield moved


class _Column:
    """The values of one column, converted part by part."""

    def __init__(self, kind: columns.Type, nulls: int = 0) -> None:
        self._kind = kind
        self._parts: list = []
        self._has_value = False
        if nulls:
            self.add([None] * nulls)

    def add(self, texts: list) -> None:
        """Convert and keep further values."""
        import numpy

        if self._kind.name == "datetime" and self._kind.formats is None:
            self._kind = columns.Type("datetime", columns.dates.formats_of([text for text in texts if text]) or [])
        values = columns.convert(texts, self._kind)
        has_null = None in values
        self._has_value = self._has_value or (any(v is not None for v in values) if has_null else bool(values))
        if self._kind.name == "datetime":
            instants = [v if v is not None and _EARLIEST <= v <= _LATEST else -(2**63) for v in values]
            part = numpy.array(instants, dtype="int64").view("M8[ns]")
        elif self._kind.name == "string":
            part = values
        elif self._kind.name == "boolean":
            part = numpy.array(values, dtype=object if has_null else bool)
        else:
            dtype = "int64" if self._kind.name == "long" and not has_null else "float64"
            part = numpy.array([numpy.nan if v is None else v for v in values] if has_null else values, dtype=dtype)
        self._parts.append(part)

    def series(self, pd, index=None):
        """Return the column; one of nulls alone holds None, whatever its type."""
        import numpy

        if not self._has_value:
            return pd.Series([None] * sum(map(len, self._parts)), dtype=object, index=index)
        if self._kind.name == "string":
            return pd.Series(list(itertools.chain(*self._parts)), dtype=_text_type(pd), index=index)
        return pd.Series(numpy.concatenate(self._parts), index=index)


def _text_type(pd):
    return "str" if int(pd.__version__.split(".")[0]) >= 3 else object
