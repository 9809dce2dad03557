"""The values of a frame while it is read, part by part."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from ...formats import columns
from ...formats.table import Table, transposed
from ...remarks import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    import pandas

    from ...formats.table import Row

# The range of a pandas datetime, in nanoseconds since 1970.
_EARLIEST, _LATEST = -(2**63) + 1, 2**63 - 1
_NOT_A_TIME = -(2**63)
# From so many columns on, pandas advises against columns that are stored one by one.
_MANY_COLUMNS = 100


class Gathered:
    """The columns of a table, as far as its rows are read."""

    def __init__(self, table: Table, kinds: Sequence[columns.Type]) -> None:
        self._table = table
        self._kinds = kinds
        self._columns: list[Column] = []
        self._unread = Unread()
        self.count = 0

    def column(self, position: int) -> Column:
        """Return a column; one that a later row adds is null in the rows before."""
        for place in range(len(self._columns), position + 1):
            self._columns.append(Column(self._table.kind(self._kinds, place), nulls=self.count))
        return self._columns[position]

    def add_rows(self, rows: Sequence[Row]) -> None:
        """Convert and keep rows."""
        for position, values in enumerate(transposed(rows, len(self._columns))):
            self.add_texts(position, values)
        self.count += len(rows)

    def add_texts(self, position: int, values: Sequence[str | None]) -> None:
        """Convert and keep further values of one column, given as the fields of a file."""
        texts = self._table.texts(values)
        column = self.column(position)
        wrong = column.add(texts)
        if wrong:
            self.note_unread(position, texts, wrong)

    def note_unread(self, position: int, texts: Sequence[str | None], wrong: frozenset[str]) -> None:
        """Note the texts that the type of their column does not read."""
        self._unread.add(position, self._table.name(position), self._columns[position].kind, texts, wrong)

    def end_rows(self, count: int, width: int) -> None:
        """Count rows whose first columns were added one by one; the others are null there."""
        for column in self._columns[width:]:
            column.add([None] * count)
        self.count += count

    def frame(self, pd: ModuleType) -> pandas.DataFrame:
        """Return the frame, and print the notes; can be called once."""
        series = {self._table.name(place): column.series(pd) for place, column in enumerate(self._columns)}
        # Without a copy: pandas would keep the columns twice for a moment.
        frame = pd.DataFrame(series, copy=None if len(series) > _MANY_COLUMNS else False)
        self._unread.say()
        return frame


class Unread:
    """Notes on stderr about values that do not match the type of their column: on Azure they silently become null."""

    def __init__(self) -> None:
        self._found: dict[int, tuple[str, str, str]] = {}
        self._count: Counter[int] = Counter()

    def add(
        self, position: int, name: str, kind: columns.Type, texts: Sequence[str | None], unread: frozenset[str]
    ) -> None:
        """Note values that became null."""
        values = [text for text in texts if text in unread]
        self._found.setdefault(position, (name, kind.name, values[0]))
        self._count[position] += len(values)

    def say(self) -> None:
        """Print a line for each column."""
        for position, (name, kind, value) in sorted(self._found.items()):
            more = self._count[position] - 1
            others = f", and so do {more:,} more" if more > 1 else ", and so does one more" if more else ""
            say(f"{value!r} in column {name!r} is not a valid {kind}; it becomes null{others}", "note: ")


class Column:
    """The values of one column, converted part by part."""

    def __init__(self, kind: columns.Type, nulls: int = 0) -> None:
        self.kind = kind
        self.has_value = False
        self._parts: list[Any] = []
        if nulls:
            self.add([None] * nulls)

    def add(self, texts: Sequence[str | None]) -> frozenset[str]:
        """Convert and keep further values; returns those that the type does not read."""
        import numpy

        converted: tuple[list[Any], frozenset[str]] = columns.convert(texts, self.kind)
        values, unread = converted
        has_null = None in values
        has_value = any(v is not None for v in values) if has_null else bool(values)
        if self.kind.name == "datetime":
            part = numpy.array(list(map(nanoseconds, values)), dtype="int64").view("M8[ns]")
        elif self.kind.name == "string":
            part = values
        elif self.kind.name == "boolean":
            part = numpy.array(values, dtype=object if has_null else bool)
        else:
            dtype = "int64" if self.kind.name == "long" and not has_null else "float64"
            part = numpy.array([numpy.nan if v is None else v for v in values] if has_null else values, dtype=dtype)
        self.add_part(part, has_value)
        return unread

    def add_part(self, part: Any, has_value: bool) -> None:
        """Keep converted values: an array, a series of texts, or a list of texts and None."""
        self._parts.append(part)
        self.has_value = self.has_value or has_value

    def series(self, pd: ModuleType, index: object = None) -> pandas.Series:
        """Return the column; one with only nulls contains None, regardless of its type. Can be called once."""
        import numpy

        parts, self._parts = self._parts, []
        if not self.has_value:
            return pd.Series([None] * sum(map(len, parts)), dtype=object, index=index)
        if self.kind.name != "string":
            return pd.Series(numpy.concatenate(parts), index=index)
        if all(isinstance(part, list) for part in parts):
            return pd.Series(list(itertools.chain(*parts)), dtype=text_type(pd), index=index)
        texts = [pd.Series(part, dtype=text_type(pd)) if isinstance(part, list) else part for part in parts]
        return pd.concat(texts, ignore_index=True)


def nanoseconds(value: Any) -> int:
    """Return the integer that numpy stores for a datetime; the one of NaT for null and what pandas cannot hold."""
    return int(value) if value is not None and _EARLIEST <= value <= _LATEST else _NOT_A_TIME


def text_type(pd: ModuleType) -> str | type[object]:
    """Return the type of columns of texts, which pandas 3 has changed."""
    return "str" if int(pd.__version__.split(".")[0]) >= 3 else object
