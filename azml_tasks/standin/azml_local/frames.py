"""Tables as pandas frames, with the types that Azure ML gives them.

pandas is imported here alone, when a script asks for a frame.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence

from .formats import columns, delimited

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
    with _without_collection():
        frame = readers[reading["format"]](pd, files, reading, limit)
    return frame if len(frame) else pd.DataFrame()


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Put garbage collection off: millions of fields, none of them garbage, cost it as long as reading them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _read_parquet(pd, files: list[str], reading: dict, limit: int | None):
    try:
        import pyarrow
    except ImportError:
        raise ImportError("this step reads a parquet table as a frame; install pyarrow") from None
    frames = []
    for path in files:
        # Opened here: given a path, pandas would make columns of folders named `year=2020`. Opened by pyarrow: while
        # its threads hold a file of Python's, the end of the interpreter aborts the process (apache/arrow#50482).
        with pyarrow.OSFile(path) as file:
            frames.append(pd.read_parquet(file, engine="pyarrow"))
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
    table = _Table(files, reading)
    blocks = table.blocks(limit)
    first = _first(blocks)
    kinds = table.guessed(first) if reading.get("infer", True) else []
    stated = _stated(reading)
    parts: list[_Column] = []
    count = 0
    for block in itertools.chain(first, blocks):
        for position, values in enumerate(_transposed(block, len(parts))):
            if position == len(parts):
                kind = kinds[position] if position < len(kinds) else columns.Type("string")
                parts.append(_Column(stated.get(table.name(position), kind), nulls=count))
            parts[position].add(table.texts(values))
        count += len(block)
    return pd.DataFrame({table.name(n): part.series(pd) for n, part in enumerate(parts)})


def _first(blocks: Iterator[list]) -> list[list]:
    """Take as many blocks of rows as the types of the columns are guessed from."""
    taken: list[list] = []
    while sum(map(len, taken)) < columns.SAMPLE_ROWS and (block := next(blocks, None)) is not None:
        taken.append(block)
    return taken


def _transposed(rows: list[list], width: int = 0) -> Iterable[Sequence]:
    """Return the columns of rows, `width` of them at least; None stands for a field that a short row has not."""
    lengths = set(map(len, rows))
    width = max(width, *lengths, 0)
    if lengths == {width}:
        return zip(*rows)  # noqa: B905 - they are of one length
    return ([row[n] if n < len(row) else None for row in rows] for n in range(width))


def _stated(reading: dict) -> dict[str, columns.Type]:
    return {name: columns.Type(**kind) for name, kind in (reading.get("types") or {}).items()}


class _Table:
    """The rows of delimited files, in order, and the columns' names, which are known once rows are read."""

    def __init__(self, files: list[str], reading: dict) -> None:
        self._files = files
        self._header = reading.get("header") or "ALL_FILES_HAVE_SAME_HEADERS"
        self._options = (
            reading.get("separator") or ",",
            reading.get("encoding") or "utf8",
            bool(reading.get("multi_line")),
        )
        self.texts = delimited.filled if reading.get("empty_as_string") else delimited.texts
        self._names: list[str] = []

    def name(self, position: int) -> str:
        """Return a column's name; one that no header names is called by its number."""
        return self._names[position] if position < len(self._names) else f"Column{position + 1}"

    def guessed(self, blocks: list[list]) -> list[columns.Type]:
        """Return the types of the columns as the first rows show them."""
        sample = list(itertools.islice(itertools.chain.from_iterable(blocks), columns.SAMPLE_ROWS))
        return [columns.guess(self.texts(values)) for values in _transposed(sample)]

    def blocks(self, limit: int | None) -> Iterator[list]:
        """Yield the rows, many at a time, up to a limit."""
        left = float("inf") if limit is None else limit
        for number, path in enumerate(self._files):
            for block in self._blocks_of(number, path):
                if left <= 0:
                    return
                if block:
                    yield block if len(block) <= left else block[: int(left)]
                left -= len(block)

    def _blocks_of(self, number: int, path: str) -> Iterator[list]:
        blocks = delimited.blocks(path, *self._options)
        if self._header == "COMBINE_ALL_FILES_HEADERS":
            yield from self._by_name(blocks)
            return
        has_header = self._header != "NO_HEADERS" and (number == 0 or self._header.startswith("ALL"))
        for block in blocks:
            if has_header and block:
                self._names = self._names or delimited.header(block[0])
                has_header = False
                yield block[1:]
            else:
                yield block

    def _by_name(self, blocks: Iterator[list]) -> Iterator[list]:
        places: list[int] | None = None
        for block in blocks:
            rows = block
            if places is None and rows:
                header = delimited.header(rows[0])
                self._names += [name for name in header if name not in self._names]
                places = [self._names.index(name) for name in header]
                rows = rows[1:]
            yield [self._moved(row, places) for row in rows]

    def _moved(self, row: list, places: list[int]) -> list:
        moved = [None] * len(self._names)
        for place, value in zip(places, row):  # noqa: B905 - what has no header is left out
            moved[place] = value
        return moved


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
