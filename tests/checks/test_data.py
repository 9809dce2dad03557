"""The local data that stand for a dataset."""

from __future__ import annotations

import pytest

from azml_tasks.checks.data import LocalData, look_at
from azml_tasks.model import Dataset


def test_a_csv_with_its_columns_and_rows(tmp_path):
    (tmp_path / "a.csv").write_text('id,name\n1,x\n\n2,"y, z"\n')

    assert look_at("customers", Dataset(local_path="a.csv"), tmp_path) == LocalData(
        (tmp_path / "a.csv",), ("id", "name"), 2
    )


def test_a_folder_and_a_pattern_of_csvs_count_together(tmp_path):
    for name in ("1", "2"):
        (tmp_path / f"{name}.csv").write_text("a;b\n1;2\n")
    files = (tmp_path / "1.csv", tmp_path / "2.csv")

    for local_path in ("*.csv", "."):
        found = look_at("d", Dataset(local_path=local_path, separator=";"), tmp_path)
        assert found == LocalData(files, ("a", "b"), 2)


@pytest.mark.parametrize(
    ("content", "options", "problems"),
    [
        (b"", {}, [("local_path", "a.csv is empty; the first line names the columns")]),
        (b"a,a\n1,2\n", {}, [("local_path", "a.csv:1: the column a stands there twice")]),
        (b"a;b\n1;2\n", {}, [("separator", "a.csv:1: there is one column; is the separator ';'?")]),
        (b"a,b\n1,2\n1\n1,2,3\n", {}, [("local_path", "a.csv:3: 1 fields for 2 columns")]),
        (b"a\n\xff\n", {}, [("local_path", "a.csv is not UTF-8; save the file in that encoding")]),
        (b'a\n"x\ny"\n', {}, [("support_multi_line", "a.csv:3: a field holds a line break: set it to true")]),
        (b'a\n"x\ny"\n', {"support_multi_line": True}, []),
        (
            b"age,name\n1,x\nold,y\n",
            {"set_column_types": {"age": "long", "nmae": "string"}},
            [
                ("set_column_types", "a.csv:3: 'old' in 'age' is no long"),
                ("set_column_types", "there is no column 'nmae'; did you mean 'name'?"),
            ],
        ),
        (b"a,b,c\n1.5,TRUE,\n,0,x\n", {"set_column_types": {"a": "float", "b": "boolean", "c": "string"}}, []),
        (b"a\n1\n", {"format": "parquet"}, [("format", "a.csv is no parquet file")]),
        (b"\xff", {"type": "file"}, []),
        (b"a\n" + b"x" * 200_000, {}, []),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path, content, options, problems):
    (tmp_path / "a.csv").write_bytes(content)

    found = look_at("d", Dataset(local_path="a.csv", **options), tmp_path)

    assert list(found.problems) == [(key, f"dataset 'd': {sentence}") for key, sentence in problems]


def test_data_that_are_not_there(tmp_path):
    assert look_at("d", Dataset(local_path="b.csv"), tmp_path).problems == (
        ("local_path", "dataset 'd': there is no b.csv"),
    )
    assert look_at("d", Dataset(), tmp_path).problems == (
        ("local_path", "dataset 'd' has no local_path, so there is nothing on this machine that stands for it"),
    )


def test_tables_with_other_columns_than_the_first(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("a,c\n1,2\n")

    found = look_at("d", Dataset(local_path="*.csv"), tmp_path)

    assert found.problems == (("local_path", "dataset 'd': 2.csv has other columns than 1.csv"),)
