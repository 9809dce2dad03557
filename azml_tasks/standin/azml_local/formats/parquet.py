"""Read footers of Parquet files: columns, and what Azure ML's reader cannot read.

What it cannot read was measured on azureml-dataprep-rslex 2.26 (`python -m tests.frames`). The types are those in the
footer, Arrow's (`ARROW:schema`) before Parquet's. Without pyarrow, so that checks need no package.
"""

from __future__ import annotations

import base64
import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .files import UnreadableError

_MAGIC = b"PAR1"
_ENCRYPTED = b"PARE"
_ARROW = b"ARROW:schema\x18"
_DEEPEST = 100

# Types that Azure ML's reader cannot read, with pyarrow's names.
_CODECS = {3: "LZO", 7: "LZ4"}
_STREAM_SPLIT = 9
_ARROW_TYPES = {
    11: "interval",
    14: "union",
    15: "fixed_size_binary",
    16: "fixed_size_list",
    17: "map",
    18: "duration",
    22: "run_end_encoded",
    23: "binary_view",
    24: "string_view",
    25: "list_view",
    26: "large_list_view",
}
_FIXED_BINARY = 7
_DECIMAL = 5
_MAPS = (1, 2)
_LOGICAL_MAP, _LOGICAL_DECIMAL, _LOGICAL_FLOAT16 = 2, 5, 15
_HALF, _SECONDS = 0, 0
_LONGEST_DECIMAL = 16  # bytes

_Fields = dict[int, Any]


@dataclass(frozen=True)
class Footer:
    """The footer of a Parquet file: columns, rows, and why Azure ML cannot read it."""

    columns: tuple[str, ...]
    rows: int
    refusals: tuple[str, ...]


def with_content(files: Iterable[str]) -> list[str]:
    """Return the files that are not empty; an empty one, such as `_SUCCESS`, is not part of the table."""
    return [path for path in files if os.path.getsize(path)]


def check(path: str) -> Footer:
    """Return the footer of a file that Azure ML can read.

    Raises UnreadableError with the first thing that it cannot, and for what is not a parquet file.
    """
    footer = read_footer(path)
    if footer.refusals:
        raise UnreadableError(footer.refusals[0], path)
    return footer


def read_footer(path: str) -> Footer:
    """Return the footer of a file.

    Raises UnreadableError for what is not a parquet file, or is damaged.
    """
    data = _footer_bytes(path)
    try:
        fields = _Compact(data).footer()
        schema = [_Element(element) for element in fields[2]]
        top = _children(schema)
        columns = tuple(element.name for element in top)
        rows = int(fields[3])
        refusals = (*_double(columns), *_types(schema, data), *_chunks(fields.get(4) or []))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError, struct.error):  # whatever bytes it may hold
        raise UnreadableError("is damaged: the footer of this parquet file cannot be read", path) from None
    return Footer(columns, rows, tuple(dict.fromkeys(refusals)))


def _footer_bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        start = file.read(4)
        size = file.seek(0, os.SEEK_END)
        if start == _ENCRYPTED:
            raise UnreadableError("is encrypted, which Azure ML cannot read", path)
        if start != _MAGIC:
            raise UnreadableError("is not a parquet file", path)
        file.seek(max(size - 8, 0))
        end = file.read(8)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC or length + 12 > size:
            raise UnreadableError("is truncated: the end of this parquet file is missing", path)
        file.seek(size - 8 - length)
        return file.read(length)


class _Element:
    """A node of parquet's schema: a column, or a group of them."""

    def __init__(self, fields: _Fields) -> None:
        self.name = bytes(fields[4]).decode()
        self.kind = fields.get(1)
        self.length = fields.get(2) or 0
        self.children = fields.get(5) or 0
        self.converted = fields.get(6)
        self.precision = fields.get(8) or 0
        self.logical = next(iter(fields.get(10) or {}), None)

    def refusal(self) -> str | None:
        """Return the type, where it is one that cannot be read."""
        if self.children:
            return "map" if self.converted in _MAPS or self.logical == _LOGICAL_MAP else None
        if self.converted == _DECIMAL or self.logical == _LOGICAL_DECIMAL:
            return "decimal256" if self.kind == _FIXED_BINARY and self.length > _LONGEST_DECIMAL else None
        if self.kind == _FIXED_BINARY:
            return "halffloat" if self.logical == _LOGICAL_FLOAT16 else "fixed_size_binary"
        return None


def _children(schema: Sequence[_Element]) -> list[_Element]:
    """Return the columns: the nodes right below the first, before which a group's own are."""
    found, place = [], 1
    while place < len(schema):
        found.append(schema[place])
        waiting = 1
        while waiting:
            waiting += schema[place].children - 1
            place += 1
    return found


def _double(columns: Sequence[str]) -> Iterator[str]:
    if not columns:
        yield "has no columns, which Azure ML cannot read"
    for name, count in Counter(columns).items():
        if count > 1:
            yield f"has {count} columns named {name!r}, which Azure ML cannot read; rename them"


def _types(schema: Sequence[_Element], data: bytes) -> Iterator[str]:
    arrow = _arrow_types(data)
    place = 1
    while place < len(schema):
        column, end = schema[place], place
        waiting = 1
        while waiting:
            waiting += schema[end].children - 1
            end += 1
        found = [node.refusal() for node in schema[place:end]]
        kind = next(filter(None, arrow.get(column.name, ())), None) or next(filter(None, found), None)
        if kind:
            yield (
                f"has the column {column.name!r} of type {kind}, which Azure ML cannot read; write it as another type"
                + (" (a categorical as string)" if kind == "dictionary" else "")
            )
        place = end


def _chunks(row_groups: Sequence[_Fields]) -> Iterator[str]:
    """Yield problems of the storage of columns."""
    for chunk in row_groups[0][1] if row_groups else ():
        meta = chunk.get(3) or {}
        codec = _CODECS.get(meta.get(4, 0))
        name = ".".join(bytes(part).decode() for part in meta.get(3) or ())
        if codec:
            yield f"is compressed by {codec}, which Azure ML cannot read; use snappy, gzip, brotli or zstd"
        if _STREAM_SPLIT in (meta.get(2) or ()):
            yield f"has the column {name!r} encoded as BYTE_STREAM_SPLIT, which Azure ML cannot read"


class _Compact:
    """A reader of Thrift's compact protocol."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def footer(self) -> _Fields:
        """Read the footer as far as the first group of rows: there may be very many."""
        fields: _Fields = {}
        for number, kind in self._headers():
            if number == 4:
                kind_of_items, count = self._list_header()
                fields[4] = [self._value(kind_of_items, 0)] if count else []
                break
            fields[number] = self._value(kind, 0)
        return fields

    def _headers(self) -> Iterator[tuple[int, int]]:
        number = 0
        while (byte := self._byte()) != 0:
            number = number + (byte >> 4) if byte >> 4 else self._signed()
            yield number, byte & 0x0F

    def _value(self, kind: int, depth: int) -> Any:  # noqa: PLR0911 - one for each kind
        if depth > _DEEPEST:
            raise ValueError("too deep")
        if kind in (1, 2):
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in (4, 5, 6):
            return self._signed()
        if kind == 7:
            return self._bytes(8)
        if kind == 8:
            return self._bytes(self._varint())
        if kind in (9, 10):
            kind_of_items, count = self._list_header()
            return [self._item(kind_of_items, depth + 1) for _ in range(count)]
        if kind == 11:
            return self._map(depth + 1)
        if kind == 12:
            return {number: self._value(of, depth + 1) for number, of in self._headers()}
        raise ValueError("unknown type")

    def _item(self, kind: int, depth: int) -> Any:
        return self._byte() == 1 if kind in (1, 2) else self._value(kind, depth)

    def _map(self, depth: int) -> list[Any]:
        count = self._varint()
        kinds = self._byte() if count else 0
        return [(self._item(kinds >> 4, depth), self._item(kinds & 0x0F, depth)) for _ in range(count)]

    def _list_header(self) -> tuple[int, int]:
        byte = self._byte()
        return byte & 0x0F, byte >> 4 if byte >> 4 < 15 else self._varint()

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, length: int) -> bytes:
        self._at += length
        if self._at > len(self._data):
            raise IndexError
        return self._data[self._at - length : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def _signed(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _arrow_types(data: bytes) -> dict[str, list[str | None]]:
    """Return the types that cannot be read of each column, as Arrow's schema in the footer has them."""
    place = data.rfind(_ARROW)
    if place < 0:
        return {}
    compact = _Compact(data[place + len(_ARROW) :])
    try:
        message = base64.b64decode(compact._bytes(compact._varint()))
        root = _FlatTable.root(message[8:] if message[:4] == b"\xff\xff\xff\xff" else message[4:])
        schema = root.table(2)
        fields = schema.tables(1) if schema else []
        return {field.text(0): list(_arrow_refusals(field, 0)) for field in fields}
    except (IndexError, ValueError, struct.error):  # binascii's error is a ValueError
        return {}


def _arrow_refusals(field: _FlatTable, depth: int) -> Iterator[str | None]:
    if depth > _DEEPEST:
        raise ValueError("too deep")
    kind, details = field.number(2, "B"), field.table(3)
    if field.table(4):
        yield "dictionary"
    yield _ARROW_TYPES.get(kind)
    if kind == 3 and details and details.number(0, "h") == _HALF:
        yield "halffloat"
    if kind == 7 and details and details.number(2, "i", 128) > 128:
        yield "decimal256"
    if kind == 9 and details and details.number(0, "h", 1) == _SECONDS:
        yield "time32[s]"
    if kind == 10 and details and details.number(0, "h") == _SECONDS:
        yield "timestamp[s]"
    for child in field.tables(5):
        yield from _arrow_refusals(child, depth + 1)


class _FlatTable:
    """A table of a flatbuffer."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at

    @classmethod
    def root(cls, data: bytes) -> _FlatTable:
        """Return the table that a flatbuffer starts with."""
        return cls(data, struct.unpack_from("<I", data)[0])

    def number(self, slot: int, form: str, default: int = 0) -> int:
        """Return a field that is a number."""
        place = self._place(slot)
        return int(struct.unpack_from(f"<{form}", self._data, place)[0]) if place else default

    def table(self, slot: int) -> _FlatTable | None:
        """Return a field that is a table."""
        place = self._place(slot)
        return _FlatTable(self._data, self._pointed(place)) if place else None

    def tables(self, slot: int) -> list[_FlatTable]:
        """Return a field that is a list of tables."""
        start, count = self._vector(slot)
        return [_FlatTable(self._data, self._pointed(start + 4 * number)) for number in range(count)]

    def text(self, slot: int) -> str:
        """Return a field that is a text."""
        start, count = self._vector(slot)
        return self._data[start : start + count].decode()

    def _vector(self, slot: int) -> tuple[int, int]:
        place = self._place(slot)
        if not place:
            return 0, 0
        start = self._pointed(place)
        count = struct.unpack_from("<I", self._data, start)[0]
        if start + 4 + count > len(self._data):
            raise IndexError
        return start + 4, count

    def _pointed(self, place: int) -> int:
        return int(place + struct.unpack_from("<I", self._data, place)[0])

    def _place(self, slot: int) -> int:
        """Return where a field is; 0 for one that is not there."""
        table = self._at - struct.unpack_from("<i", self._data, self._at)[0]
        if 4 + 2 * slot >= struct.unpack_from("<H", self._data, table)[0]:
            return 0
        offset = struct.unpack_from("<H", self._data, table + 4 + 2 * slot)[0]
        return int(self._at + offset) if offset else 0
