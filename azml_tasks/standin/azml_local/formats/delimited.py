"""Delimited files: their lines, fields and headers, as Azure ML reads them.

Measured on azureml-dataprep 5.5: blank lines are skipped, an empty field is null and a quoted empty one a text, a
short row ends in nulls, a long one adds columns `Column3`, headers are trimmed and doubled names numbered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import UserErrorException

_ENCODINGS = {
    "utf8": "utf-8-sig",
    "iso88591": "iso-8859-1",
    "latin1": "iso-8859-1",
    "ascii": "ascii",
    "utf16": "utf-16",
    "utf32": "utf-32",
    "utf8bom": "utf-8-sig",
    "windows1252": "cp1252",
}

_BLOCK = 1 << 20  # characters that are read and split at once

Row = list  # of str; EMPTY stands for a quoted empty field, "" for one that is not there


class _QuotedEmpty(str):
    """An empty text, told from an empty field by its identity."""

    __slots__ = ()


EMPTY = _QuotedEmpty()


def encoding(name: str) -> str:
    """Return Python's name of an encoding that the SDK knows."""
    try:
        return _ENCODINGS[name.lower()]
    except KeyError:
        known = ", ".join(sorted(_ENCODINGS))
        raise UserErrorException(f"there is no encoding {name!r}; there are {known}") from None


def blocks(path: str, separator: str, encoding_name: str, multi_line: bool) -> Iterator[list[Row]]:
    """Yield the rows of a file, many at a time; with `multi_line`, quoted fields hold line breaks."""
    with open(path, encoding=encoding(encoding_name), newline="\n") as file:
        try:
            while text := file.read(_BLOCK):
                yield _rows(text + file.readline(), file, separator, multi_line)
        except UnicodeDecodeError:
            raise UserErrorException(f"{path} is not {encoding_name}; name its encoding") from None


def _rows(text: str, following: Iterator[str], separator: str, multi_line: bool) -> list[Row]:
    """Split whole lines into rows; a field that is still open at their end takes more lines from the file."""
    # Blank is a line without even a carriage return: of a file of one column, "\r\n" is a row.
    lines = [line for line in text.split("\n") if line]
    if multi_line and '"' in text:
        lines = list(_closed(iter(lines), following, separator))
    if "\r" in text:
        lines = [line.removesuffix("\r") for line in lines]
    if '"' not in text:
        return [line.split(separator) for line in lines]
    return [fields(line, separator) for line in lines]


def fields(line: str, separator: str) -> Row:
    """Split a line into its fields. A quote that is never closed is a character."""
    if '"' not in line:
        return line.split(separator)
    found, position = [], 0
    while position <= len(line):
        field, position = _quoted(line, position, separator) or _bare(line, position, separator)
        found.append(field)
    return found


def texts(column: Iterable[str | None]) -> list[str | None]:
    """Return a column's fields as texts, None for an empty one."""
    values = list(column)
    if "" in values:
        return ["" if value is EMPTY else value or None for value in values]
    return values


def filled(column: Iterable[str | None]) -> list[str | None]:
    """Return a column's fields as texts; an empty one is a text too."""
    return ["" if value == "" else value for value in column]


def _closed(lines: Iterator[str], following: Iterator[str], separator: str) -> Iterator[str]:
    """Join lines while a quoted field is open, with lines of the file after the last."""
    for line in lines:
        text = line
        while _is_open(text, separator):
            more = next(lines, None)
            more = next(following, None) if more is None else more
            if more is None:
                break
            text += "\n" + more.removesuffix("\n")
        yield text


def _is_open(text: str, separator: str) -> bool:
    """Say whether a quoted field is not closed yet."""
    position = 0
    while '"' in text and position <= len(text):
        quoted = _quoted(text, position, separator)
        if quoted is None and text[position : position + 1] == '"':
            return True
        _, position = quoted or _bare(text, position, separator)
    return False


def header(row: Row) -> list[str]:
    """Return the columns' names from a header row: trimmed, `Column2` for an empty one, doubles numbered."""
    names: list[str] = []
    for number, field in enumerate(row, 1):
        name = field.strip() or f"Column{number}"
        base, count = name, 0
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names.append(name)
    return names


def _bare(line: str, position: int, separator: str) -> tuple[str, int]:
    end = line.find(separator, position)
    end = len(line) if end < 0 else end
    return line[position:end], end + len(separator)


def _quoted(line: str, position: int, separator: str) -> tuple[str, int] | None:
    """Return a field that starts with a quote, and where the next starts; None when the quote is never closed."""
    if line[position : position + 1] != '"':
        return None
    parts, start = [], position + 1
    while True:
        close = line.find('"', start)
        if close < 0:
            return None
        parts.append(line[start:close])
        if line[close + 1 : close + 2] != '"':
            break
        parts.append('"')
        start = close + 2
    end = line.find(separator, close + 1)
    end = len(line) if end < 0 else end
    return "".join(parts) + line[close + 1 : end] or EMPTY, end + len(separator)
