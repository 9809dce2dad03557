"""Read large delimited files by pandas' own parser, with the results of formats/delimited.py and formats/columns.py.

numpy finds the rows and fields in the bytes first. The parser then gets only bytes in which it finds the same fields;
other rows are split as in small files. A column that it does not convert as Azure ML does is converted from its texts.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence

from ...formats import columns, delimited
from ...formats.table import Table
from . import dates
from .grid import LINE, MARK, QUOTE, RETURN, Grid, find_grid
from .values import Gathered, nanoseconds, text_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any, BinaryIO

    import numpy
    import pandas

    from ...protocols import Json

    Array = numpy.ndarray[Any, Any]
    Part = tuple[Any, bool]  # values, and whether one of them is not null

BATCH = 1 << 20  # bytes that are read and parsed at once
LEAST = 1 << 17  # smaller tables are read faster without pandas' parser
LEAST_LIMIT = 10_000  # rows: for fewer, no whole batch is read

_SEPARATORS = ",;\t|:~^ "


class _PeculiarError(Exception):
    """A file that is not read here."""


def read(pd: ModuleType, files: Sequence[str], reading: Json, limit: int | None = None) -> pandas.DataFrame | None:
    """Return the frame of files, or of their first rows; None for files that are small, peculiar, or not readable."""
    if limit is not None and limit < LEAST_LIMIT:
        return None
    try:
        table = Table(files, reading, small=True)
        batches = _batches(files, table)
        first = next(batches, b"")
        if len(first) < LEAST:
            return None
        gathered = Gathered(table, table.kinds(table.sampled(table.blocks(columns.SAMPLE_ROWS))))
        parser = _Parser(pd, table, gathered)
        for batch in itertools.chain([first], batches):
            parser.add(batch, None if limit is None else limit - gathered.count)
            if gathered.count == limit:
                break
        return gathered.frame(pd)
    except MemoryError:
        raise
    except Exception:
        # The other reader has the right result, or the right error.
        return None


def _batches(files: Sequence[str], table: Table) -> Iterator[bytes]:
    """Yield the bytes of whole rows without headers, in UTF-8; those of small files are joined."""
    dialect = table.dialect
    is_combined = table.header_rows is delimited.PromoteHeadersBehavior.COMBINE_ALL_FILES_HEADERS
    if is_combined or dialect.separator not in _SEPARATORS or delimited.codec(dialect.encoding).startswith("utf-16"):
        raise _PeculiarError
    parts: list[bytes] = []
    size = 0
    is_first = True
    for path in files:
        has_content = False
        for piece in _pieces(path, dialect, table.has_header(is_first)):
            has_content = True
            parts.append(piece)
            size += len(piece)
            if size >= BATCH:
                yield b"".join(parts)
                parts, size = [], 0
        is_first = is_first and not (has_content or dialect.keeps_empty_files)
    if size:
        yield b"".join(parts)


def _pieces(path: str, dialect: delimited.Dialect, has_header: bool) -> Iterator[bytes]:
    """Yield the bytes of a file's whole rows without the header, in UTF-8."""
    is_latin = not delimited.codec(dialect.encoding).startswith("utf-8")
    is_start = True
    with open(path, "rb") as file:
        while piece := _whole_rows(file, dialect.multi_line):
            if not piece.isascii():
                text = delimited.decoded(piece.decode("latin1" if is_latin else "utf-8"), path, dialect, is_start)
                piece = text.encode() if is_latin else piece
            if is_start and not is_latin and piece.startswith(MARK):
                if dialect.multi_line and QUOTE in piece.partition(LINE)[0]:
                    raise _PeculiarError
                piece = piece[len(MARK) :]
            if has_header:
                piece, has_header = _without_header(piece, dialect)
            yield piece
            is_start = False


def _whole_rows(file: BinaryIO, multi_line: bool) -> bytes:
    """Return the next rows of a file, about as many bytes as a batch has, with a line feed at their end."""
    piece = file.read(BATCH)
    piece += file.readline()
    if multi_line and piece.count(QUOTE) % 2:
        lines = [piece]
        # In an open field, if quotes are where the grid wants them.
        while line := file.readline():
            lines.append(line)
            if line.count(QUOTE) % 2:
                break
        piece = b"".join(lines)
    if piece.endswith(RETURN):
        raise _PeculiarError
    return piece if not piece or piece.endswith(LINE) else piece + LINE


def _without_header(piece: bytes, dialect: delimited.Dialect) -> tuple[bytes, bool]:
    """Return the rows after the first, and whether that is still to come."""
    if piece.startswith(RETURN) or (dialect.multi_line and piece.startswith(LINE)):
        raise _PeculiarError
    piece = piece.lstrip(LINE)
    end = piece.find(LINE) + 1
    if dialect.multi_line and QUOTE in piece[:end]:
        header = piece[: end - 1].decode()
        if '""' in header or delimited.is_open(header, dialect.separator):
            raise _PeculiarError
    return piece[end:], not end


def _is_parsed(kind: columns.Type) -> bool:
    """Return whether pandas' parser reads columns of a type."""
    return kind.name == "string" or (kind.name in ("long", "float") and kind.decimal_mark == ".")


class _Parser:
    """Adds batches of rows to a table."""

    def __init__(self, pd: ModuleType, table: Table, gathered: Gathered) -> None:
        self._pd = pd
        self._table = table
        self._gathered = gathered
        self._separator = table.dialect.separator
        self._has_nulls = table.texts is not delimited.filled
        version = tuple(map(int, pd.__version__.split(".")[:2]))
        # pandas 3 reads texts several times faster where it finds out itself that they are texts.
        self._infers_texts = version >= (3, 0)
        # From 3.1 on every number is read exactly, and the option is deprecated.
        self._is_exact = version >= (3, 1)
        # Columns of texts that it would read as something else.
        self._stated: set[int] = set()

    def add(self, batch: bytes, limit: int | None) -> None:
        """Convert and keep the rows of a batch, or the first of them."""
        dialect = self._table.dialect
        grid = find_grid(batch, dialect)
        if grid is not None:
            self._add_grid(grid if limit is None else grid.head(limit))
        elif dialect.multi_line:
            raise _PeculiarError
        else:
            self._gathered.add_rows(delimited.split(batch.decode(), dialect)[0][:limit])

    def _add_grid(self, grid: Grid) -> None:
        kinds = [self._gathered.column(place).kind for place in range(grid.width)]
        wanted = [place for place, kind in enumerate(kinds) if _is_parsed(kind) and not grid.has_quoted_empties(place)]
        if not self._infers_texts:
            self._stated.update(place for place in wanted if kinds[place].name == "string")
        parsed = self._parsed(grid, wanted)
        for place, kind in enumerate(kinds):
            part = None
            if place in parsed:
                part = self._converted(grid, place, parsed.pop(place), kind)
                if part is None and kind.name == "string" and place not in self._stated:
                    self._stated.add(place)
                    part = self._converted(grid, place, self._parsed(grid, [place])[place], kind)
            elif kind.name == "datetime":
                part = self._instants(grid, place, kind)
            elif kind.name == "boolean":
                part = self._booleans(grid, place, kind)
            if part is None:
                self._gathered.add_texts(place, grid.texts(*grid.bounds(place), self._separator))
            else:
                self._gathered.column(place).add_part(*part)
        self._gathered.end_rows(grid.count, grid.width)

    def _parsed(self, grid: Grid, places: Sequence[int]) -> dict[int, pandas.Series]:
        """Return columns as pandas parses them."""
        # Not pandas.read_csv, which a script may have replaced.
        from pandas.io.parsers import read_csv

        if not places:
            return {}
        frame = read_csv(
            io.BytesIO(grid.data),
            sep=self._separator,
            header=None,
            names=range(grid.width),
            usecols=places,
            index_col=False,
            dtype={place: text_type(self._pd) for place in places if place in self._stated},
            engine="c",
            keep_default_na=False,
            na_values=[""],
            na_filter=self._has_nulls,
            skip_blank_lines=False,
            lineterminator="\n",
            low_memory=False,
            float_precision=None if self._is_exact else "round_trip",
        )
        if len(frame) != grid.count:
            raise _PeculiarError
        return {place: frame[place] for place in places}

    def _converted(self, grid: Grid, place: int, values: pandas.Series, kind: columns.Type) -> Part | None:
        """Return parsed values in the type of Azure ML; None where it converts the texts differently."""
        import numpy

        is_text = kind.name == "string"
        if (values.dtype != text_type(self._pd)) if is_text else (values.dtype.kind not in "iuf"):
            return None
        array: Any = values.to_numpy(copy=values.dtype == object) if values.dtype != "str" else values
        missing = values.isna().to_numpy() if is_text else numpy.isnan(array) if array.dtype.kind == "f" else None
        nulls = 0 if missing is None else int(numpy.count_nonzero(missing))
        if nulls and (not self._has_nulls or nulls != grid.count_empty(place)):
            return None
        part: Any = array
        if is_text and values.dtype == object and nulls:
            array[missing] = None
            part = self._pd.Series(array, dtype=object)
        elif is_text:
            part = values
        elif kind.name == "float":
            part = array.astype("float64", copy=False) if values.dtype.kind == "f" else self._floats(grid, place, array)
        elif array.dtype != "int64":
            # Without nulls, whole numbers stay exact also among others.
            is_float = array.dtype == "float64" and nulls > 0
            # There is no whole number -0; adding 0 makes it 0.
            part = numpy.clip(numpy.trunc(array), -(2.0**63), 2.0**63) + 0.0 if is_float else None
        return None if part is None else (part, nulls < grid.count)

    def _floats(self, grid: Grid, place: int, array: Array) -> Array:
        """Return whole numbers as floats, among which -0 and 0 are two."""
        import numpy

        floats: Array = array.astype("float64")
        if b"-0" in grid.data:
            starts, ends = grid.bounds(place)
            zeros = numpy.flatnonzero(array == 0)
            texts = grid.texts(starts[zeros], ends[zeros], self._separator)
            floats[zeros] = [-0.0 if "-" in (text or "") else 0.0 for text in texts]
        return floats

    def _instants(self, grid: Grid, place: int, kind: columns.Type) -> Part:
        """Return the dates of a column; those in no common form are converted from their texts."""
        import numpy

        starts, ends = grid.bounds(place)
        values, is_found = dates.parse(grid.array, starts, ends, kind.formats or ())
        others = numpy.flatnonzero(~is_found)
        has_value = len(others) < grid.count
        if len(others):
            texts = self._table.texts(grid.texts(starts[others], ends[others], self._separator))
            converted, unread = columns.convert(texts, kind)
            values[others] = list(map(nanoseconds, converted))
            has_value = has_value or any(value is not None for value in converted)
            if unread:
                self._gathered.note_unread(place, texts, unread)
        return values.view("M8[ns]"), has_value

    def _booleans(self, grid: Grid, place: int, kind: columns.Type) -> Part | None:
        """Return the booleans of a column; None if some texts are not booleans, or there are many different ones."""
        import numpy

        short = grid.short_texts(place)
        if short is None:
            return None
        fields = [delimited.fields(text.decode(), self._separator)[0] for text in short[0]]
        found, unread = columns.convert(self._table.texts(fields), kind)
        values = numpy.array(found, dtype=object if None in found else bool)[short[1]]
        return None if unread else (values, found != [None])
