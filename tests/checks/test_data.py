"""The local data that stand for a dataset."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from azml_tasks.checks import data_notes
from azml_tasks.checks.data import DatasetReport, inspect_dataset
from azml_tasks.model import Dataset
from azml_tasks.reading import load_project


def said(folder: Path, **options: object) -> tuple[list[str], list[str]]:
    """Return the sentences on what is wrong with a dataset's files, and the remarks."""
    report = inspect_dataset("d", Dataset.model_validate(options), folder)
    prefix = "dataset 'd': "
    return [[sentence.removeprefix(prefix) for _, sentence in found] for found in (report.problems, report.remarks)]


def test_a_csv_with_its_columns_and_rows(tmp_path):
    (tmp_path / "a.csv").write_text('id, name\n1,x\n\n2,"y, z"\n')

    assert inspect_dataset("customers", Dataset(local_path="a.csv"), tmp_path) == DatasetReport(
        (tmp_path / "a.csv",), ("id", "name"), 2
    )


def test_a_folder_and_a_pattern_of_csvs_count_together(tmp_path):
    for name in ("1", "2"):
        (tmp_path / f"{name}.csv").write_text("a;b\n1;2\n")
    files = (tmp_path / "1.csv", tmp_path / "2.csv")

    for local_path in ("*.csv", ".", "**/*.csv"):
        found = inspect_dataset("d", Dataset(local_path=local_path, separator=";"), tmp_path)
        assert found == DatasetReport(files, ("a", "b"), 2)


PATTERNS = {
    "of one folder": ("sales/*.csv", ["1.csv", "2.csv"]),
    "of the folders below": ("sales/**/*.csv", ["1.csv", "2.csv", "deep/3.csv"]),
    "with the folder's own name": ("**/sales/*.txt", ["4.txt"]),
    "of folders that are not here": ("sales/year=*/*.txt", ["4.txt"]),
    "several": (["sales/1*", "sales/deep/*"], ["1.csv", "deep/3.csv"]),
    "none": ("sales/1.csv", [".DS_Store", "1.csv", "2.csv", "4.txt", "deep/3.csv"]),
}


@pytest.mark.parametrize(("path", "names"), PATTERNS.values(), ids=PATTERNS.keys())
def test_the_patterns_of_path_hold_for_a_local_folder(tmp_path, path, names):
    (tmp_path / "data/deep").mkdir(parents=True)
    for name in ("1.csv", "2.csv", "deep/3.csv", "4.txt", ".DS_Store"):
        (tmp_path / "data" / name).write_text("a\n5\n")

    found = inspect_dataset("d", Dataset(local_path="data", path=path, datastore_name="s"), tmp_path)

    assert [file.relative_to(tmp_path / "data").as_posix() for file in found.files] == names


PROBLEMS = {
    "nothing": (b"", {}, "a.csv is empty; the first line names the columns"),
    "Latin": (
        b"a\n\nx\n\xff\n",
        {},
        "a.csv:4: the byte 0xff is not UTF-8; save the file as UTF-8, or name its encoding",
    ),
    "UTF-16": ("a\n5\n".encode("utf-16"), {}, "a.csv is UTF-16; save it as UTF-8"),
    "gzip": (gzip.compress(b"a\n5\n"), {}, "a.csv is compressed (gzip), and Azure ML does not unpack it; unpack it"),
    "a workbook": (b"PK\x03\x04\xff", {}, "a.csv is a zip archive or an Excel workbook; save it as CSV"),
    "NUL": (b"a\0b\n5\n", {}, "a.csv:1: the header holds a NUL character; this is not a text file"),
    "a second Column3": (
        b"a,Column3\n5,6,7\n",
        {},
        "a.csv has rows with more fields than the header, and one of their columns would be a second 'Column3'",
    ),
    "dates both ways": (
        b"a\n1/2/2020\n",
        {"set_column_types": {"a": "datetime"}},
        "the format of the dates in 'a' cannot be found, as month-day and day-month both fit; state it in a script's "
        "DataType.to_datetime(), or leave the type of the column out",
    ),
    "dates that are none": (
        b"a\n2020-01-13\nsoon\n",
        {"set_column_types": {"a": "datetime"}},
        "the format of the dates in 'a' cannot be found, as 'soon' is none; state it in a script's "
        "DataType.to_datetime(), or leave the type of the column out",
    ),
    "no parquet": (b"a\n1\n", {"format": "parquet"}, "a.csv is not a parquet file"),
    "half a parquet": (
        b"PAR1\0\0\0\0\0",
        {"format": "parquet"},
        "a.csv is not a whole parquet file: its end is missing",
    ),
    "a broken parquet": (
        b"PAR1\xff\xff\x02\0\0\0PAR1",
        {"format": "parquet"},
        "a.csv is damaged: the footer of this parquet file cannot be read",
    ),
}


@pytest.mark.parametrize(("content", "options", "problem"), PROBLEMS.values(), ids=PROBLEMS.keys())
def test_what_cannot_be_read(tmp_path, content, options, problem):
    (tmp_path / "a.csv").write_bytes(content)

    assert said(tmp_path, local_path="a.csv", **options) == [[problem], []]


def test_a_hidden_file_that_is_not_text_is_to_be_moved_out_of_the_folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a\n5\n")
    (tmp_path / "data" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\0")

    assert said(tmp_path, local_path="data") == [
        ["data/.DS_Store:1: the header holds a NUL character; this is not a text file; move it out of the folder"],
        [],
    ]


def test_a_hidden_file_that_is_read_is_named(tmp_path):
    (tmp_path / "data" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.csv", ".ipynb_checkpoints/a-checkpoint.csv", ".b.csv"):
        (tmp_path / "data" / name).write_text("a\n5\n")

    assert said(tmp_path, local_path="data") == [
        [],
        ["the hidden file data/.b.csv (and 1 more) is read too, as on Azure ML; move it if it is not data"],
    ]


TYPES = {"set_column_types": {"flag": "boolean", "n": "long"}}
REMARKS = {
    "doubles": (
        b"a,b,a,a\n1,2,3,4\n",
        {},
        ["a.csv:1: a is there more than once; the others are read as a_1 and a_2"],
    ),
    "another separator": (b"\na;b\n1;2\n", {}, ["a.csv:2: there is one column; is the separator ';'?"]),
    "a short row": (b"a,b\n\n5,2\n6\n", {}, ["a.csv:4: 1 field for 2 columns; the rest is null"]),
    "a long row": (b"a,b\r\n5,2,3\r\n", {}, ["a.csv:2: 3 fields for 2 columns; the next is read as 'Column3'"]),
    "a header alone": (b"a,b\n", {}, ["a.csv has no rows, and Azure ML refuses a table without any"]),
    "a field that goes on": (
        b'a,b\n1,"x\ny"\n',
        {},
        [
            "a.csv:3: 1 field for 2 columns; the rest is null",
            "a.csv:2: a field opens a quote that its line does not close; "
            "if it goes on, set support_multi_line to true",
        ],
    ),
    "a field that goes on, and is read so": (b'a,b\n1,"x\n\n\ny"\n2,z\n', {"support_multi_line": True}, []),
    "a blank line between such": (
        b'a,b\n5,"x\ny"\n\n6,z\n',
        {"support_multi_line": True},
        ["a.csv:4: with support_multi_line a blank line is not skipped; it is read into 'a'"],
    ),
    "values of another type": (
        b"day, flag ,n\nx,true,1\n\ny,yes,1_000\nz,no,7\n",
        TYPES,
        [
            "a.csv:4: 'yes' in the column 'flag' is not read as boolean; it becomes null, and so does one more",
            "a.csv:4: '1_000' in the column 'n' is not read as long; it becomes null",
        ],
    ),
    "the line after a field of several": (
        b'n,text\n1,"x\ny\nz"\nold,y\n',
        {"set_column_types": {"n": "long"}, "support_multi_line": True},
        ["a.csv:5: 'old' in the column 'n' is not read as long; it becomes null"],
    ),
    "a type that the first rows show": (
        b"n\n" + b"5\n" * 200 + b"x\n" * 3,
        {},
        ["a.csv:202: 'x' in the column 'n' is not read as long; it becomes null, and so do 2 more"],
    ),
    "values of its type": (
        b"a,b,c,d\n1.5,TRUE,,1e3\n,0,x, 7 \nnan,T,y,+5\n",
        {"set_column_types": {"a": "float", "b": "boolean", "c": "string", "d": "long"}},
        [],
    ),
    "a long field": (b"a\n" + b"x" * 200_000, {}, []),
    "a number of 5,000 digits": (b"a\n" + b"1" * 5_000, {"set_column_types": {"a": "long"}}, []),
    "a file, whatever is in it": (b"\xff", {"type": "file"}, []),
}


@pytest.mark.parametrize(("content", "options", "remarks"), REMARKS.values(), ids=REMARKS.keys())
def test_what_is_read_otherwise_than_it_looks(tmp_path, content, options, remarks):
    (tmp_path / "a.csv").write_bytes(content)

    assert said(tmp_path, local_path="a.csv", **options) == [[], remarks]


def test_a_column_that_there_is_not(tmp_path):
    (tmp_path / "a.csv").write_text("age, name\n1,x\n")

    found = inspect_dataset(
        "d", Dataset(local_path="a.csv", set_column_types={"name": "string", "nmae": "long"}), tmp_path
    )

    assert (found.columns, found.unknown) == (("age", "name"), ("nmae",))


def test_data_that_are_not_there(tmp_path):
    (tmp_path / "empty").mkdir()

    assert said(tmp_path, local_path="b.csv") == [["there is no b.csv"], []]
    assert said(tmp_path, local_path="empty") == [["there is no empty"], []]
    assert inspect_dataset("d", Dataset(), tmp_path).problems == (
        ("local_path", "dataset 'd' has no local_path, so there is nothing on this machine that stands for it"),
    )


def test_files_of_the_system_are_read_as_azure_reads_them(tmp_path):
    (tmp_path / "1.csv").write_text("a\n5\n")
    (tmp_path / "_SUCCESS").touch()
    assert said(tmp_path, local_path=".") == [[], []]
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff")

    assert said(tmp_path, local_path="*.csv") == [[], []]
    assert said(tmp_path, local_path=".") == [
        [".DS_Store is a file of the macOS Finder; delete it, or name the files by a pattern such as *.csv"],
        [],
    ]
    assert said(tmp_path, local_path=".", path="raw/*.txt", datastore_name="s")[1] == [
        "no file in . is like raw/*.txt, so all of them are read"
    ]


def test_tables_with_other_columns_than_the_first(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("\n a ,c\n1,2\n")

    assert said(tmp_path, local_path="*.csv") == [
        [],
        ["2.csv:2: the header is another one than that of 1.csv; columns are taken by their place"],
    ]


def test_validate_remarks_on_the_first_rows(tmp_path):
    (tmp_path / "a.py").touch()
    (tmp_path / "d.csv").write_text("flag\n" + "true\n" * 150 + "yes\n" + "true\n" * 100 + "no\n")
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "steps: {a: {script_name: a.py}}\n"
        "datasets:\n"
        "  d:\n"
        "    local_path: d.csv\n"
        "    set_column_types: {flag: boolean}\n"
        "  other: {local_path: none.csv}\n"
    )

    assert [str(note) for note in data_notes(load_project(file, variables={}))] == [
        "pipeline.yaml:5: dataset 'd': d.csv:152: 'yes' in the column 'flag' is not read as boolean; it becomes null"
    ]
