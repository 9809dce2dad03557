"""What is done with the rows of a table before it becomes a frame."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import pytest

from azml_tasks.standin.azml_local.data.file_dataset import FileDataset
from azml_tasks.standin.azml_local.data.frames import plain
from azml_tasks.standin.azml_local.data.tabular_dataset import TabularDataset
from azml_tasks.standin.azml_local.errors import DatasetTimestampMissingError, UserErrorException
from tests.standin.step import Step

pandas = pytest.importorskip("pandas")

ROWS = "".join(f"{n},name {n},{n / 2},2020-01-{n + 1:02d}\n" for n in range(5, 15))


@pytest.fixture
def table(tmp_path: Path) -> TabularDataset:
    """Ten rows, of the numbers 5 to 14."""
    file = tmp_path / "rows.csv"
    file.write_text("n,name,half,day\n" + ROWS)
    return TabularDataset._create(
        {"kind": "tabular", "paths": [str(file)], "reading": {"format": "delimited"}, "steps": []}
    )


def numbers(table: TabularDataset) -> list[int]:
    frame = table.to_pandas_dataframe()
    return frame["n"].tolist() if len(frame) else []


KEPT = {
    "take": (lambda t: t.take(2), [5, 6]),
    "skip": (lambda t: t.skip(8), [13, 14]),
    "skip, then take": (lambda t: t.skip(2).take(2), [7, 8]),
    "take nothing": (lambda t: t.take(0), []),
    "a filter": (lambda t: t.filter(t["n"] > 12), [13, 14]),
    "both": (lambda t: t.filter((t["n"] >= 7) & (t["name"] == "name 7")), [7]),
    "either": (lambda t: t.filter((t["n"] < 6) | ~(t["n"] <= 13)), [5, 14]),
    "another": (lambda t: t.filter(t["n"] != 5).take(1), [6]),
    "two columns": (lambda t: t.filter(t["half"] == t["n"]), []),
    "a date": (lambda t: t.filter(t["day"] < datetime.datetime(2020, 1, 7)), [5]),
    "a missing value": (lambda t: t.filter(t["n"].is_null()), []),
    "a part of a text": (lambda t: t.filter(t["name"].contains("e 1")), [10, 11, 12, 13, 14]),
    "the start of a text": (lambda t: t.filter(t["name"].starts_with("name 14")), [14]),
    "the end of a text": (lambda t: t.filter(t["name"].ends_with(" 9")), [9]),
    "no row, and then more": (lambda t: t.filter(t["n"] > 99).keep_columns("n"), []),
}


@pytest.mark.parametrize("least", [plain.LEAST, 0], ids=["small", "as large"])
@pytest.mark.parametrize(("ask", "expected"), KEPT.values(), ids=KEPT.keys())
def test_rows_are_kept(
    table: TabularDataset, ask: Any, expected: list[int], least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain, "LEAST", least)
    monkeypatch.setattr(plain, "LEAST_LIMIT", least and plain.LEAST_LIMIT)

    assert numbers(ask(table)) == expected


@pytest.mark.parametrize("least", [plain.LEAST, 0], ids=["small", "as large"])
def test_columns_of_a_table_are_kept(table: TabularDataset, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "LEAST", least)

    assert list(table.keep_columns(["name", "n"]).take(3).to_pandas_dataframe().columns) == ["n", "name"]
    assert list(table.drop_columns("name").skip(3).to_pandas_dataframe().columns) == ["n", "half", "day"]
    assert table.skip(3).to_pandas_dataframe().index.tolist() == list(range(7))


def test_columns_are_kept_in_the_tables_order(table: TabularDataset) -> None:
    kept = {
        "two": table.keep_columns(["half", "n"]),
        "one": table.keep_columns("name"),
        "one that is not there": table.keep_columns(["n", "nothing"]),
        "dropped": table.drop_columns(["half", "nothing"]),
    }

    assert {name: list(dataset.to_pandas_dataframe().columns) for name, dataset in kept.items()} == {
        "two": ["n", "half"],
        "one": ["name"],
        "one that is not there": ["n"],
        "dropped": ["n", "name", "day"],
    }
    with pytest.raises(UserErrorException, match=r"^the dataset has none of the columns nothing$"):
        table.keep_columns("nothing", validate=True)


def test_a_table_without_rows_has_no_columns_as_on_azure(table: TabularDataset) -> None:
    assert list(table.take(0).to_pandas_dataframe().columns) == []
    assert list(table.filter(table["n"] > 99).to_pandas_dataframe().columns) == []


def test_a_split_has_every_row_once(table: TabularDataset) -> None:
    first, second = table.random_split(0.7)
    kept, left = table.random_split(0.5, seed=3)

    assert sorted(numbers(first) + numbers(second)) == list(range(5, 15))
    assert numbers(first) == numbers(first)
    assert (numbers(kept), numbers(left)) == tuple(numbers(half) for half in table.random_split(0.5, seed=3))
    assert numbers(table.take_sample(0.5, seed=3)) == numbers(kept)
    assert (numbers(table.take_sample(1.0)), numbers(table.take_sample(0.0))) == (list(range(5, 15)), [])


def test_time_filters(table: TabularDataset) -> None:
    dated = table.with_timestamp_columns("day")
    noon = datetime.datetime(2020, 1, 8, 12)
    day = datetime.datetime(2020, 1, 8)

    assert numbers(dated.time_before(noon)) == [5, 6, 7]
    assert numbers(dated.time_before(day, include_boundary=False)) == [5, 6]
    assert numbers(dated.time_after(noon).take(1)) == [8]
    assert numbers(dated.time_after(day).take(1)) == [7]
    assert numbers(dated.time_between(day, datetime.datetime(2020, 1, 10))) == [7, 8, 9]
    assert numbers(dated.time_recent(datetime.timedelta(days=1))) == []
    assert dated.to_pandas_dataframe().index[0] == datetime.datetime(2020, 1, 6)
    assert dated.timestamp_columns == ("day", None)
    assert dated.drop_columns("day").timestamp_columns == (None, None)
    assert dated.keep_columns(["n", "day"]).timestamp_columns == ("day", None)


def test_what_is_wrong_with_a_filter_is_reported_in_a_sentence(table: TabularDataset) -> None:
    with pytest.raises(DatasetTimestampMissingError) as raised:
        table.time_before(datetime.datetime(2020, 1, 1))
    assert str(raised.value) == "time_before needs timestamp columns; set them with with_timestamp_columns"
    with pytest.raises(UserErrorException) as undated:
        table.with_timestamp_columns("name").time_after(datetime.datetime(2020, 1, 1)).to_pandas_dataframe()
    assert str(undated.value) == "the timestamp column 'name' contains no dates; set its type with set_column_types"
    with pytest.raises(UserErrorException) as unknown:
        numbers(table.filter(table["age"] > 3))
    assert str(unknown.value) == "the dataset has no column 'age'"
    with pytest.raises(UserErrorException) as joined:
        table.filter(table["n"] > 3 and table["n"] < 5)
    assert str(joined.value) == "combine conditions with &, | and ~, each in parentheses"
    with pytest.raises(UserErrorException, match=r"^filter requires an expression such as"):
        table.filter("n > 3")
    with pytest.raises(ValueError, match=r"^count must be a positive integer$"):
        table.take(-1)


def test_a_table_becomes_files(table: TabularDataset, tmp_path: Path) -> None:
    files = table.take(2).keep_columns(["n", "half"]).to_csv_files(separator=";")

    assert isinstance(files, FileDataset)
    [copy] = files.download(str(tmp_path / "copies"))
    assert Path(copy).name == "part-00000.csv"
    assert Path(copy).read_text() == "n;half\n5;2.5\n6;3.0\n"


def test_what_was_done_is_kept_as_json(table: TabularDataset) -> None:
    derived = table.filter((table["day"] > datetime.datetime(2020, 1, 7)) & (table["n"] < 9)).take(2)

    again = TabularDataset._create(json.loads(json.dumps(derived._definition)))

    assert numbers(again) == numbers(derived) == [7, 8]


def test_a_tables_types_reach_the_script(step: Step) -> None:
    step.context["datasets"]["customers"]["set_column_types"] = {"id": "string", "since": "datetime"}
    answers = step.answers("""
        import json
        from azureml.core import Dataset, Datastore, Run
        from azureml.data.dataset_factory import DataType

        run = Run.get_context()
        store = Datastore.get_default(run.experiment.workspace)
        store.upload(run.input_datasets["train_input_folder"], "made", show_progress=False)
        declared = run.input_datasets["customers"].to_pandas_dataframe()
        merged = run.input_datasets["merged"].to_pandas_dataframe()
        own = Dataset.Tabular.from_delimited_files((store, "made/*.csv"), set_column_types={"a": DataType.to_float()})
        print(json.dumps([
            [str(t) for t in declared.dtypes], declared["id"].tolist(), merged["a"].tolist(),
            [str(t) for t in own.to_pandas_dataframe().dtypes][0],
        ]))
    """)

    text = "str" if int(pandas.__version__.split(".")[0]) >= 3 else "object"
    assert answers == [[text, "float64", text, "datetime64[ns]"], ["1", "2", "3"], ["1"], "float64"]


def test_a_frame_is_registered_as_a_table(step: Step) -> None:
    pytest.importorskip("pyarrow")
    answers = step.answers("""
        import json
        import pandas
        from azureml.core import Dataset, Run

        ws = Run.get_context().experiment.workspace
        frame = pandas.DataFrame({"a.b": [1, 2], "c": ["x", "y"]}, index=[7, 8])
        made = Dataset.Tabular.register_pandas_dataframe(frame, (ws.get_default_datastore(), "frames"), "made",
                                                         show_progress=False)
        found = Dataset.get_by_name(ws, "made")
        print(json.dumps([made.version, found.id == made.id, found.to_pandas_dataframe().to_dict("list")]))
    """)

    assert answers == [1, True, {"a_b": [1, 2], "c": ["x", "y"]}]


def test_a_parquet_file_is_opened_by_arrow_itself(step: Step) -> None:
    """While Arrow's threads hold a file of Python's, the interpreter's end aborts now and then, one time in ten."""
    pytest.importorskip("pyarrow")
    opened = step.answers("""
        import json
        import sys
        import pandas
        from azureml.core import Dataset, Run

        store = Run.get_context().experiment.workspace.get_default_datastore()
        made = Dataset.Tabular.register_pandas_dataframe(pandas.DataFrame({"a": [1]}), (store, "frames"), "made",
                                                         show_progress=False)
        # Python's own file, in which the footer is looked at, is closed when Arrow comes.
        opened = []
        sys.addaudithook(lambda event, values: event == "open" and opened.append(str(values[0])))
        made.to_pandas_dataframe()
        print(json.dumps(len([path for path in opened if path.endswith(".parquet")])))
    """)

    assert opened == 1
