"""The local data that stand for a dataset."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from azml_tasks.checks.data import DatasetReport, data_notes, data_of_step, inspect_dataset
from azml_tasks.checks.files import check_project, file_problems
from azml_tasks.checks.places import place_problem
from azml_tasks.model import Dataset
from azml_tasks.reading import load_project
from azml_tasks.standin.azml_local.formats import table as tables


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


@pytest.mark.parametrize(
    ("first", "multi_line", "columns", "remarks"),
    [
        ("", False, ("a", "b"), []),
        ("", True, ("Column1", "Column2"), ["data/_SUCCESS"]),
        ("\n", False, ("Column1", "Column2"), ["data/_SUCCESS"]),
        ("x,y\n", True, ("x", "y"), []),
    ],
)
def test_the_first_file_of_a_folder_names_the_columns_also_where_it_has_none(
    tmp_path, first, multi_line, columns, remarks
):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/_SUCCESS").write_text(first)
    (tmp_path / "data/part-0.csv").write_text("a,b\n5,x\n")

    found = inspect_dataset("d", Dataset(local_path="data", support_multi_line=multi_line), tmp_path)

    assert (found.columns, found.rows) == (columns, 1)
    assert [sentence for _, sentence in found.remarks if "has no header" in sentence] == [
        f"dataset 'd': {file} is read first and has no header, so the columns are named 'Column1' and so on; move it "
        "to another folder"
        for file in remarks
    ]


@pytest.mark.parametrize(
    ("local_path", "holds"),
    [
        *(
            (path, True)
            for path in ("/", ".", "..", "data/..", ".azml", ".azml/runs", "up", "**", "**/*.csv", "../**/x")
        ),
        *(
            (path, False)
            for path in ("data", "data/**/*.csv", "*.csv", "*/*.csv", "d*/**", "../*.csv", "up/project/data")
        ),
        *((path, False) for path in (".azml/runs/x/steps/y", ".azml/datastores/lake", "nothing/here", "data/*")),
    ],
)
def test_a_local_path_with_the_runs_of_the_project_is_refused(tmp_path, local_path, holds):
    project = tmp_path / "project"
    (project / "data").mkdir(parents=True)
    (project / "data/a.csv").write_text("a\n5\n")
    (project / "up").symlink_to("..")

    text = f"backend: local\ndatasets: {{d: {{local_path: '{local_path}'}}}}\nsteps: {{s: {{script_name: s.py}}}}\n"
    (project / "pipeline.yaml").write_text(text)

    found = place_problem(load_project(project / "pipeline.yaml", variables={}), "d")

    assert (str(found) if found else None) == (
        f"pipeline.yaml:2: dataset 'd': the project's own runs (.azml) are in {local_path}; "
        "select a file, or a folder that contains only data"
        if holds
        else None
    )


@pytest.mark.parametrize(("local_path", "is_refused"), [(".", False), ("..", False), ("/", True), (".azml", True)])
def test_a_file_dataset_may_be_a_folder_around_the_project_but_not_the_disk(tmp_path, local_path, is_refused):
    text = f"datasets: {{d: {{type: file, local_path: {local_path}}}}}\nsteps: {{s: {{script_name: s.py}}}}\n"
    (tmp_path / "project").mkdir()
    (tmp_path / "project/pipeline.yaml").write_text(text)

    found = place_problem(load_project(tmp_path / "project/pipeline.yaml", variables={}), "d")

    assert bool(found) == is_refused


PROBLEMS = {
    "nothing": (b"", {}, "a.csv is empty; the first line names the columns"),
    "Latin": (
        b"a\n\nx\n\xff\n",
        {},
        "a.csv:4: the byte 0xff is not UTF-8; save the file as UTF-8, or set its encoding",
    ),
    "UTF-16": ("a\n5\n".encode("utf-16"), {}, "a.csv is UTF-16; save it as UTF-8"),
    "gzip": (gzip.compress(b"a\n5\n"), {}, "a.csv is compressed (gzip), which Azure ML cannot read; decompress it"),
    "a workbook": (b"PK\x03\x04\xff", {}, "a.csv is a zip archive or an Excel workbook; save it as CSV"),
    "NUL": (b"a\0b\n5\n", {}, "a.csv:1: the header contains a NUL character; this is not a text file"),
    "another control character": (
        b"a,b\x0bc\n5,6\n",
        {},
        "a.csv:1: the header contains the character '\\x0b', which Azure ML does not allow in column names",
    ),
    "an empty file as parquet": (b"", {"format": "parquet"}, "a.csv is empty"),
    "a second Column3": (
        b"a,Column3\n5,6,7\n",
        {},
        "a.csv has rows with more fields than the header, and the name of an added column would be a duplicate "
        "'Column3'",
    ),
    "dates both ways": (
        b"a\n1/2/2020\n",
        {"set_column_types": {"a": "datetime"}},
        "cannot detect the date format of 'a': month-day and day-month both fit; set it with DataType.to_datetime() "
        "in a script, or remove the type of the column",
    ),
    "dates that are none": (
        b"a\n2020-01-13\nsoon\n",
        {"set_column_types": {"a": "datetime"}},
        "cannot detect the date format of 'a': 'soon' is not a date; set it with DataType.to_datetime() in a "
        "script, or remove the type of the column",
    ),
    "no parquet": (b"a\n1\n", {"format": "parquet"}, "a.csv is not a parquet file"),
    "half a parquet": (
        b"PAR1\0\0\0\0\0",
        {"format": "parquet"},
        "a.csv is truncated: the end of this parquet file is missing",
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


@pytest.mark.parametrize("multi_line", [False, True])
def test_validate_reads_no_more_than_the_start_of_a_row_that_does_not_end(tmp_path, monkeypatch, multi_line):
    monkeypatch.setattr(tables, "_SMALL", 10)
    monkeypatch.setattr(tables, "_LONGEST", 100)
    rest = "x" * 1000 if not multi_line else "5,x\n" * 300
    (tmp_path / "a.csv").write_text(f'a,b\n1,"{rest}')
    dataset = Dataset(local_path="a.csv", support_multi_line=multi_line)

    found = inspect_dataset("d", dataset, tmp_path, 200)

    reason = "this row has several megabytes; is this a delimited file, and is each quoted field closed?"
    assert found.problems == (("local_path", f"dataset 'd': a.csv:2: {reason}"),)
    assert inspect_dataset("d", dataset, tmp_path).problems == ()


def test_a_hidden_file_that_is_not_text_is_to_be_moved_out_of_the_folder(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("a\n5\n")
    (tmp_path / "data" / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\0")

    assert said(tmp_path, local_path="data") == [
        ["data/.DS_Store:1: the header contains a NUL character; this is not a text file; move it out of the folder"],
        [],
    ]


def test_a_hidden_file_that_is_read_is_named(tmp_path):
    (tmp_path / "data" / ".ipynb_checkpoints").mkdir(parents=True)
    for name in ("a.csv", ".ipynb_checkpoints/a-checkpoint.csv", ".b.csv"):
        (tmp_path / "data" / name).write_text("a\n5\n")

    assert said(tmp_path, local_path="data") == [
        [],
        ["the hidden file data/.b.csv (and 1 more) is also read, as on Azure ML; move it if it is not data"],
    ]


TYPES = {"set_column_types": {"flag": "boolean", "n": "long"}}
REMARKS = {
    "doubles": (
        b"a,b,a,a\n1,2,3,4\n",
        {},
        ["a.csv:1: duplicate a; the others are read as a_1 and a_2"],
    ),
    "another separator": (b"\na;b\n1;2\n", {}, ['a.csv:2: only one column; should the dataset have `separator: ";"`?']),
    "another separator, and what follows from it": (
        b"day;price;n\n1;3,5;2\n2;4,25,1;3\n",
        {},
        ['a.csv:1: only one column; should the dataset have `separator: ";"`?'],
    ),
    "another separator without a header": (
        b"1;2\n3;4\n",
        {},
        ['a.csv:1: only one column; should the dataset have `separator: ";"`?'],
    ),
    "a short row": (b"a,b\n\n5,2\n6\n", {}, ["a.csv:4: 1 field for 2 columns; the rest are null"]),
    "a column that no row reaches": (
        b"a,b,c\n5,2\n6\n",
        {},
        [
            "a.csv:2: 2 fields for 3 columns; the rest are null",
            "a.csv: no row reaches c, which steps and Azure ML leave out",
        ],
    ),
    "a long row": (b"a,b\r\n5,2,3\r\n", {}, ["a.csv:2: 3 fields for 2 columns; the next is named 'Column3'"]),
    "a header alone": (b"a,b\n", {}, ["a.csv has no rows; Azure ML does not accept empty tables"]),
    "a field that goes on": (
        b'a,b\n1,"x\ny"\n',
        {},
        [
            "a.csv:3: 1 field for 2 columns; the rest are null",
            "a.csv:2: the quote is not closed on this line; if the field continues, set support_multi_line: true",
        ],
    ),
    "a field that goes on, and is read so": (b'a,b\n1,"x\n\n\ny"\n2,z\n', {"support_multi_line": True}, []),
    "a blank line between such": (
        b'a,b\n5,"x\ny"\n\n6,z\n',
        {"support_multi_line": True},
        ["a.csv:4: with support_multi_line, blank lines are not skipped; this one is read into 'a'"],
    ),
    "values of another type": (
        b"day, flag ,n\nx,true,1\n\ny,yes,1_000\nz,no,7\n",
        TYPES,
        [
            "a.csv:4: 'yes' in column 'flag' is not a valid boolean; it becomes null, and so does one more",
            "a.csv:4: '1_000' in column 'n' is not a valid long; it becomes null",
        ],
    ),
    "the line after a field of several": (
        b'n,text\n1,"x\ny\nz"\nold,y\n',
        {"set_column_types": {"n": "long"}, "support_multi_line": True},
        ["a.csv:5: 'old' in column 'n' is not a valid long; it becomes null"],
    ),
    "a type that the first rows show": (
        b"n\n" + b"5\n" * 200 + b"x\n" * 3,
        {},
        ["a.csv:202: 'x' in column 'n' is not a valid long; it becomes null, and so do 2 more"],
    ),
    "values of its type": (
        b"a,b,c,d\n1.5,TRUE,,1e3\n,0,x, 7 \nnan,T,y,+5\n",
        {"set_column_types": {"a": "float", "b": "boolean", "c": "string", "d": "long"}},
        [],
    ),
    "a long field": (b"a\n" + b"x" * 200_000, {}, []),
    "a number of 5,000 digits": (b"a\n" + b"1" * 5_000, {"set_column_types": {"a": "long"}}, []),
    "decimal commas": (
        b"name;price;tax;password\nx;3,5;0,100;1,5\n\ny;;12,250;2,5\nz; -14,25 ;1,5;3,5\n",
        {"separator": ";"},
        [
            "a.csv:2: '3,5' in column 'price' has a decimal comma, so the column is read as text (so are 'tax' and "
            "'password'); convert it in the script, or set its type to string"
        ],
    ),
    "a decimal comma in quotes, in a later row": (
        b'name,price\nx,\ny,"4,25"\nz,"3,5"\n',
        {},
        [
            "a.csv:3: '4,25' in column 'price' has a decimal comma, so the column is read as text; convert it in the "
            "script, or set its type to string"
        ],
    ),
    "decimal commas of a secret": (
        b"password\n3,5\n4,5\n",
        {"separator": ";"},
        [
            "a.csv:2: '***' in column 'password' has a decimal comma, so the column is read as text; convert it in the "
            "script, or set its type to string"
        ],
    ),
    "no decimal commas": (
        b"word;thousands;some;one;stated\na,b;1,234;3,5;;3,5\nc,d;12,500;3,5;1,5;4,5\ne;-7,000;n/a;;5,5\n",
        {"separator": ";", "set_column_types": {"stated": "string"}},
        [],
    ),
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

    assert said(tmp_path, local_path="b.csv") == [["b.csv does not exist"], []]
    assert said(tmp_path, local_path="empty") == [["empty is a folder without files"], []]
    assert inspect_dataset("d", Dataset(), tmp_path).problems == (
        ("local_path", "dataset 'd' has no local_path, so it cannot be read on this machine"),
    )


def test_files_of_the_system_are_read_as_azure_reads_them(tmp_path):
    (tmp_path / "1.csv").write_text("a\n5\n")
    (tmp_path / "_SUCCESS").touch()
    assert said(tmp_path, local_path=".") == [[], []]
    (tmp_path / ".DS_Store").write_bytes(b"\0\0\0\1Bud1\xff")

    assert said(tmp_path, local_path="*.csv") == [[], []]
    assert said(tmp_path, local_path=".") == [
        [".DS_Store is a macOS Finder file; delete it, or select the files with a pattern such as *.csv"],
        [],
    ]
    assert said(tmp_path, local_path=".", path="raw/*.txt", datastore_name="s")[1] == [
        "no file in . matches raw/*.txt, so all are read"
    ]


def test_tables_with_other_columns_than_the_first(tmp_path):
    (tmp_path / "1.csv").write_text("a,b\n1,2\n")
    (tmp_path / "2.csv").write_text("\n a ,c\n1,2\n")

    assert said(tmp_path, local_path="*.csv") == [
        [],
        ["2.csv:2: the header differs from that of 1.csv; columns are matched by position"],
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
        "pipeline.yaml:5: dataset 'd': d.csv:152: 'yes' in column 'flag' is not a valid boolean; it becomes null"
    ]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("", "d.csv is empty; the first line names the columns"),
        ("\n\n", "d.csv is empty; the first line names the columns"),
        ("a,b\n", "d.csv has no rows; Azure ML does not accept empty tables"),
        ("a;b\n1;2\n", 'd.csv:1: only one column; should the dataset have `separator: ";"`?'),
        ("a\tb\n1\t2\n", 'd.csv:1: only one column; should the dataset have `separator: "\\t"`?'),
        (
            "5.1,3.5,0\n4.9,3.0,0\n",
            "d.csv:1: the first line names the columns, but it looks like data: the names are 5.1, 3.5 and 0",
        ),
        ("2019,2020\n1,2\n", ""),
        ("city,2015,2017,2020\na,1,2,3\n", ""),
        ("10,100\na,b\n", ""),
        *(
            (rows, f"d.csv:1: the first line names the columns, but it looks like data: the names are {names}")
            for rows, names in (
                ("2024,5\n2025,6\n", "2024 and 5"),
                ("1,5\n2,6\n3,7\n", "1 and 5"),
                ("2024-01-01,Lyon,5\n2024-01-02,Nice,6\n", "2024-01-01, Lyon and 5"),
            )
        ),
        ("a,b\n1,2\n", ""),
    ],
)
def test_notes_of_validate(tmp_path, content, note):
    (tmp_path / "d.csv").write_text(content)
    (tmp_path / "a.py").touch()
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "backend: local\ndatasets:\n  d: {local_path: d.csv}\nsteps: {a: {script_name: a.py, input_datasets: {d: d}}}\n"
    )

    found = [str(one) for one in data_notes(load_project(file, variables={}))]

    assert found == ([f"pipeline.yaml:3: dataset 'd': {note}"] if note else [])


@pytest.mark.parametrize(
    ("script", "notes"),
    [
        ("", ["pipeline.yaml:4: dataset 'orders': no step reads it"]),
        ("Dataset.get_by_name(ws, 'orders')\n", []),
    ],
)
def test_a_dataset_that_no_step_reads(tmp_path, script, notes):
    (tmp_path / "d.csv").write_text("a\n1\n")
    (tmp_path / "a.py").write_text(script)
    file = tmp_path / "pipeline.yaml"
    file.write_text(
        "backend: local\ndatasets:\n  d: {local_path: d.csv}\n  orders: {local_path: d.csv}\n"
        "steps: {a: {script_name: a.py, input_datasets: {d: d}}}\n"
    )

    assert list(map(str, check_project(load_project(file, variables={})).notes)) == notes


def test_the_data_of_a_step_are_also_those_its_script_names_and_those_behind_its_inputs(tmp_path):
    (tmp_path / "a.py").write_text("")
    (tmp_path / "b.py").write_text("Dataset.get_by_name(workspace, 'named')\n# other\n")
    (tmp_path / "pipeline.yaml").write_text(
        "steps:\n"
        "  load: {script_name: a.py, input_datasets: {--a: behind}}\n"
        "  train: {script_name: b.py, input_datasets: {--a: own}}\n"
        "  score: {script_name: a.py}\n"
        "datasets:\n"
        "  other: {local_path: .}\n  own: {local_path: .}\n  behind: {local_path: .}\n  named: {local_path: .}\n"
    )
    project = load_project(tmp_path / "pipeline.yaml")

    assert data_of_step(project, "load") == ["behind"]
    assert data_of_step(project, "train") == ["own", "behind", "named"]


def test_the_data_of_another_dataset_are_not_suggested(tmp_path):
    for name in ("sales_a.csv", "sales_c.csv"):
        (tmp_path / name).write_text("a\n1\n")
    (tmp_path / "s.py").write_text("")
    (tmp_path / "pipeline.yaml").write_text(
        "backend: local\nsteps: {s: {script_name: s.py}}\ndatasets:\n"
        "  a: {datastore_name: raw, path: a, local_path: sales_a.csv}\n"
        "  b: {datastore_name: raw, path: b, local_path: sales_b.csv}\n"
    )

    def found() -> list[str]:
        return [one.message for one in file_problems(load_project(tmp_path / "pipeline.yaml", variables={}))]

    assert found() == ["dataset 'b': sales_b.csv does not exist; did you mean 'sales_c.csv'?"]
    (tmp_path / "sales_c.csv").unlink()
    assert found() == ["dataset 'b': sales_b.csv does not exist"]


def test_a_folder_without_files_is_noted(tmp_path):
    (tmp_path / "sales").mkdir()
    (tmp_path / "pipeline.yaml").write_text("steps: {a: {script_name: a}}\ndatasets: {b: {local_path: sales}}\n")

    project = load_project(tmp_path / "pipeline.yaml", variables={})

    assert [*map(str, data_notes(project))] == ["pipeline.yaml:2: dataset 'b': sales is a folder without files"]


def test_a_column_that_is_missing_because_of_the_separator(tmp_path):
    (tmp_path / "a.csv").write_text("age;name\n1;x\n")
    (tmp_path / "s.py").write_text("")
    (tmp_path / "pipeline.yaml").write_text(
        "backend: local\nsteps: {s: {script_name: s.py}}\ndatasets:\n"
        "  a: {datastore_name: raw, path: a, local_path: a.csv, set_column_types: {age: long}}\n"
    )

    found = file_problems(load_project(tmp_path / "pipeline.yaml", variables={}))
    assert [one.message for one in found] == ["dataset 'a': unknown column 'age'; is the separator ';'?"]
