"""Tables become frames with the types that Azure ML gives them."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.standin.azml_local.data import frames
from azml_tasks.standin.azml_local.errors import UserErrorException
from azml_tasks.standin.azml_local.formats import columns
from tests.standin.step import Step

pandas = pytest.importorskip("pandas")

TEXT = "str" if int(pandas.__version__.split(".")[0]) >= 3 else "object"


def read(tmp_path: Path, *texts: str, limit: int | None = None, **reading: Any) -> Any:
    """Return the frame that texts make as files of one dataset."""
    files = []
    for number, text in enumerate(texts):
        file = tmp_path / f"{number}.csv"
        file.write_bytes(text.encode(reading.get("encoding", "utf8").replace("latin1", "iso-8859-1")))
        files.append(str(file))
    return frames.read(files, {"format": "delimited", **reading}, limit)


def columns_of(frame: Any) -> dict[str, tuple[str, list[Any]]]:
    """Return a frame's columns as their types and values, None for a missing one."""
    return {
        name: (str(column.dtype), [None if pandas.isna(value) else value for value in column.tolist()])
        for name, column in frame.items()
    }


DAY = datetime.datetime(2020, 1, 13)
GUESSED = {
    "whole numbers": (["1", "-2", "+3", "007", " 4 "], "int64", [1, -2, 3, 7, 4]),
    "whole numbers and an empty field": (["5", ""], "float64", [5.0, None]),
    "decimals": (["1.5", "2", ".5", "1e3", "inf"], "float64", [1.5, 2.0, 0.5, 1000.0, float("inf")]),
    "too large for a whole number": (["9223372036854775808"], "float64", [9223372036854775808.0]),
    "0 and 1 alone": (["0", "1"], "bool", [False, True]),
    "booleans": (["true", "FALSE", "Yes", "N"], "bool", [True, False, True, False]),
    "booleans and an empty field": (["true", ""], "object", [True, None]),
    "lower-case yes and no": (["yes", "no"], TEXT, ["yes", "no"]),
    "texts that look missing": (["NA", "null", "None"], TEXT, ["NA", "null", "None"]),
    "texts and an empty field": (["a", ""], TEXT, ["a", None]),
    "nothing": (["", ""], "object", [None, None]),
    "numbers and texts": (["1", "x"], TEXT, ["1", "x"]),
    "dates": (["2020-01-13", "2020-1-13"], "datetime64[ns]", [DAY, DAY]),
    "dates and an empty field": (["2020/01/13", ""], "datetime64[ns]", [DAY, None]),
    "month first": (["1/13/2020", "1/2/2020"], "datetime64[ns]", [DAY, datetime.datetime(2020, 1, 2)]),
    "day first": (["13/1/2020", "2/1/2020"], "datetime64[ns]", [DAY, datetime.datetime(2020, 1, 2)]),
    "month or day first": (["2/1/2020"], "datetime64[ns]", [datetime.datetime(2020, 2, 1)]),
    "neither month nor day first": (["13/1/2020", "1/13/2020"], TEXT, ["13/1/2020", "1/13/2020"]),
    "times with a zone": (["2020-01-13T02:00:00+02:00", "2020-01-13T00:00:00Z"], "datetime64[ns]", [DAY, DAY]),
    "nanoseconds": (
        ["2020-01-13 00:00:00.123456789"],
        "datetime64[ns]",
        [pandas.Timestamp("2020-01-13 00:00:00.123456789")],
    ),
    "afternoons": (["1/13/2020 1:05 PM"], "datetime64[ns]", [datetime.datetime(2020, 1, 13, 13, 5)]),
    "named months": (["13-Jan-2020"], "datetime64[ns]", [DAY]),
    "out of pandas' range": (["0001-01-01"], "datetime64[ns]", [None]),
    "no such day": (["2021-02-29"], TEXT, ["2021-02-29"]),
    "dates without seconds": (["2020-01-13 10:11"], TEXT, ["2020-01-13 10:11"]),
}


@pytest.mark.parametrize(("fields", "dtype", "values"), GUESSED.values(), ids=GUESSED.keys())
def test_a_columns_type_is_guessed(tmp_path: Path, fields: list[str], dtype: str, values: list[Any]) -> None:
    frame = read(tmp_path, "key,value\n" + "".join(f"k,{field}\n" for field in fields))

    assert columns_of(frame)["value"] == (dtype, values)


def test_the_first_200_rows_decide_and_what_does_not_fit_later_is_null(tmp_path: Path) -> None:
    rows = ["5,1.5,a,true,2020-01-13\n"] * 200 + ["x,x,1,maybe,soon\n", "2.9,7,b,0,2020-01-14\n"]

    frame = read(tmp_path, "long,float,text,flag,day\n" + "".join(rows))

    assert {name: (dtype, values[-2:]) for name, (dtype, values) in columns_of(frame).items()} == {
        "long": ("float64", [None, 2.0]),
        "float": ("float64", [None, 7.0]),
        "text": (TEXT, ["1", "b"]),
        "flag": ("object", [None, False]),
        "day": ("datetime64[ns]", [None, datetime.datetime(2020, 1, 14)]),
    }


def test_types_that_are_stated_are_not_guessed(tmp_path: Path) -> None:
    types = {
        "code": {"name": "string"},
        "price": {"name": "float", "decimal_mark": ","},
        "day": {"name": "datetime", "formats": ["%d/%m/%Y"]},
        "other": {"name": "datetime"},
        "not there": {"name": "long"},
    }

    frame = read(tmp_path, "code;price;day;other\n007;1.234,5;2/1/2020;2-Jan-2020\n", separator=";", types=types)

    assert columns_of(frame) == {
        "code": (TEXT, ["007"]),
        "price": ("float64", [1234.5]),
        "day": ("datetime64[ns]", [datetime.datetime(2020, 1, 2)]),
        "other": ("datetime64[ns]", [datetime.datetime(2020, 1, 2)]),
    }


def test_without_guessing_every_field_is_a_text(tmp_path: Path) -> None:
    frame = read(tmp_path, "a,b,c\n1,2020-01-13,\n", infer=False)

    assert columns_of(frame) == {"a": (TEXT, ["1"]), "b": (TEXT, ["2020-01-13"]), "c": ("object", [None])}


FILES = {
    "rows of other lengths": (["a,b\n5,6,7\n8\n"], {}, {"a": [5, 8], "b": [6, None], "Column3": [7, None]}),
    "blank lines": (["a,b\n\n5,6\n\n"], {}, {"a": [5], "b": [6]}),
    "Windows line ends and a byte order mark": (["\ufeffa,b\r\n5,é\r\n"], {}, {"a": [5], "b": ["é"]}),
    "headers": ([' a ,,a,"b c"\n5,6,7,8'], {}, {"a": [5], "Column2": [6], "a_1": [7], "b c": [8]}),
    "quotes": (['a,b\n"x, ""y""",""\nx"y,"z\n'], {}, {"a": ['x, "y"', 'x"y'], "b": ["", '"z']}),
    "no line break in a field": (['a,b\n"x\ny",2\n'], {}, {"a": ['"x', 'y"'], "b": [None, 2]}),
    "line breaks in fields": (['a,b\n"x\ny",2\n"z",3\n'], {"multi_line": True}, {"a": ["x\ny", "z"], "b": [2, 3]}),
    "empty fields as texts": (["a,b\nx,\n"], {"empty_as_string": True}, {"a": ["x"], "b": [""]}),
    "another encoding": (["a\né\n"], {"encoding": "latin1"}, {"a": ["é"]}),
    "several files": (["a,b\n5,x\n", "a,b\n6,y\n"], {}, {"a": [5, 6], "b": ["x", "y"]}),
    "no headers": (["5,x\n", "6,y\n"], {"header": "NO_HEADERS"}, {"Column1": [5, 6], "Column2": ["x", "y"]}),
    "headers in the first file": (["a\n5\n", "6\n"], {"header": "ONLY_FIRST_FILE_HAS_HEADERS"}, {"a": [5, 6]}),
    "headers of each file": (
        ["a,b\n5,x\n", "b,c\ny,6\n"],
        {"header": "COMBINE_ALL_FILES_HEADERS"},
        {"a": [5, None], "b": ["x", "y"], "c": [None, 6]},
    ),
    "a header alone": (["a,b\n"], {}, {}),
    "nothing at all": ([""], {}, {}),
}


@pytest.mark.parametrize(("texts", "reading", "expected"), FILES.values(), ids=FILES.keys())
def test_delimited_files(tmp_path: Path, texts: list[str], reading: dict[str, Any], expected: dict[str, Any]) -> None:
    assert {name: values for name, (_, values) in columns_of(read(tmp_path, *texts, **reading)).items()} == expected


def test_a_file_in_another_encoding_reports_it(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("a\né\n".encode("latin1"))

    with pytest.raises(UserErrorException, match=r"a\.csv:2: the byte 0xe9 is not UTF-8; save the file as UTF-8"):
        frames.read([str(file)], {"format": "delimited"})
    with pytest.raises(UserErrorException, match=r"^unknown encoding 'klingon'; the encodings are ascii, iso88591,"):
        frames.read([str(file)], {"format": "delimited", "encoding": "klingon"})


def test_a_large_file_is_converted_part_by_part(tmp_path: Path) -> None:
    rows = 120_001
    frame = read(tmp_path, "n,text,half\n" + "".join(f"{n},t{n % 3},{n / 2}\n" for n in range(rows)) + "x,,\n")

    assert [str(dtype) for dtype in frame.dtypes] == ["float64", TEXT, "float64"]
    assert frame["n"].isna().sum() == 1
    assert frame["half"].sum() == sum(n / 2 for n in range(rows))
    assert len(read(tmp_path, "n\n" + "5\n" * 300, limit=7)) == 7


def test_a_field_of_several_lines_may_lie_anywhere_in_a_large_file(tmp_path: Path) -> None:
    texts = [f"{n}\nsecond, line of {'x' * (n % 97)}" for n in range(30_000)]
    frame = read(tmp_path, "n,text\n" + "".join(f'{n},"{text}"\n' for n, text in enumerate(texts)), multi_line=True)

    assert frame["text"].tolist() == texts
    assert frame["n"].tolist() == list(range(30_000))


def test_a_column_that_a_later_row_adds_is_a_text(tmp_path: Path) -> None:
    frame = read(tmp_path, "a\n" + "5\n" * 250 + "6,7\n")

    assert columns_of(frame)["Column2"] == (TEXT, [None] * 250 + ["7"])


def test_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1, "b": "x"}\n\n{"a": 2, "b": null}\n')

    frame = frames.read([str(file)], {"format": "json_lines", "types": {"a": {"name": "string"}}})

    assert columns_of(frame) == {"a": (TEXT, ["1", "2"]), "b": (TEXT, ["x", None])}


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    folder = tmp_path / "year=2020"
    folder.mkdir()
    first = pandas.DataFrame(
        {"i": [1, 2], "f": [0.5, 1.5], "s": ["007", "x"], "t": pandas.to_datetime(["2020-01-13"] * 2)}
    )
    first.astype({"i": "int32"}).to_parquet(folder / "1.parquet", index=False)
    first.drop(columns="f").to_parquet(folder / "2.parquet", index=False)
    one, both = [str(folder / "1.parquet")], [str(folder / "1.parquet"), str(folder / "2.parquet")]

    frame = frames.read(one, {"format": "parquet"})
    joined = frames.read(both, {"format": "parquet", "types": {"i": {"name": "string"}}})

    assert {name: dtype.split("[")[0] for name, (dtype, _) in columns_of(frame).items()} == {
        "i": "int32",
        "f": "float64",
        "s": TEXT,
        "t": "datetime64",
    }
    assert {name: values for name, (_, values) in columns_of(joined).items() if name != "t"} == {
        "i": ["1", "2", "1", "2"],
        "f": [0.5, 1.5, None, None],
        "s": ["007", "x", "007", "x"],
    }


def test_what_is_not_installed_is_reported_in_a_sentence(step: Step) -> None:
    step.write("script/none.py", "")
    printed = step.run(
        """
        from azureml.core import Run

        try:
            Run.get_context().input_datasets["customers"].to_pandas_dataframe()
        except ImportError as error:
            print(error)
        """,
        "-S",  # without what is installed
    )

    assert printed == "reading a table as a DataFrame requires pandas; install it\n"


def test_python_reads_more_as_numbers_than_azure_does() -> None:
    texts = ["1_000", "\u0661", "0x10", "1e5"]

    assert columns.guess(texts).name == "string"
    assert columns.convert(texts, columns.Type("long")) == ([None, None, None, 100000], set(texts[:3]))
    assert columns.convert(["1_0"], columns.Type("long")) == ([None], {"1_0"})
