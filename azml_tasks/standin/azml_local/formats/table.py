"""Tables of delimited files: their columns and rows, as a step reads them."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import columns, delimited
from .delimited import PromoteHeadersBehavior
from .files import UnreadableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    Row = Sequence[str | None]  # None is a missing field

# Characters that Azure ML's reader fails on in a column's name.
_NOT_IN_NAMES = re.compile("[\0\a\b\v\f\x1b\x7f-\x9f\u2028\u2029\ufffe\uffff]")
_SMALL = 1 << 16  # characters that are read at once where only the first rows are wanted
_LONGEST = 1 << 22  # characters of a row, there


@dataclass(frozen=True)
class Rows:
    """Rows that follow each other in a file, and where they are in it."""

    path: str
    rows: Sequence[Row]
    block: delimited.Block
    skipped: int = 0

    def line_of(self, place: int) -> int:
        """Return the number of the line that a row starts in."""
        return self.block.line_of(place + self.skipped)

    def line_text(self, place: int) -> str:
        """Return the line of a row."""
        return self.block.text_of(place + self.skipped)


class Table:
    """The rows of delimited files, in order, and the column names, which are known after reading rows.

    `reading` is a dataset's definition of how its files are read. Raises UnreadableError for what Azure ML does not
    read, here and while rows are read. `small` is for a few rows only, each of at most four million characters.
    """

    def __init__(self, files: Sequence[str], reading: Mapping[str, Any], small: bool = False) -> None:
        self._files = files
        self._size = _SMALL if small else delimited.BLOCK
        self._longest = _LONGEST if small else None
        self.header_rows = PromoteHeadersBehavior[reading.get("header") or "ALL_FILES_HAVE_SAME_HEADERS"]
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
                "has rows with more fields than the header, and the name of an added column would be a duplicate "
                f"{name!r}",
                self._files[0],
            )
        return name

    def kinds(self, sample: Sequence[Rows]) -> list[columns.Type]:
        """Return the types of the columns: declared ones, and those detected in the first rows.

        Raises UnreadableError if Azure ML cannot detect the format of declared dates.
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
                f"cannot detect the date format of {name!r}: {error}; set it with DataType.to_datetime() in a "
                "script, or remove the type of the column"
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
            for part in self._parts(path, is_first):
                rows = part.rows if left is None else part.rows[:left]
                if rows:
                    yield Rows(path, rows, part.block, part.skipped)
                if left is not None:
                    left -= len(rows)
                    if left <= 0:
                        return
            # The first file sets the columns, even without a header.
            is_first = is_first and not (self.dialect.keeps_empty_files or os.path.getsize(path))

    def has_header(self, is_first: bool) -> bool:
        """Return whether the first row of a file is a header; `is_first` while no file before it had content."""
        if self.header_rows is PromoteHeadersBehavior.ONLY_FIRST_FILE_HAS_HEADERS:
            return is_first
        return self.header_rows is not PromoteHeadersBehavior.NO_HEADERS

    def _parts(self, path: str, is_first: bool) -> Iterator[Rows]:
        """Yield a file's rows, without the header where there is one."""
        has_header = self.has_header(is_first)
        own: _OwnHeader | None = None
        for block in delimited.blocks(path, self.dialect, self._size, self._longest):
            if not block.rows:
                continue
            rows: Sequence[Row] = block.rows
            skipped = 0
            if has_header:
                own = self._promoted(path, block, is_first)
                rows, skipped, has_header = rows[1:], 1, False
            if own is not None:
                rows = [self._moved(row, own) for row in rows]
            yield Rows(path, rows, block, skipped)

    def _promoted(self, path: str, block: delimited.Block, is_first: bool) -> _OwnHeader | None:
        """Take the first row for the header; returns it where files have each their own."""
        line, row = block.line_of(0), block.rows[0]
        self.headers[path] = line, row
        names = delimited.header(row)
        if self.header_rows is PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS:
            return _OwnHeader(path, line, names, [])
        if is_first:
            self._names = [_checked(name, path, line) for name in names]
        return None

    def _moved(self, row: Row, own: _OwnHeader) -> Row:
        """Put the fields of a row at the places of their columns; there is a column once a row has a field for it."""
        places = own.places
        for position in range(len(places), len(row)):
            name = own.names[position] if position < len(own.names) else f"Column{position + 1}"
            if name not in self._names:
                self._names.append(_checked(name, own.path, own.line))
            places.append(self._names.index(name))
        moved: list[str | None] = [None] * len(self._names)
        for place, value in zip(places, row):  # noqa: B905 - a short row ends in nulls
            moved[place] = value
        return moved


@dataclass(frozen=True)
class _OwnHeader:
    """The header of a file where each has its own, and the places of its columns, as far as rows have them."""

    path: str
    line: int
    names: list[str]
    places: list[int]


def _checked(name: str, path: str, line: int) -> str:
    """Return a column's name; raises UnreadableError for one that Azure ML does not take."""
    found = _NOT_IN_NAMES.search(name)
    if found is None:
        return name
    if found[0] == "\0":
        advice = "; move it out of the folder" if os.path.basename(path).startswith(".") else ""
        raise UnreadableError(f"the header contains a NUL character; this is not a text file{advice}", path, line)
    reason = f"the header contains the character {found[0]!r}, which Azure ML does not allow in column names"
    raise UnreadableError(reason, path, line)


def transposed(rows: Sequence[Row], width: int = 0) -> Iterable[Sequence[str | None]]:
    """Return the columns of rows, `width` of them at least; None is a field missing in a short row."""
    lengths = set(map(len, rows))
    width = max(width, *lengths, 0)
    if lengths == {width}:
        return zip(*rows)  # noqa: B905 - they are of one length
    return ([row[n] if n < len(row) else None for row in rows] for n in range(width))
