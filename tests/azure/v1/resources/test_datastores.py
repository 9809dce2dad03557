"""Datastores: what arrives at the service, and when."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.resources.datastores import find_datastore, register_datastore, unregister_datastore
from azml_tasks.errors import ServiceError
from tests.azure.workspace import opened
from tests.service.service import Service

KEY = "a2V5LW9uZQ=="


def stored(azure: Service, name: str = "churn_blob") -> tuple[Any, ...]:
    section = azure.datastores[name].document["azureStorageSection"]
    return tuple(section.get(key) for key in ("containerName", "accountName", "credentialType", "credential"))


@pytest.mark.parametrize(
    ("secret", "arrived"),
    [
        ({"account_key": KEY}, ("raw", "churnstore", "AccountKey", KEY)),
        ({"sas_token": "?sv=1&sig=x"}, ("raw", "churnstore", "Sas", "?sv=1&sig=x")),
        ({}, ("raw", "churnstore", "None", None)),
    ],
)
def test_a_container_is_registered_with_its_key_its_token_or_nothing(
    azure: Service, secret: dict[str, str], arrived: tuple[str, ...]
) -> None:
    ws = opened()
    said = [str(register_datastore(ws, "churn_blob", "raw", "churnstore", **secret)) for _ in range(2)]
    assert stored(azure) == arrived
    assert said == ["datastore churn_blob: created (raw in churnstore)", "datastore churn_blob: unchanged"]


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (("raw", "churnstore", "bmV3"), "account_key changed"),
        (("other", "churnstore", KEY), "container_name raw -> other"),
        (("raw", "elsewhere", KEY), "account_name churnstore -> elsewhere"),
        (("raw", "churnstore", None, "?sv=1"), "account_key changed, sas_token changed"),
        (("raw", "churnstore"), "account_key changed"),
    ],
)
def test_what_changed_is_updated_and_said(azure: Service, after: tuple[str, ...], said: str) -> None:
    ws = opened()
    register_datastore(ws, "churn_blob", "raw", "churnstore", KEY)
    assert str(register_datastore(ws, "churn_blob", *after)) == f"datastore churn_blob: updated: {said}"
    assert stored(azure)[:2] == after[:2]
    assert stored(azure)[3] == (after[2:] or (None,))[-1]


def test_dry_writes_nothing(azure: Service) -> None:
    ws = opened()
    azure.requests.clear()
    change = register_datastore(ws, "churn_blob", "raw", "churnstore", KEY, dry=True)
    assert str(change) == "datastore churn_blob: would be created (raw in churnstore)"
    assert {record.method for record in azure.requests} == {"GET"}


def test_a_store_of_another_kind_is_left_alone(azure: Service) -> None:
    with pytest.raises(ServiceError) as error:
        register_datastore(opened(), "workspacefilestore", "raw", "churnstore", KEY)
    assert str(error.value) == (
        "the datastore 'workspacefilestore' is registered as AzureFile, not as a blob container: use another name, "
        "or unregister it first"
    )


def test_it_is_removed_once(azure: Service) -> None:
    ws = opened()
    register_datastore(ws, "churn_blob", "raw", "churnstore", KEY)
    said = [str(unregister_datastore(ws, "churn_blob", dry)) for dry in (True, False, False)]
    assert said == [
        "datastore churn_blob: would be removed",
        "datastore churn_blob: removed",
        "datastore churn_blob: unchanged (it was not registered)",
    ]
    assert "churn_blob" not in azure.datastores


def test_a_name_that_is_not_there_is_an_error_that_names_a_close_one(azure: Service) -> None:
    with pytest.raises(MissingError) as error:
        find_datastore(opened(), "workspaceblobstor")
    assert str(error.value) == (
        "the workspace 'churn-ws' has no datastore 'workspaceblobstor'; did you mean 'workspaceblobstore'?"
    )


def test_a_name_that_azure_refuses_is_refused_in_its_words(azure: Service) -> None:
    with pytest.raises(ServiceError) as error:
        register_datastore(opened(), "test-datastore", "raw", "churnstore", KEY)
    assert str(error.value).startswith("registering the datastore 'test-datastore' failed: ")
    assert "letters, digits and underscores only" in str(error.value)


def test_no_secret_is_in_the_messages(azure: Service) -> None:
    azure.fail("POST", "/datastores$", status=400)
    change = register_datastore(opened(), "churn_blob", "raw", "churnstore", KEY, dry=True)
    with pytest.raises(ServiceError) as error:
        register_datastore(opened(), "churn_blob", "raw", "churnstore", KEY)
    assert KEY not in repr(change) + str(error.value)
