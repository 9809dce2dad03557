"""Delimited files: their lines, fields and headers, as Azure ML reads them.

Measured on azureml-dataprep 5.5 (`python -m tests.frames` compares): an empty field is null and a quoted empty one a
text, a short row is filled with nulls, a long one adds columns `Column3`, headers are trimmed and duplicate names
numbered. A line ends at a line feed, a carriage return before it is cut off. Blank lines are skipped, in UTF-8 only
those without a carriage return; with `multi_line`, however, a line feed after a line feed belongs to the row that
follows. The mark that UTF-8 may start with is cut off each row with `multi_line`, after rows are told apart, and that
of UTF-16 always.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TextIO

from .files import UnreadableError

BLOCK = 1 << 20  # characters that are read and split at once

_UTF8 = "utf-8-sig"
_LATIN = "iso-8859-1"
_ENCODINGS = {
    "utf8": _UTF8,
    "ascii": _UTF8,
    "iso88591": _LATIN,
    "latin1": _LATIN,
    "windows1252": _LATIN,
    "utf16": "utf-16-le",
}
_SPELLED = {name: name for name in _ENCODINGS} | {"utf8": "UTF-8", "ascii": "UTF-8", "utf16": "UTF-16"}
# The SDK takes their names, and its reader then refuses them.
_UNREAD = ("utf32", "utf8bom")
# The codes 80 to 9f in Latin encodings, as in browsers.
_WINDOWS = {code: bytes((code,)).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}
_CONTROLS = re.compile("[\x80-\x9f]")
_MARK = "\ufeff"
# Trimmed characters; Python's strip() would also remove the separators 1c to 1f.
SPACES = "".join(
    map(chr, (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
)
_SWAPPED_MARK = "\ufffe"

# The start of other kinds of files that may be mistaken for delimited ones.
_KINDS = (
    (b"\x1f\x8b", "is compressed (gzip), which Azure ML cannot read; decompress it"),
    (b"BZh", "is compressed (bzip2), which Azure ML cannot read; decompress it"),
    (b"\xfd7zXZ", "is compressed (xz), which Azure ML cannot read; decompress it"),
    (b"\x28\xb5\x2f\xfd", "is compressed (zstd), which Azure ML cannot read; decompress it"),
    (b"PK\x03\x04", "is a zip archive or an Excel workbook; save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "is an Excel workbook or another Office file; save it as CSV"),
    (b"PAR1", "is a Parquet file; read it as Parquet"),
    (b"\xff\xfe", "is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "is UTF-16; save it as UTF-8"),
    (b"\x00\x00\x00\x01Bud1", "is a macOS Finder file; delete it, or select the files with a pattern such as *.csv"),
)

Row = list[str]  # of fields; EMPTY is a quoted empty field, "" a missing one


class PromoteHeadersBehavior(Enum):
    """Which rows of delimited files are headers."""

    NO_HEADERS = 0
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2
    ALL_FILES_HAVE_SAME_HEADERS = 3


class _QuotedEmpty(str):
    """An empty text, distinguished from an empty field by identity."""

    __slots__ = ()


EMPTY = _QuotedEmpty()


@dataclass(frozen=True)
class Dialect:
    """The format of a delimited file.

    Raises UnreadableError for what Azure ML's reader does not support.
    """

    separator: str = ","
    encoding: str = "utf8"
    multi_line: bool = False

    def __post_init__(self) -> None:
        refusal = separator_refusal(self.separator)
        if refusal:
            raise UnreadableError(refusal)
        codec(self.encoding)

    @property
    def skips_returns(self) -> bool:
        """Whether a line with only a carriage return is blank."""
        return self.multi_line or codec(self.encoding) != _UTF8

    @property
    def keeps_empty_files(self) -> bool:
        """Whether a file of no bytes at all counts among several, as one without rows."""
        return self.skips_returns

    @property
    def mark(self) -> str:
        """The prefix of a row to remove."""
        encoding = codec(self.encoding)
        return "" if encoding == _LATIN or (encoding == _UTF8 and not self.multi_line) else _MARK


class Block:
    """Consecutive rows of a file.

    `lines` are their lines, including blank ones; a quoted field is in one of them.
    """

    def __init__(self, rows: list[Row], lines: list[str], first: int, dialect: Dialect) -> None:
        self.rows = rows
        self._lines = lines
        self._first = first
        self._dialect = dialect

    @property
    def length(self) -> int:
        """The number of its characters."""
        return sum(map(len, self._lines)) + len(self._lines)

    def line_of(self, place: int) -> int:
        """Return the number of the line in the file that a row starts in."""
        return self._found(place)[0]

    def text_of(self, place: int) -> str:
        """Return the line of a row."""
        return self._found(place)[1]

    def _found(self, place: int) -> tuple[int, str]:
        number = self._first
        for line in self._lines:
            if line.removesuffix("\r") if self._dialect.skips_returns else line:
                if place == 0:
                    return number, line
                place -= 1
            number += 1 + line.count("\n")
        raise IndexError(place)

    @property
    def end(self) -> int:
        """The number of the line that follows."""
        return self._first + len(self._lines) + sum(line.count("\n") for line in self._lines)


def separator_refusal(separator: str) -> str | None:
    """Return why Azure ML does not accept a separator; None if it does."""
    if len(separator) == 1 and separator.isascii():
        return None
    return f"a separator must be exactly one ASCII character, not {separator!r}"


def codec(name: str) -> str:
    """Return Python's name of the encoding that the SDK calls so; raises UnreadableError."""
    try:
        return _ENCODINGS[name.lower()]
    except KeyError:
        known = ", ".join(sorted(_ENCODINGS))
        refusal = (
            f"Azure ML does not support the encoding {name!r}"
            if name.lower() in _UNREAD
            else f"unknown encoding {name!r}"
        )
        raise UnreadableError(f"{refusal}; the encodings are {known}") from None


def blocks(path: str, dialect: Dialect, size: int = BLOCK, longest: int | None = None) -> Iterator[Block]:
    """Yield the rows of a file, those of about so many characters at a time.

    Raises UnreadableError for a file that is not of the encoding, or not text at all, and for a row of more than
    `longest` characters.
    """
    encoding = codec(dialect.encoding)
    with open(path, encoding="utf-8" if encoding == _UTF8 and dialect.mark else encoding, newline="\n") as file:
        first = 1
        try:
            split_up = _records if dialect.multi_line else _lines
            pieces = split_up(file, dialect, size, longest)
            for rows, lines in pieces:
                block = Block(rows, lines, first, dialect)
                yield block
                first = block.end
        except UnicodeDecodeError:
            raise _misfit(path, dialect.encoding) from None
        except _LongRowError as error:
            reason = "this row has several megabytes; is this a delimited file, and is each quoted field closed?"
            raise UnreadableError(reason, path, first + error.lines) from None


class _LongRowError(Exception):
    """A row of more characters than are looked at, so many lines after what was yielded."""

    def __init__(self, lines: int = 0) -> None:
        super().__init__(lines)
        self.lines = lines


def _lines(
    file: TextIO, dialect: Dialect, size: int, longest: int | None = None
) -> Iterator[tuple[list[Row], list[str]]]:
    """Yield rows, each of one line, and their lines."""
    start = True
    while text := file.read(size):
        rest = file.readline(-1 if longest is None else longest)
        if longest is not None and len(rest) == longest:
            raise _LongRowError(text.count("\n"))
        text = decoded(text + rest, file.name, dialect, start)
        start = False
        yield split(text, dialect)


def split(text: str, dialect: Dialect) -> tuple[list[Row], list[str]]:
    """Return the rows, each of one line, of a part of a file that ends with a line, and their lines."""
    lines = text.split("\n")
    last = lines.pop()
    if dialect.skips_returns:
        kept = [line for line in (line.removesuffix("\r") for line in lines) if line]
    else:
        kept = [line.removesuffix("\r") for line in lines if line] if "\r" in text else list(filter(None, lines))
    if last:
        lines.append(last)
        kept.append(last if dialect.skips_returns else last.removesuffix("\r"))
    return _split(_unmarked(kept, text, dialect), '"' in text, dialect.separator), lines


def _records(
    file: TextIO, dialect: Dialect, size: int, longest: int | None = None
) -> Iterator[tuple[list[Row], list[str]]]:
    """Yield rows whose quoted fields may contain line breaks, with their lines."""
    text, wanted, start = "", size, True
    while more := file.read(wanted):
        if longest is not None and len(text) > longest:
            raise _LongRowError
        text += decoded(more, file.name, dialect, start)
        start = False
        records, rest = _closed(text, dialect.separator)
        # The end of an open field is searched in growing pieces, so that nothing is read many times.
        wanted = size if records else wanted * 2
        if records:
            kept = [record for record in (record.removesuffix("\r") for record in records) if record]
            yield _split(_unmarked(kept, text, dialect), True, dialect.separator), records
        text = text[rest:]
    if text:
        yield [fields(text.removeprefix(dialect.mark), dialect.separator)], [text]


def _unmarked(rows: list[str], text: str, dialect: Dialect) -> list[str]:
    """Return rows without the marks that they start with."""
    mark = dialect.mark
    return [row.removeprefix(mark) for row in rows] if mark and mark in text else rows


def _split(lines: list[str], has_quotes: bool, separator: str) -> list[Row]:
    if not has_quotes:
        return [line.split(separator) for line in lines]
    return [fields(line, separator) for line in lines]


def decoded(text: str, name: str, dialect: Dialect, is_start: bool) -> str:
    """Return a part of a file as Azure ML decodes it, where Python's codec does otherwise."""
    encoding = codec(dialect.encoding)
    if encoding == _LATIN and _CONTROLS.search(text):
        return text.translate(_WINDOWS)
    is_swapped = text.startswith(_SWAPPED_MARK) or ("\u0a00" in text and "\n" not in text)
    if encoding == "utf-16-le" and is_start and is_swapped:
        raise UnreadableError("is big-endian UTF-16, but Azure ML reads little-endian; save it as UTF-8", name)
    return text


def _misfit(path: str, encoding: str) -> UnreadableError:
    """Return the problem of a file that cannot be decoded."""
    with open(path, "rb") as file:
        start = file.read(16)
        for kind, sentence in _KINDS:
            if start.startswith(kind):
                return UnreadableError(sentence, path)
        file.seek(0)
        for number, line in enumerate(file, 1) if codec(encoding) == _UTF8 else ():
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return UnreadableError(
                    f"the byte 0x{line[error.start]:02x} is not {_SPELLED[encoding.lower()]}; save the file as "
                    "UTF-8, or set its encoding",
                    path,
                    number,
                )
    return UnreadableError(f"is not {_SPELLED[encoding.lower()]}; save it as UTF-8, or set its encoding", path)


def _closed(text: str, separator: str) -> tuple[list[str], int]:
    """Split a text at the line feeds that end a row; returns the rows' texts, and where the rest starts."""
    records, start = [], 0
    while (end := _end(text, start, separator)) >= 0:
        records.append(text[start:end])
        start = end + 1
    return records, start


def _end(text: str, start: int, separator: str) -> int:
    """Return the place of the line feed that ends the row that starts there; -1 when the text ends before it."""
    end = text.find("\n", start + 1)
    if end < 0 or text.find('"', start, end) < 0:
        return end
    # A line feed at the start of a row does not end it, and a quote after it opens a field.
    position = start + text.startswith("\n", start)
    while True:
        if text.startswith('"', position):
            position = _closing(text, position) + 1
            if not position:
                return -1
        if end < position:
            end = text.find("\n", position)
        if end < 0:
            return -1
        position = text.find(separator, position, end) + 1
        if not position:
            return end


def _closing(text: str, opening: int) -> int:
    """Return the index of the quote that closes the one at `opening`, -1 if none.

    A doubled quote does not close it, unless the text ends with it.
    """
    close = text.find('"', opening + 1)
    while close >= 0 and text.startswith('"', close + 1):
        if close + 2 == len(text):
            return close + 1
        close = text.find('"', close + 2)
    return close


def fields(line: str, separator: str) -> Row:
    """Split a line into its fields. A quote that is never closed is a character."""
    if '"' not in line:
        return line.split(separator)
    found: Row = []
    position = 0
    while position <= len(line):
        close = _closing(line, position) if line.startswith('"', position) else -1
        end = line.find(separator, max(position, close + 1))
        end = len(line) if end < 0 else end
        if close < 0:
            found.append(line[position:end])
        else:
            quoted = line[position + 1 : close].replace('""', '"')
            found.append(quoted + line[close + 1 : end] or EMPTY)
        position = end + 1
    return found


def is_open(line: str, separator: str) -> bool:
    """Return whether a line has a field that opens a quote which the line does not close."""
    position = 0
    while position <= len(line):
        close = _closing(line, position) if line.startswith('"', position) else -1
        if close < 0 and line.startswith('"', position):
            return True
        end = line.find(separator, max(position, close + 1))
        if end < 0:
            return False
        position = end + 1
    return False


def texts(column: Iterable[str | None]) -> list[str | None]:
    """Return a column's fields as texts, None for an empty one."""
    values = list(column)
    if "" in values:
        return ["" if value is EMPTY else value or None for value in values]
    return values


def filled(column: Iterable[str | None]) -> list[str | None]:
    """Return a column's fields as texts; an empty one is a text too."""
    return ["" if value == "" else value for value in column]


def header(row: Row) -> list[str]:
    """Return the columns' names from a header row: trimmed, `Column2` for an empty one, doubles numbered."""
    names: list[str] = []
    known: set[str] = set()
    doubles = 0
    for number, field in enumerate(row, 1):
        name = field.strip(SPACES) or f"Column{number}"
        while name in known:
            doubles += 1
            name += f"_{doubles}"
        names.append(name)
        known.add(name)
    return names
