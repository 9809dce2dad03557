"""Datasets by the real SDK: registered, versioned, read from blobs by its native reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from .names import GROUP, SUBSCRIPTION, WORKSPACE
from .service import Service

CUSTOMERS = b"id,age\n1,30\n2,40\n"


@pytest.fixture
def ws(azure: Service):
    from azureml.core import Workspace

    return Workspace.get(WORKSPACE, subscription_id=SUBSCRIPTION, resource_group=GROUP)


@pytest.fixture
def store(azure: Service, ws):
    from azureml.core import Datastore

    azure.put_blob("churnstore", "raw", "customers.csv", CUSTOMERS)
    return Datastore.register_azure_blob_container(ws, "churn_blob", "raw", "churnstore", account_key="a2V5")


def table(ws, store, path: str = "customers.csv", **more):
    from azureml.core import Dataset

    dataset = Dataset.Tabular.from_delimited_files(path=[(store, path)])
    return dataset.register(ws, "customers", create_new_version=True, **more)


def test_a_csv_is_registered_and_read_back(azure: Service, ws, store) -> None:
    from azureml.core import Dataset

    registered = table(ws, store)
    frame = Dataset.get_by_name(ws, "customers").to_pandas_dataframe()
    assert frame.to_dict("list") == {"id": [1, 2], "age": [30, 40]}
    assert Dataset.get_by_id(ws, registered.id).name == "customers"
    assert azure.datasets["customers"].latest.definition == {
        "type": "mltable",
        "paths": [
            {
                "pattern": f"azureml://subscriptions/{SUBSCRIPTION}/resourcegroups/{GROUP}"
                f"/workspaces/{WORKSPACE}/datastores/churn_blob/paths/customers.csv"
            }
        ],
        "transformations": [
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
                }
            },
            {
                "convert_column_types": [
                    {"columns": "age", "column_type": "int"},
                    {"columns": "id", "column_type": "int"},
                ]
            },
        ],
        "metadata": {"infer_column_types": "False"},
    }


def test_another_definition_is_a_new_version_and_the_same_one_is_not(azure: Service, ws, store) -> None:
    from azureml.core import Dataset

    azure.put_blob("churnstore", "raw", "more.csv", b"id,age\n7,70\n")
    # The SDK writes the columns of a table in a random order, so the same one is one that was made once.
    once = Dataset.Tabular.from_delimited_files(path=[(store, "customers.csv")])
    same = [once.register(ws, "customers", create_new_version=True).version for _ in range(2)]
    assert [*same, table(ws, store, "more.csv").version] == [1, 1, 2]
    assert Dataset.get_by_name(ws, "customers", version=1).to_pandas_dataframe()["id"].tolist() == [1, 2]
    assert Dataset.get_by_name(ws, "customers").to_pandas_dataframe()["id"].tolist() == [7]


def test_a_missing_dataset_is_refused_and_not_listed(azure: Service, ws, store) -> None:
    from azureml.core import Dataset
    from azureml.exceptions import UserErrorException

    table(ws, store, tags={"source": "crm"})
    with pytest.raises(UserErrorException, match='Cannot find dataset registered with name "customer"'):
        Dataset.get_by_name(ws, "customer")
    assert [name for name in ws.datasets] == ["customers"]  # noqa: C416 - list() of it is empty, measured
    assert azure.datasets["customers"].latest.tags == {"source": "crm"}


def test_a_file_that_is_not_there_fails_the_sdk_s_validation(azure: Service, ws, store) -> None:
    from azureml.data.dataset_error_handling import DatasetValidationError

    with pytest.raises(DatasetValidationError, match="The requested stream was not found"):
        table(ws, store, "missing.csv")


def test_a_folder_is_registered_as_files_and_downloaded(azure: Service, ws, store, tmp_path: Path) -> None:
    from azureml.core import Dataset

    azure.put_blob("churnstore", "raw", "folder/a.txt", b"a")
    azure.put_blob("churnstore", "raw", "folder/deep/b.txt", b"bb")
    files = Dataset.File.from_files(path=[(store, "folder")]).register(ws, "files")
    assert files.to_path() == ["/a.txt", "/deep/b.txt"]
    files.download(target_path=str(tmp_path))
    assert (tmp_path / "deep" / "b.txt").read_bytes() == b"bb"


def test_a_file_is_uploaded_to_a_datastore(azure: Service, ws, store, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_bytes(CUSTOMERS)
    store.upload_files([str(tmp_path / "new.csv")], target_path="incoming", show_progress=False)
    assert azure.blob("churnstore", "raw", "incoming/new.csv") == CUSTOMERS


def test_a_later_test_reads_its_own_datastore_of_the_same_name(azure: Service) -> None:
    from azureml.core import Dataset

    from .example import open_workspace

    def read(account: str, container: str, content: bytes) -> list[int]:
        azure.reset()
        azure.put_blob(account, container, "customers.csv", content)
        azure.add_datastore("shared", container, account)
        azure.add_table("customers", "shared", "customers.csv", {"id": "int", "age": "int"})
        return Dataset.get_by_name(open_workspace(), "customers").to_pandas_dataframe()["id"].tolist()

    assert read("first", "raw", CUSTOMERS) == [1, 2]
    assert read("second", "other", b"id,age\n7,70\n") == [7]
    blobs = azure.requests.matching("*", r"blob\.core")
    assert {(record.host.partition(".")[0], record.path) for record in blobs} == {("second", "/other/customers.csv")}


def test_the_native_reader_does_not_notice_that_a_datastore_was_moved(azure: Service, ws, store) -> None:
    """Measured: it asks once in the life of a process."""
    from azureml.core import Dataset, Datastore

    def read() -> list[int]:
        table = Dataset.Tabular.from_delimited_files(path=[(Datastore.get(ws, "churn_blob"), "customers.csv")])
        return table.to_pandas_dataframe()["id"].tolist()

    assert read() == [1, 2]
    azure.put_blob("churnstore", "moved", "customers.csv", b"id,age\n7,70\n")
    Datastore.register_azure_blob_container(ws, "churn_blob", "moved", "churnstore", account_key="a2V5", overwrite=True)
    assert Datastore.get(ws, "churn_blob").container_name == "moved"
    assert read() == [1, 2]
