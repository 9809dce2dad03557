"""Tables of delimited files: their columns and rows, as a step reads them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import columns, delimited
from .delimited import PromoteHeadersBehavior
from .files import UnreadableError

Row = Sequence[str | None]  # None stands for a field that there is not

_SMALL = 1 << 16  # characters that are read at once where only the first rows are wanted


@dataclass(frozen=True)
class Rows:
    """Rows that follow each other in a file, and where they lie in it."""

    path: str
    rows: Sequence[Row]
    block: delimited.Block
    skipped: int = 0

    def line_of(self, place: int) -> int:
        """Return the number of the line that a row starts in."""
        return self.block.line_of(place + self.skipped)

    def line_text(self, place: int) -> str:
        """Return what a row was split from."""
        return self.block.text_of(place + self.skipped)


class Table:
    """The rows of delimited files, in order, and the columns' names, which are known once rows are read.

    `reading` is a dataset's definition of how its files are read. Raises UnreadableError for what Azure ML does not
    read, here and while rows are read. `small` is for a few rows only.
    """

    def __init__(self, files: Sequence[str], reading: Mapping[str, Any], small: bool = False) -> None:
        self._files = files
        self._size = _SMALL if small else delimited.BLOCK
        self._header = PromoteHeadersBehavior[reading.get("header") or "ALL_FILES_HAVE_SAME_HEADERS"]
        self.dialect = delimited.Dialect(
            "," if reading.get("separator") is None else reading["separator"],
            reading.get("encoding") or "utf8",
            bool(reading.get("multi_line")),
        )
        self.texts = delimited.filled if reading.get("empty_as_string") else delimited.texts
        self.stated = {name: columns.Type(**kind) for name, kind in (reading.get("types") or {}).items()}
        self._infers = bool(reading.get("infer", True))
        self._names: list[str] = []
        # Of each file that has one, the line and the fields of its header.
        self.headers: dict[str, tuple[int, delimited.Row]] = {}

    @property
    def header(self) -> tuple[str, ...]:
        """The columns' names that headers give, as far as rows are read."""
        return tuple(self._names)

    def name(self, position: int) -> str:
        """Return a column's name; one that no header names is called by its number.

        Raises UnreadableError where that is the name of another column.
        """
        if position < len(self._names):
            return self._names[position]
        name = f"Column{position + 1}"
        if name in self._names:
            raise UnreadableError(
                f"has rows with more fields than the header, and one of their columns would be a second {name!r}",
                self._files[0],
            )
        return name

    def kinds(self, sample: Sequence[Rows]) -> list[columns.Type]:
        """Return the types of the columns: those that are stated, and what the first rows show.

        Raises UnreadableError for dates of a stated type that Azure ML does not guess the format of.
        """
        rows = itertools.chain.from_iterable(part.rows for part in sample)
        found = []
        for position, values in enumerate(transposed(list(itertools.islice(rows, columns.SAMPLE_ROWS)))):
            found.append(self._kind(self.name(position), self.texts(values)))
        return found

    def kind(self, kinds: Sequence[columns.Type], position: int) -> columns.Type:
        """Return the type of a column, which may come only with a later row."""
        if position < len(kinds):
            return kinds[position]
        return self.stated.get(self.name(position), columns.Type("string"))

    def _kind(self, name: str, values: list[str | None]) -> columns.Type:
        stated = self.stated.get(name)
        if stated is None:
            return columns.guess(values) if self._infers else columns.Type("string")
        try:
            return columns.settled(stated, values)
        except ValueError as error:
            raise UnreadableError(
                f"the format of the dates in {name!r} cannot be found, as {error}; state it in a script's "
                "DataType.to_datetime(), or leave the type of the column out"
            ) from None

    def sampled(self, blocks: Iterator[Rows]) -> list[Rows]:
        """Take as many rows as the types of the columns are found in."""
        taken: list[Rows] = []
        while sum(len(part.rows) for part in taken) < columns.SAMPLE_ROWS and (part := next(blocks, None)) is not None:
            taken.append(part)
        return taken

    def blocks(self, limit: int | None = None) -> Iterator[Rows]:
        """Yield the rows, many at a time, up to a limit."""
        left = limit
        is_first = True
        for path in self._files:
            has_rows = False
            for part in self._parts(path, is_first):
                has_rows = True
                rows = part.rows if left is None else part.rows[:left]
                if rows:
                    yield Rows(path, rows, part.block, part.skipped)
                if left is not None:
                    left -= len(rows)
                    if left <= 0:
                        return
            is_first = is_first and not has_rows

    def _parts(self, path: str, is_first: bool) -> Iterator[Rows]:
        """Yield a file's rows, without the header where there is one."""
        has_header = self._header is not PromoteHeadersBehavior.NO_HEADERS
        if self._header is PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS:
            has_header = is_first
        places: list[int] | None = None
        for block in delimited.blocks(path, self.dialect, self._size):
            if not block.rows:
                continue
            rows: Sequence[Row] = block.rows
            skipped = 0
            if has_header:
                places = self._promoted(path, block)
                rows, skipped, has_header = rows[1:], 1, False
            if places is not None:
                rows = [self._moved(row, places) for row in rows]
            yield Rows(path, rows, block, skipped)

    def _promoted(self, path: str, block: delimited.Block) -> list[int] | None:
        """Take the first row for the header; returns the places of its columns where files have each their own."""
        line, row = block.line_of(0), block.rows[0]
        self.headers[path] = line, row
        if any("\0" in field for field in row):
            advice = "; move it out of the folder" if os.path.basename(path).startswith(".") else ""
            raise UnreadableError(f"the header holds a NUL character; this is not a text file{advice}", path, line)
        names = delimited.header(row)
        if self._header is not PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS:
            self._names = self._names or names
            return None
        self._names += [name for name in names if name not in self._names]
        return [self._names.index(name) for name in names]

    def _moved(self, row: Row, places: list[int]) -> Row:
        for position in range(len(places), len(row)):
            name = f"Column{position + 1}"
            if name not in self._names:
                self._names.append(name)
            places.append(self._names.index(name))
        moved: list[str | None] = [None] * len(self._names)
        for place, value in zip(places, row):  # noqa: B905 - a short row ends in nulls
            moved[place] = value
        return moved


def transposed(rows: Sequence[Row], width: int = 0) -> Iterable[Sequence[str | None]]:
    """Return the columns of rows, `width` of them at least; None stands for a field that a short row has not."""
    lengths = set(map(len, rows))
    width = max(width, *lengths, 0)
    if lengths == {width}:
        return zip(*rows)  # noqa: B905 - they are of one length
    return ([row[n] if n < len(row) else None for row in rows] for n in range(width))
