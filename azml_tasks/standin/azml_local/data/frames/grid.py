"""The rows and fields of delimited text, found in its bytes by numpy."""

from __future__ import annotations

from ...formats import delimited

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy

    from ...formats.table import Row

    Array = numpy.ndarray[Any, Any]

MARK = b"\xef\xbb\xbf"
RETURN, LINE, QUOTE = b"\r", b"\n", b'"'

_MOST = 2**31 - 1  # bytes of which places are counted
_EIGHT = 8  # bytes
_MANY = 40  # different texts


class Grid:
    """Rows of the same number of fields, as bytes.

    `array` is `data`, uint8 (bytes,); `borders` are the places of the separators and line feeds that end the fields,
    int32 (columns, rows).
    """

    def __init__(self, data: bytes, array: Array, borders: Array) -> None:
        self.data = data
        self.array = array
        self.width, self.count = borders.shape
        self._borders = borders
        self._has_quotes = QUOTE in data

    def bounds(self, column: int) -> tuple[Array, Array]:
        """Return where the fields of a column start and end."""
        import numpy

        before = self._borders[column - 1] if column else numpy.roll(self._borders[-1], 1)
        starts: Array = before + 1
        if not column:
            starts[0] = 0
        return starts, self._borders[column]

    def texts(self, starts: Array, ends: Array, separator: str) -> Row:
        """Return fields as texts, as delimited.fields does."""
        data, bounds = self.data, zip(starts.tolist(), ends.tolist())  # noqa: B905 - arrays of one length
        found = [data[start:end].decode() for start, end in bounds]
        if not self._has_quotes:
            return found
        return [delimited.fields(text, separator)[0] if text.startswith('"') else text for text in found]

    def count_empty(self, column: int) -> int:
        """Return how many fields of a column are empty."""
        import numpy

        starts, ends = self.bounds(column)
        return int(numpy.count_nonzero(starts == ends))

    def short_texts(self, column: int) -> tuple[list[bytes], Array] | None:
        """Return the distinct fields of a column, and the number of each row's; None if they are many, or long."""
        import numpy

        starts, ends = self.bounds(column)
        lengths = ends - starts
        if int(lengths.max()) >= _EIGHT or len(self.data) < _EIGHT:
            return None
        # The eight bytes from each place on, as numbers; of them, those of the field are kept.
        windows = numpy.ndarray(len(self.data) - _EIGHT + 1, "<u8", self.data, strides=(1,))
        places = numpy.minimum(starts, len(windows) - 1)
        keys = windows[places] >> ((starts - places) * 8).astype("uint64")
        keys &= (numpy.uint64(1) << (lengths * 8).astype("uint64")) - numpy.uint64(1)
        found: list[int] = []
        numbers = numpy.full(self.count, -1)
        while (rest := numpy.flatnonzero(numbers < 0)).size:
            if len(found) == _MANY:
                return None
            found.append(int(keys[rest[0]]))
            numbers[keys == keys[rest[0]]] = len(found) - 1
        return [key.to_bytes(_EIGHT, "little").rstrip(b"\0") for key in found], numbers

    def has_quoted_empties(self, column: int) -> bool:
        """Return whether a column has a quoted empty field, which pandas cannot tell from one without quotes."""
        if not self._has_quotes:
            return False
        starts, ends = self.bounds(column)
        return bool(((ends - starts == 2) & (self.array[starts] == ord('"'))).any())

    def head(self, count: int) -> Grid:
        """Return the first rows."""
        if count >= self.count:
            return self
        size = int(self._borders[-1, count - 1]) + 1
        return Grid(self.data[:size], self.array[:size], self._borders[:, :count])


def find_grid(data: bytes, dialect: delimited.Dialect) -> Grid | None:
    """Return the fields of rows; None if pandas could find others."""
    import numpy

    lines = _plain_lines(data, dialect)
    if not lines:
        return None
    array = numpy.frombuffer(lines, dtype="uint8")
    is_end = array == ord("\n")
    is_border = is_end | (array == ord(dialect.separator))
    if QUOTE in lines:
        inside = _inside_quotes(array, is_border)
        if inside is None or (not dialect.multi_line and (is_end & inside).any()):
            return None
        is_end, is_border = is_end & ~inside, is_border & ~inside
    # With multi_line, a blank line belongs to the row that follows.
    if dialect.multi_line and _has_blank(is_end):
        return None
    borders, count = numpy.flatnonzero(is_border), numpy.count_nonzero(is_end)
    width, more = divmod(len(borders), count)
    if more:
        return None
    by_column = borders.astype("int32").reshape(count, width).T.copy()
    # So many line feeds are the last of each row, so that the others are separators.
    return Grid(lines, array, by_column) if is_end[by_column[-1]].all() else None


def _plain_lines(data: bytes, dialect: delimited.Dialect) -> bytes | None:
    """Return the rows' bytes with no carriage returns and blank lines; None if those are more than ends of lines."""
    import numpy

    multi_line = dialect.multi_line
    if b"\0" in data or len(data) > _MOST or (MARK in data if multi_line else data.startswith(MARK)):
        return None
    has_blank = not multi_line and _has_blank(numpy.frombuffer(data, dtype="uint8") == ord("\n"))
    if RETURN in data:
        is_only_before_feeds = data.count(RETURN) == data.count(b"\r\n")
        if not is_only_before_feeds or data.startswith(RETURN) or b"\n\r" in data or (multi_line and QUOTE in data):
            return None
        data = data.replace(b"\r\n", LINE)
    while has_blank and LINE * 2 in data:
        data = data.replace(LINE * 2, LINE)
    return data.removeprefix(LINE) if has_blank else data


def _has_blank(is_end: Array) -> bool:
    """Return whether there is a blank line."""
    return bool(is_end[:1].any() or (is_end[1:] & is_end[:-1]).any())


def _inside_quotes(array: Array, is_border: Array) -> Array | None:
    """Return which bytes are in quotes; None if a quote is elsewhere than around a field or doubled in it."""
    import numpy

    is_quote = array == ord('"')
    opening = numpy.flatnonzero(is_quote)[::2]
    before = opening[opening > 0] - 1
    if numpy.count_nonzero(is_quote) % 2 or not (is_border[before] | is_quote[before]).all():
        return None
    inside: Array = numpy.bitwise_xor.accumulate(is_quote.view("uint8")).view(bool)
    return inside
