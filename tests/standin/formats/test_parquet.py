"""Footers of parquet files: what they say, and what in them Azure ML's reader cannot read (measured on rslex 2.26)."""

from __future__ import annotations

import datetime
import decimal
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.standin.azml_local.formats import parquet
from azml_tasks.standin.azml_local.formats.files import UnreadableError

np = pytest.importorskip("numpy")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("pyarrow.parquet")

MOMENT = datetime.datetime(2020, 1, 13, 10, 11, 12)
READ: dict[str, tuple[Any, list[Any]]] = {
    "int8": (pa.int8(), [1, None]),
    "uint64": (pa.uint64(), [2**64 - 1]),
    "float32": (pa.float32(), [1.5]),
    "bool": (pa.bool_(), [True, None]),
    "string": (pa.string(), ["a", ""]),
    "large_string": (pa.large_string(), ["a"]),
    "binary": (pa.binary(), [b"\xff"]),
    "date32": (pa.date32(), [MOMENT.date()]),
    "time32[ms]": (pa.time32("ms"), [MOMENT.time()]),
    "time64[ns]": (pa.time64("ns"), [MOMENT.time()]),
    "timestamp[ms]": (pa.timestamp("ms"), [MOMENT]),
    "timestamp[ns, UTC]": (pa.timestamp("ns", "UTC"), [MOMENT]),
    "decimal128": (pa.decimal128(38, 10), [decimal.Decimal("1.5")]),
    "list": (pa.list_(pa.struct([("x", pa.int64())])), [[{"x": 1}]]),
    "null": (pa.null(), [None]),
}
REFUSED: dict[str, tuple[Any, list[Any]]] = {
    "halffloat": (pa.float16(), [np.float16(1.5)]),
    "fixed_size_binary": (pa.binary(3), [b"abc"]),
    "time32[s]": (pa.time32("s"), [MOMENT.time()]),
    "timestamp[s]": (pa.timestamp("s"), [MOMENT]),
    "decimal256": (pa.decimal256(50, 2), [decimal.Decimal("1.5")]),
    "map": (pa.map_(pa.string(), pa.int64()), [[("a", 1)]]),
    "fixed_size_list": (pa.list_(pa.int64(), 2), [[1, 2]]),
    "duration": (pa.duration("us"), [datetime.timedelta(seconds=1)]),
    "dictionary": (pa.dictionary(pa.int32(), pa.string()), ["a"]),
}
if int(pa.__version__.partition(".")[0]) > 17:  # Which cannot write it.
    REFUSED["string_view"] = (pa.string_view(), ["a"])


def written(folder: Path, table: Any, **options: Any) -> str:
    """Write a table; returns the file's path."""
    path = str(folder / "a.parquet")
    pa.parquet.write_table(table, path, **options)
    return path


@pytest.mark.parametrize(("kind", "values"), READ.values(), ids=READ.keys())
def test_a_type_that_azure_reads(tmp_path: Path, kind: Any, values: list[Any]) -> None:
    path = written(tmp_path, pa.table({"k": [1] * len(values), "v": pa.array(values, kind)}))

    assert parquet.check(path) == parquet.Footer(("k", "v"), len(values), ())


@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("name", REFUSED)
def test_a_type_that_azure_cannot_read(tmp_path: Path, name: str, store_schema: bool) -> None:
    kind, values = REFUSED[name]
    nested = pa.array([{"x": value} for value in values], pa.struct([("x", kind)]))
    tables = [pa.table({"k": [1], "the column": column}) for column in (pa.array(values, kind), nested)]
    # Without Arrow's schema in the file only parquet's own types are left to look at.
    told = {"halffloat": name, "fixed_size_binary": name, "decimal256": name, "map": name}.get(name)
    is_refused = told if not store_schema else name
    for table in tables:
        path = written(tmp_path, table, store_schema=store_schema)

        if is_refused:
            with pytest.raises(UnreadableError) as raised:
                parquet.check(path)
            assert raised.value.reason == (
                f"has the column 'the column' of type {name}, which Azure ML cannot read; write it as another type"
                + (" (a categorical as string)" if name == "dictionary" else "")
            )
        else:
            assert parquet.check(path).rows == 1


def test_how_columns_are_stored(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    for options in (
        {"compression": "zstd"},
        {"compression": "none"},
        {"data_page_version": "2.0"},
        {"row_group_size": 1},
    ):
        assert parquet.check(written(tmp_path, table, **options)).rows == 2
    refused = {
        "is compressed by LZ4, which Azure ML cannot read; use snappy, gzip, brotli or zstd": {"compression": "lz4"},
        "has the column 'a' encoded as BYTE_STREAM_SPLIT, which Azure ML cannot read": {
            "use_dictionary": False,
            "column_encoding": {"a": "BYTE_STREAM_SPLIT"},
        },
    }
    for sentence, options in refused.items():
        assert parquet.read_footer(written(tmp_path, table, **options)).refusals == (sentence,)


def test_columns_of_one_name_and_tables_of_none(tmp_path: Path) -> None:
    double = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])

    assert parquet.read_footer(written(tmp_path, double)).refusals == (
        "has 2 columns named 'a', which Azure ML cannot read; rename them",
    )
    assert parquet.read_footer(written(tmp_path, pa.table({}))).refusals == (
        "has no columns, which Azure ML cannot read",
    )


@pytest.mark.thorough
def test_a_file_that_is_cut_or_changed_anywhere_gets_a_sentence(tmp_path: Path) -> None:
    path = written(tmp_path, pa.table({"a": pa.array(["x"], pa.dictionary(pa.int8(), pa.string())), "b": [[1]]}))
    whole = Path(path).read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    changed = [whole[:length] for length in range(0, len(whole), 7)]
    for place in range(footer, len(whole)):
        changed += [whole[:place] + bytes((byte,)) + whole[place + 1 :] for byte in (0, whole[place] ^ 0x80, 255)]
    sentences = set()
    for content in changed:
        Path(path).write_bytes(content)
        try:
            parquet.read_footer(path)
        except UnreadableError as error:
            sentences.add(error.reason)

    assert sentences == {
        "is not a parquet file",
        "is truncated: the end of this parquet file is missing",
        "is damaged: the footer of this parquet file cannot be read",
    }
