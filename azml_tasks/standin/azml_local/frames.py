"""Tables as pandas frames, with the types that Azure ML gives them.

pandas is imported here alone, when a script asks for a frame.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from .errors import UserErrorException
from .formats import columns, delimited, parquet
from .formats.files import UnreadableError
from .formats.table import Table, transposed

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
        try:
            frame = readers[reading["format"]](pd, files, reading, limit)
        except UnreadableError as error:
            raise UserErrorException(str(error)) from None
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
    for path in parquet.with_content(files):
        parquet.check(path)
        # Opened here: given a path, pandas would make columns of folders named `year=2020`. Opened by pyarrow: while
        # its threads hold a file of Python's, the end of the interpreter aborts the process (apache/arrow#50482).
        try:
            with pyarrow.OSFile(path) as file:
                frames.append(pd.read_parquet(file, engine="pyarrow"))
        except (pyarrow.ArrowInvalid, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise UnreadableError(f"is damaged, or not a parquet file: {reason}", path) from None
    full = [frame for frame in frames if len(frame)]
    frame = full[0] if len(full) == 1 else pd.concat(full, ignore_index=True) if full else pd.DataFrame()
    return _retyped(pd, frame, reading)


def _read_json_lines(pd, files: list[str], reading: dict, limit: int | None):
    records = []
    for path in files:
        records += _json_lines(path, reading.get("encoding") or "utf8")
    return _retyped(pd, pd.DataFrame(records), reading)


def _json_lines(path: str, encoding: str) -> Iterator[dict]:
    with open(path, encoding=delimited.codec(encoding)) as file:
        number = 0
        try:
            for number, line in enumerate(file, 1):  # noqa: B007 - it is named in what is raised
                if line.strip():
                    yield json.loads(line.removeprefix("\ufeff"))
        except UnicodeDecodeError:
            raise UnreadableError(f"is not {encoding}; name its encoding", path) from None
        except ValueError as error:
            raise UnreadableError(f"this is not a JSON object: {error}", path, number) from None


def _retyped(pd, frame, reading: dict):
    """Convert the columns whose types were stated."""
    unread = _Unread()
    for name, stated in (reading.get("types") or {}).items():
        if name in frame.columns:
            kind = columns.Type(**stated)
            texts = [None if value is None or value != value else str(value) for value in frame[name].tolist()]  # noqa: PLR0124
            if kind.name == "datetime" and kind.formats is None:
                found = columns.date_formats([text for text in texts[: columns.SAMPLE_ROWS] if text])
                kind = columns.Type("datetime", found[0] if found else ())
            part = _Column(kind)
            wrong = part.add(texts)
            if wrong:
                unread.add(name, kind, texts, wrong)
            frame = frame.assign(**{name: part.series(pd, frame.index)})
    unread.say()
    return frame


def _read_delimited(pd, files: list[str], reading: dict, limit: int | None):
    table = Table(files, reading)
    blocks = table.blocks(limit)
    sample = table.sampled(blocks)
    kinds = table.kinds(sample)
    parts: list[_Column] = []
    unread = _Unread()
    count = 0
    for block in itertools.chain(sample, blocks):
        for position, values in enumerate(transposed(block.rows, len(parts))):
            if position == len(parts):
                parts.append(_Column(table.kind(kinds, position), nulls=count))
            texts = table.texts(values)
            wrong = parts[position].add(texts)
            if wrong:
                unread.add(table.name(position), parts[position].kind, texts, wrong)
        count += len(block.rows)
    unread.say()
    return pd.DataFrame({table.name(n): part.series(pd) for n, part in enumerate(parts)})


class _Unread:
    """The values of columns that their types do not read, said on stderr: they become null without a word on Azure."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._more: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}

    def add(self, name: str, kind: columns.Type, texts: Sequence, unread: frozenset[str]) -> None:
        """Note values that became null."""
        values = [text for text in texts if text in unread]
        self._first.setdefault(name, values[0])
        self.kinds[name] = kind.name
        self._more[name] += len(values)

    def say(self) -> None:
        """Print a line for each column."""
        for name, value in self._first.items():
            more = self._more[name] - 1
            others = f", and so do {more:,} more" if more > 1 else ", and so does one more" if more else ""
            kind = self.kinds[name]
            print(
                f"note: {value!r} in the column {name!r} is not read as {kind}; it becomes null{others}",
                file=sys.stderr,
            )


class _Column:
    """The values of one column, converted part by part."""

    def __init__(self, kind: columns.Type, nulls: int = 0) -> None:
        self.kind = kind
        self._parts: list = []
        self._has_value = False
        if nulls:
            self.add([None] * nulls)

    def add(self, texts: list) -> frozenset[str]:
        """Convert and keep further values; returns those that the type does not read."""
        import numpy

        values, unread = columns.convert(texts, self.kind)
        has_null = None in values
        self._has_value = self._has_value or (any(v is not None for v in values) if has_null else bool(values))
        if self.kind.name == "datetime":
            instants = [v if v is not None and _EARLIEST <= v <= _LATEST else -(2**63) for v in values]
            part = numpy.array(instants, dtype="int64").view("M8[ns]")
        elif self.kind.name == "string":
            part = values
        elif self.kind.name == "boolean":
            part = numpy.array(values, dtype=object if has_null else bool)
        else:
            dtype = "int64" if self.kind.name == "long" and not has_null else "float64"
            part = numpy.array([numpy.nan if v is None else v for v in values] if has_null else values, dtype=dtype)
        self._parts.append(part)
        return unread

    def series(self, pd, index=None):
        """Return the column; one of nulls alone holds None, whatever its type."""
        import numpy

        if not self._has_value:
            return pd.Series([None] * sum(map(len, self._parts)), dtype=object, index=index)
        if self.kind.name == "string":
            return pd.Series(list(itertools.chain(*self._parts)), dtype=_text_type(pd), index=index)
        return pd.Series(numpy.concatenate(self._parts), index=index)


def _text_type(pd):
    return "str" if int(pd.__version__.split(".")[0]) >= 3 else object
