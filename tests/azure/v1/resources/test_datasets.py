"""Datasets: what is registered for each key of the file, and when a new version is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.resources.datasets import find_dataset, register_dataset
from azml_tasks.azure.v1.resources.datastores import register_datastore
from azml_tasks.errors import ServiceError
from azml_tasks.model import Dataset
from tests.azure.workspace import opened
from tests.service.names import SUBSCRIPTION
from tests.service.service import Service

STORE = ("raw", "churnstore")
CSV = b"id,name,since,amount\n1,a,2020-01-02,1.5\n2,b,2020-02-03,2\n"
INFERRED = [
    {"columns": "amount", "column_type": "float"},
    {"columns": "id", "column_type": "int"},
    {"columns": "name", "column_type": "string"},
    {"columns": "since", "column_type": {"datetime": {"formats": "%Y-%m-%d"}}},
]


def dataset(**keys: Any) -> Dataset:
    return Dataset(**{"datastore_name": "churn_blob", "path": "customers.csv", **keys})


def stocked(azure: Service, content: bytes = CSV, **secret: str) -> Any:
    """Return the workspace with a datastore, by key unless said otherwise, that holds customers.csv."""
    ws = opened()
    register_datastore(ws, "churn_blob", *STORE, **(secret or {"account_key": "a2V5"}))
    azure.state.storage.add_container(STORE[1], STORE[0])
    azure.put_blob(STORE[1], STORE[0], "customers.csv", content)
    azure.requests.clear()
    return ws


def registered(azure: Service, name: str = "customers") -> Any:
    """Return the newest definition: its paths, how they are read, and the types of the columns."""
    definition = azure.datasets[name].latest.definition
    steps = definition.get("transformations", [])
    reading = [step for step in steps if "convert_column_types" not in step]
    types = [item for step in steps for item in step.get("convert_column_types", [])]
    return [item["pattern"] for item in definition["paths"]], reading, sorted(types, key=lambda item: item["columns"])


def place(path: str) -> str:
    return (
        f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/churn-rg/workspaces/churn-ws"
        f"/datastores/churn_blob/paths/{path}"
    )


def read_delimited(**options: Any) -> list[dict[str, Any]]:
    return [
        {
            "read_delimited": {
                "path_column": "Path",
                "include_path_column": False,
                "encoding": "utf8",
                "support_multi_line": False,
                "delimiter": ",",
                "empty_as_string": False,
                "partition_size": 20971520,
                "header": "all_files_same_headers",
                "infer_column_types": False,
                **options,
            }
        }
    ]


def test_a_csv_is_registered_from_where_it_lies_with_the_types_of_its_columns(azure: Service, tmp_path: Path) -> None:
    change = register_dataset(stocked(azure), "customers", dataset(), tmp_path)
    assert registered(azure) == ([place("customers.csv")], read_delimited(), INFERRED)
    assert azure.datasets["customers"].latest.saved.kind == "tabular"
    assert str(change) == "dataset customers: created (version 1)"


def test_a_second_registering_writes_nothing(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    register_dataset(ws, "customers", dataset(), tmp_path)
    azure.requests.clear()
    # The SDK puts the columns in another order each time.
    for _ in range(4):
        assert str(register_dataset(ws, "customers", dataset(), tmp_path)) == "dataset customers: unchanged (version 1)"
    assert {record.method for record in azure.requests} <= {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("keys", "steps", "types"),
    [
        (
            {"set_column_types": {"id": "string", "amount": "float"}},
            read_delimited(),
            [INFERRED[0], {"columns": "id", "column_type": "string"}, *INFERRED[2:]],
        ),
        ({"support_multi_line": True}, read_delimited(support_multi_line=True), INFERRED),
        (
            {"separator": ";"},
            read_delimited(delimiter=";"),
            [{"columns": "id,name,since,amount", "column_type": "string"}],
        ),
    ],
)
def test_the_options_of_a_table_arrive(
    azure: Service, tmp_path: Path, keys: dict[str, Any], steps: list[Any], types: list[Any]
) -> None:
    ws = stocked(azure)
    register_dataset(ws, "customers", dataset(), tmp_path)
    change = register_dataset(ws, "customers", dataset(**keys), tmp_path)
    assert registered(azure) == ([place("customers.csv")], steps, types)
    assert change.headline == "dataset customers: updated (version 1 -> 2)"
    assert {one.kind for one in change.differences} == {"definition"}


def test_data_whose_columns_changed_are_a_new_version(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    register_dataset(ws, "customers", dataset(), tmp_path)
    azure.put_blob(STORE[1], STORE[0], "customers.csv", b"id,extra\n7,2\n8,3\n")
    change = register_dataset(ws, "customers", dataset(), tmp_path)
    assert str(change) == (
        "dataset customers: updated (version 1 -> 2): column extra added (int), column amount removed (was float), "
        "column name removed (was string) and 1 more"
    )
    assert registered(azure)[2] == [
        {"columns": "extra", "column_type": "int"},
        {"columns": "id", "column_type": "int"},
    ]


def test_a_parquet_table_is_registered_with_the_types_of_its_files(azure: Service, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    ws = stocked(azure)
    azure.put_blob(STORE[1], STORE[0], "t.parquet", pandas.DataFrame({"a": [1], "b": ["x"]}).to_parquet())
    wanted = dataset(path="t.parquet", format="parquet", set_column_types={"b": "string"})
    assert register_dataset(ws, "table", wanted, tmp_path).outcome == "created"
    assert registered(azure, "table") == (
        [place("t.parquet")],
        [{"read_parquet": {"path_column": "Path", "include_path_column": False}}],
        [{"columns": "b", "column_type": "string"}],
    )
    assert register_dataset(ws, "table", wanted, tmp_path).outcome == "unchanged"


def test_a_parquet_file_that_is_not_there_is_reported(azure: Service, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"no files at none\.parquet"):
        register_dataset(stocked(azure), "table", dataset(path="none.parquet", format="parquet"), tmp_path)


def test_files_are_registered_as_they_are(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    files = dataset(type="file", path=["images/**", "more/a.png"], description="Pictures", tags={"team": "churn"})
    assert register_dataset(ws, "pictures", files, tmp_path).outcome == "created"
    assert registered(azure, "pictures") == ([place("images/**"), place("more/a.png")], [], [])
    latest = azure.datasets["pictures"].latest
    assert (latest.saved.kind, latest.description, latest.tags) == ("file", "Pictures", {"team": "churn"})
    assert register_dataset(ws, "pictures", files, tmp_path).outcome == "unchanged"


def test_another_description_is_no_new_version(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    register_dataset(ws, "customers", dataset(description="old", tags={"a": "b"}), tmp_path)
    change = register_dataset(ws, "customers", dataset(description="new"), tmp_path)
    assert str(change) == "dataset customers: updated (version 1): description old -> new"
    [version] = azure.datasets["customers"].versions
    assert (version.description, version.tags) == ("new", {"a": "b"})


def test_dates_that_can_be_read_both_ways_are_said(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure, b"day\n01/02/2020\n03/04/2020\n")
    assert str(register_dataset(ws, "customers", dataset(), tmp_path)) == (
        "dataset customers: created (version 1; the dates of ['day'] are read as month-day)"
    )


def test_nothing_to_read_is_a_sentence_that_explains_how_to_put_it_there(azure: Service, tmp_path: Path) -> None:
    with pytest.raises(ServiceError) as error:
        register_dataset(stocked(azure), "other", dataset(path="other.csv"), tmp_path)
    assert str(error.value) == (
        "the dataset 'other': no files at other.csv in the datastore 'churn_blob'; upload its local_path with "
        "`invoke register-csv --upload`"
    )
    assert azure.datasets == {}


def test_a_datastore_that_is_not_there_is_named(azure: Service, tmp_path: Path) -> None:
    with pytest.raises(MissingError) as error:
        register_dataset(stocked(azure), "customers", dataset(datastore_name="churn_bolb"), tmp_path)
    assert str(error.value) == ("the workspace 'churn-ws' has no datastore 'churn_bolb'; did you mean 'churn_blob'?")


def test_dry_writes_nothing_and_reports_what_would_be_done(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    (tmp_path / "a.csv").write_bytes(CSV)
    local = dataset(local_path="a.csv")
    said = [
        str(register_dataset(ws, "customers", local, tmp_path, dry=True)),
        str(register_dataset(ws, "customers", local, tmp_path, upload_first=True, dry=True)),
        str(register_dataset(ws, "customers", dataset(datastore_name="later"), tmp_path, dry=True)),
    ]
    assert said == [
        "dataset customers: would be created",
        "dataset customers: would be created (1 file to upload)",
        "dataset customers: would be created (once the datastore 'later' exists)",
    ]
    assert {record.method for record in azure.requests} <= {"GET", "HEAD"}
    assert azure.datasets == {}


UPLOADS = [
    ("data/c.csv", "customers.csv", {"customers.csv": b"x\n1\n"}),
    ("data/c.csv", "in/", {"in/c.csv": b"x\n1\n"}),
    ("data/c.csv", "in/*.csv", {"in/c.csv": b"x\n1\n"}),
    ("data", "in/**/*.csv", {"in/c.csv": b"x\n1\n", "in/sub/d.csv": b"x\n2\n"}),
]


@pytest.mark.parametrize("secret", [{"account_key": "a2V5"}, {"sas_token": "?sv=1&sig=x"}, {}])
@pytest.mark.parametrize(("local", "path", "blobs"), UPLOADS)
def test_the_files_are_put_in_place_first(
    azure: Service, tmp_path: Path, secret: dict[str, str], local: str, path: str, blobs: dict[str, bytes]
) -> None:
    ws = stocked(azure, b"old\n", **secret)
    if not secret:
        register_datastore(ws, "churn_blob", *STORE)
    (tmp_path / "data" / "sub").mkdir(parents=True)
    (tmp_path / "data" / "c.csv").write_bytes(b"x\n1\n")
    (tmp_path / "data" / "sub" / "d.csv").write_bytes(b"x\n2\n")
    wanted = dataset(path=path, local_path=local, type="file")
    change = register_dataset(ws, "customers", wanted, tmp_path, upload_first=True)
    count = f"{len(blobs)} file" + "s" * (len(blobs) > 1)
    assert str(change) == f"dataset customers: created ({count} uploaded; version 1)"
    assert {name: azure.blob(STORE[1], STORE[0], name) for name in blobs} == blobs


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({}, "the dataset 'c' has no local_path, so there is nothing to upload"),
        (
            {"local_path": "a.csv", "path": ["a", "b"]},
            "the dataset 'c' has several paths; uploading its local_path requires a single path",
        ),
        ({"local_path": "none"}, "the dataset 'c': no files at its local_path none"),
    ],
)
def test_what_cannot_be_uploaded_is_reported(
    azure: Service, tmp_path: Path, keys: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ServiceError) as error:
        register_dataset(stocked(azure), "c", dataset(**keys), tmp_path, upload_first=True)
    assert str(error.value) == sentence


def test_a_store_that_is_opened_by_identity_is_not_read_and_the_types_come_from_this_machine(
    azure: Service, tmp_path: Path
) -> None:
    ws = stocked(azure)
    register_datastore(ws, "churn_blob", *STORE)
    azure.requests.clear()
    (tmp_path / "sample.csv").write_bytes(CSV)
    wanted = dataset(local_path="sample.csv", set_column_types={"id": "string", "since": "datetime"})
    register_dataset(ws, "customers", wanted, tmp_path)
    assert registered(azure)[2] == [INFERRED[0], {"columns": "id", "column_type": "string"}, *INFERRED[2:]]
    assert len(azure.requests.matching("*", "blob.core.windows.net|devicecode")) == 0


def test_such_a_store_without_a_sample_is_a_sentence(azure: Service, tmp_path: Path) -> None:
    ws = stocked(azure)
    register_datastore(ws, "churn_blob", *STORE)
    with pytest.raises(ServiceError) as error:
        register_dataset(ws, "customers", dataset(), tmp_path)
    assert str(error.value) == (
        "the dataset 'customers': its datastore 'churn_blob' uses identity-based access, so column types cannot be "
        "read from it; add a local_path with the same columns, or set_column_types"
    )
    register_dataset(ws, "customers", dataset(set_column_types={"id": "long"}), tmp_path)
    assert registered(azure)[2] == [{"columns": "id", "column_type": "int"}]


@pytest.mark.parametrize(
    ("name", "version", "sentence"),
    [
        ("custmers", "latest", "the workspace 'churn-ws' has no dataset 'custmers'; did you mean 'customers'?"),
        ("customers", 7, "the dataset 'customers' has no version 7 in the workspace 'churn-ws'"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_that_names_a_close_one(
    azure: Service, tmp_path: Path, name: str, version: Any, sentence: str
) -> None:
    ws = stocked(azure)
    register_dataset(ws, "customers", dataset(), tmp_path)
    assert find_dataset(ws, "customers").version == 1
    with pytest.raises(MissingError) as error:
        find_dataset(ws, name, version)
    assert str(error.value) == sentence
