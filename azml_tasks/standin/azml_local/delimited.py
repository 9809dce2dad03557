"""Delimited files: their lines, fields and headers, as Azure ML reads them.

Measured on azureml-dataprep 5.5: blank lines are skipped, an empty field is null and a quoted empty one a text, a
short row ends in nulls, a long one adds columns `Column3`, headers are trimmed and doubled names numbered.
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import UserErrorException

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

Row = list  # of str, or None for an empty field


def encoding(name: str) -> str:
    """Return Python's name of an encoding that the SDK knows."""
    try:
        return _ENCODINGS[name.lower()]
    except KeyError:
        known = ", ".join(sorted(_ENCODINGS))
        raise UserErrorException(f"there is no encoding {name!r}; there are {known}") from None


def rows(path: str, separator: str, encoding_name: str, multi_line: bool) -> Iterator[Row]:
    """Yield the rows of a file; with `multi_line`, quoted fields hold line breaks."""
    with open(path, encoding=encoding(encoding_name), newline="\n") as file:
        # Blank is a line without even a carriage return: of a file of one column, "\r\n" is a row.
        lines = (line for line in file if line != "\n")
        try:
            for line in _closed(lines, separator) if multi_line else lines:
                yield fields(line.removesuffix("\n").removesuffix("\r"), separator)
        except UnicodeDecodeError:
            raise UserErrorException(f"{path} is not {encoding_name}; name its encoding") from None


def fields(line: str, separator: str) -> Row:
    """Split a line into its fields; None for an empty one. A quote that is never closed is a character."""
    if '"' not in line:
        return [field or None for field in line.split(separator)]
    found, position = [], 0
    while position <= len(line):
        field, position = _quoted(line, position, separator) or _bare(line, position, separator)
        found.append(field)
    return found


def _closed(lines: Iterator[str], separator: str) -> Iterator[str]:
    """Join lines while a quoted field is open."""
    for line in lines:
        text = line
        while _is_open(text, separator):
            following = next(lines, None)
            if following is None:
                break
            text += following
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
        name = (field or "").strip() or f"Column{number}"
        base, count = name, 0
        while name in names:
            count += 1
            name = f"{base}_{count}"
        names.append(name)
    return names


def unnamed(start: int, count: int) -> list[str]:
    """Return the names of columns that have no header."""
    return [f"Column{number}" for number in range(start + 1, start + count + 1)]


def _bare(line: str, position: int, separator: str) -> tuple[str | None, int]:
    end = line.find(separator, position)
    end = len(line) if end < 0 else end
    return line[position:end] or None, end + 1


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
    return "".join(parts) + line[close + 1 : end], end + 1
