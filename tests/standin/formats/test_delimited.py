"""Lines and rows of delimited files: where they lie, whatever the size of the pieces in which they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from azml_tasks.standin.azml_local.formats import delimited
from azml_tasks.standin.azml_local.formats.files import UnreadableError

TEXT = 'a,b\n\n1,"x\n\n""y"""\r\n\n"2",\r\n3,é"\n4,"open\n5,6'


def rows(path: Path, multi_line: bool, size: int) -> list[tuple[int, list[str]]]:
    """Return the rows of a file, each with the number of its line."""
    dialect = delimited.Dialect(multi_line=multi_line)
    found = delimited.blocks(str(path), dialect, size)
    return [(block.line_of(place), row) for block in found for place, row in enumerate(block.rows)]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_rows_and_their_lines(tmp_path: Path, size: int) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(TEXT.encode())

    assert rows(file, False, size) == [
        (1, ["a", "b"]),
        (3, ["1", '"x']),
        (5, ['y"""']),
        (7, ["2", ""]),
        (8, ["3", 'é"']),
        (9, ["4", '"open']),
        (10, ["5", "6"]),
    ]
    assert rows(file, True, size) == [
        (1, ["a", "b"]),
        (2, ["\n1", 'x\n\n"y"']),
        (6, ['\n"2"', ""]),
        (8, ["3", 'é"']),
        (9, ["4", '"open\n5', "6"]),
    ]


def test_a_quote_that_is_never_closed_takes_no_ages(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('a,"b\n' + "x,y\n" * 500_000)

    assert [len(row) for _, row in rows(file, True, 1 << 12)] == [500_002]


@pytest.mark.parametrize("separator", ["", "||", r"\t", "é", ", "])
def test_a_separator_is_one_ascii_character(separator: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        delimited.Dialect(separator)

    assert str(raised.value) == f"a separator must be exactly one ASCII character, not {separator!r}"


@pytest.mark.parametrize(
    ("encoding", "sentence"),
    [
        ("utf32", "Azure ML does not support the encoding 'utf32'; the encodings are"),
        ("utf8bom", "Azure ML does not support the encoding 'utf8bom'; the encodings are"),
        ("utf-8", "unknown encoding 'utf-8'; the encodings are"),
    ],
)
def test_an_encoding_that_azure_does_not_read(encoding: str, sentence: str) -> None:
    with pytest.raises(UnreadableError) as raised:
        delimited.Dialect(encoding=encoding)

    assert str(raised.value) == f"{sentence} ascii, iso88591, latin1, utf16, utf8, windows1252"
