"""Tables with plain columns and a few odd fields and rows, at any place, for comparing the two readers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

# The last of them are left to the other reader.
SEPARATORS = ",,,,,,,,;;\t\t|:~^ '1.-"


def _moment(row: int) -> datetime.datetime:
    return datetime.datetime(1995, 1, 1) + datetime.timedelta(days=row * 37 % 9000, seconds=row * 7919 % 86400)


def _date(date_format: str) -> Callable[[int], str]:
    return lambda row: _moment(row).strftime(date_format)


# What a plain column has in a row.
KINDS: Mapping[str, Callable[[int], str]] = {
    "row": str,
    "code": lambda row: f"{row % 50:05}",
    "large": lambda row: str((-1) ** row * (2**63 - 1 - row)),
    "decimal": lambda row: f"{row / 7!r}",
    "short decimal": lambda row: f"{row * 37 % 1000}.{row % 100:02}",
    "exponent": lambda row: f"{row + 1}.{row * 13 % 97:02}e{row * 31 % 600 - 300}",
    "long decimal": lambda row: f"{row}.{'123456789' * 4}{row}",
    "boolean": lambda row: ("true", "False", "T", "N", "YES")[row * 7 % 5],
    "bit": lambda row: "10"[row % 2],
    "day": _date("%Y-%m-%d"),
    "slashed day": _date("%Y/%m/%d"),
    "second": _date("%Y-%m-%d %H:%M:%S"),
    "fraction": lambda row: _moment(row).isoformat() + ("" if row % 3 else f".{row * 7919 % 10**9:09}"[: 2 + row % 9]),
    "zone": lambda row: _moment(row).isoformat() + ("Z", "+02:00", "-0530")[row % 3],
    "American day": _date("%m/%d/%Y"),
    "American noon": lambda row: _moment(row).strftime("%m/%d/%Y %I:%M:%S %p").replace("/0", "/").lstrip("0"),
    "European day": lambda row: f"{row % 16 + 13}/{row % 12 + 1}/{1980 + row % 40}",
    "named month": _date("%d-%b-%Y"),
    "short year": lambda row: _moment(row).strftime("%d/%b/%y %H:%M").lower(),
    "text": lambda row: f"t{row * 7919 % 1000}",
    "accent": lambda row: f"é{row}€",
    "quoted": lambda row: f'"a, ""{row}"""',
    "quoted number": lambda row: f'"{row}"',
    "sparse": lambda row: "" if row % 3 else str(row),
    "sparse text": lambda row: "" if row % 4 else f"x{row}",
    "empty": lambda row: "",
}
FIELDS = (
    "", '""', " ", "x", "5", " 5", "5 ", "-0", "+7", "007", "1.", ".5", "2.9", "-2.9", "1e5", "1E-5", "1e400",
    "1e", "1_000", "0x1F", "\u0663", "nan", "NaN", "-nan", "inf", "-Infinity", "INF", "inf ",
    "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551615", "18446744073709551616", "1" * 40, "1" * 400, "true", "TRUE", "tRue", "yes", "Y",
    "01", "+1", "True ", "é", "\xa05", "5\xa0", "5\x85", "\x1c5", "\x0b5", "NaT", "null", "NA", "None", "<NA>",
    "#N/A", "2020-02-30", "2020-02-29", "2020-1-3", "2020-01-13 ", " 2020-01-13", "2020-13-01", "0000-01-01",
    "0001-01-01", "1677-09-21 00:12:43", "2262-04-12", "9999-12-31", "+2020-01-01", "2020-01-13T10:11:60",
    "2020-01-13 24:00:00", "2020-01-13T10:11:12+99:99", "2020-01-13T10:11:12.1234567891", "2020-01-13 1:2:3",
    "13/1/2020", "1/13/2020 13:05:00 PM", "1/2/2020 12:00:00 am", "1/2/2020 0:00:00 AM", "3-JAN-2020",
    "3-Jam-2020", "2020/01/13", "01/02/03", '"x"', '"x,;y"', '"x ""y"" z"', '"""', '""""', '"x""', '"open',
    'x"y', 'x""', '"a"b', '"a"b"', '"a"b","c', '"x\ny"', '"x\r\ny"', '"x\n\ny"', "x\ry", "x\0", "\0", "\ufeff",
    "\ufeff5", '\ufeff"x"', "5,6", "x;y", "x\ty", "5\r", "'", "#x", "\\", '\\"', "$5", "5%", "1,5", "1.234,5",
)  # fmt: skip
ROWS = ("", "\r", " ", "5", ",", "5,6,7,8,9,10,11,12", "\n\n", '"', '""', "\ufeff", "\0", "\t")
TYPES = (
    {"name": "string"}, {"name": "long"}, {"name": "float"}, {"name": "float", "decimal_mark": ","},
    {"name": "boolean"}, {"name": "datetime"}, {"name": "datetime", "formats": ["%Y-%m-%d"]},
    {"name": "datetime", "formats": ["%Y%m%d%H"]}, {"name": "datetime", "formats": ["%d/%m/%Y", "%m/%d/%Y"]},
    {"name": "datetime", "formats": ["%y-%m", "%A %Y"]},
    {"name": "datetime", "formats": ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]},
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """The contents of a table's files, and the definition of how they are read."""

    contents: Sequence[bytes]
    reading: Mapping[str, Any]
    limit: int | None = None


@st.composite
def tables(draw: Any, most_rows: int = 450) -> Table:
    """Draw a table: plain columns, in which a few fields and rows are odd."""
    separator = draw(st.sampled_from(SEPARATORS))
    kinds = draw(st.lists(st.sampled_from(list(KINDS)), min_size=1, max_size=5))
    files = draw(st.sampled_from((1, 1, 1, 2, 5)))
    count = draw(st.one_of(st.integers(0, 30), st.integers(150, most_rows)))
    is_clean = draw(st.booleans())
    lines = [[KINDS[kind](row) for kind in kinds] for row in range(count)]
    for row, column, field in draw(_odd(count, len(kinds), FIELDS)):
        lines[row][column] = field
    rows = [separator.join(line) for line in lines]
    if not is_clean:
        for row, _, text in draw(_odd(count, 1, ROWS)):
            rows[row] = text.replace(",", separator)
    if draw(st.sampled_from((False, False, False, True))):
        rows = [row + separator for row in rows]
    header = separator.join(draw(st.sampled_from((f"c{n}", f'"c{n}"', f" c {n}", "", "é"))) for n in range(len(kinds)))
    contents = []
    for number in range(files):
        part = rows[number * count // files : (number + 1) * count // files]
        end = draw(st.sampled_from(("\n", "\n", "\n", "\r\n")))
        text = end.join([header, *part]) + draw(st.sampled_from((end, end, "", end * 2, "\r")))
        mark = draw(st.sampled_from(("", "", "", "\ufeff")))
        contents.append(mark + text if draw(st.sampled_from((True,) * 9 + (False,))) else "")
    encoding, codec = draw(st.sampled_from((("utf8", "utf-8"),) * 5 + (("latin1", "cp1252"), ("utf16", "utf-16-le"))))
    reading = {
        "format": "delimited",
        "separator": separator,
        "encoding": encoding,
        "infer": draw(st.sampled_from((True, True, True, False))),
        "multi_line": draw(st.sampled_from((False, False, True))),
        "empty_as_string": draw(st.sampled_from((False, False, False, True))),
        "types": draw(
            st.dictionaries(st.sampled_from(("c0", "c1", "c2", "Column2")), st.sampled_from(TYPES), max_size=2)
        ),
        "header": draw(
            st.sampled_from(("ALL_FILES_HAVE_SAME_HEADERS",) * 4 + ("NO_HEADERS", "ONLY_FIRST_FILE_HAS_HEADERS"))
        ),
    }
    limit = draw(st.sampled_from((None, None, None, 3, 205, 260)))
    return Table([text.encode(codec, "replace") for text in contents], reading, limit)


def _odd(rows: int, columns: int, values: Sequence[str]) -> st.SearchStrategy[list[tuple[int, int, str]]]:
    """Return places and what is there instead: none, a few, or one."""
    if not rows:
        return st.just([])
    one = st.tuples(st.integers(0, rows - 1), st.integers(0, columns - 1), st.sampled_from(values))
    return st.one_of(st.just([]), st.lists(one, max_size=3))
