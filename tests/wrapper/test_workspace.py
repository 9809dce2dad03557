"""The wrapper API's workspace: a program written for it, against the real SDK."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.errors import ServiceError
from azml_tasks.wrapper.workspace import WorkspaceWrapper
from tests.azure.connections import forget_connections
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.service.service import Service

CONFIG = {"ws_name": WORKSPACE, "resource_group": GROUP, "subscription_id": SUBSCRIPTION}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_connections()
    monkeypatch.chdir(tmp_path)


def wrapper() -> WorkspaceWrapper:
    return WorkspaceWrapper(WORKSPACE, GROUP, SUBSCRIPTION)


def test_making_one_opens_nothing_and_several_share_one_connection(azure: Service) -> None:
    wrappers = [wrapper(), WorkspaceWrapper.from_config({**CONFIG, "more": "is ignored"}), wrapper()]
    assert len(azure.requests) == 0
    opened = {id(one.ws) for one in wrappers}
    assert len(opened) == 1
    assert azure.requests.counts()["workspaces.get_workspace"] == 1
    ws = wrappers[0].ws
    assert (ws.name, ws.resource_group, ws.subscription_id) == (WORKSPACE, GROUP, SUBSCRIPTION)


def test_a_missing_workspace_is_created_with_its_group(azure: Service) -> None:
    assert WorkspaceWrapper("new-ws", "new-rg", SUBSCRIPTION).ws.name == "new-ws"
    assert [workspace.name for workspace in azure.state.workspaces.values()] == [WORKSPACE, "new-ws"]


def test_the_login_is_taken_from_the_env_file_too(azure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"AZUREML_SERVICE_PRINCIPAL_{name}" for name in ("TENANT_ID", "ID", "PASSWORD")]
    from tests.service.names import CLIENT, PASSWORD, TENANT

    Path(".env").write_text(f"AZURE_TENANT_ID={TENANT}\nAZURE_CLIENT_ID={CLIENT}\nAZURE_CLIENT_SECRET={PASSWORD}\n")
    for name in names:
        monkeypatch.delenv(name)
    assert wrapper().ws.name == WORKSPACE


@pytest.mark.parametrize("config", [[], "ws", None])
def test_what_is_no_dictionary_is_refused(config: Any) -> None:
    with pytest.raises(TypeError, match="config must be a dictionary"):
        WorkspaceWrapper.from_config(config)


def test_missing_keys_are_named() -> None:
    with pytest.raises(KeyError) as error:
        WorkspaceWrapper.from_config({"ws_name": "a"})
    assert error.value.args == ("the configuration has no resource_group or subscription_id",)


def test_an_environment_is_registered_with_what_a_run_needs(azure: Service) -> None:
    wrapper().register_env("test-env", ["pandas", "matplotlib"])
    assert azure.environments["test-env"]["1"]["python"]["condaDependencies"] == {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [
            "python=3.10",
            "pip",
            {
                "pip": [
                    "pandas",
                    "matplotlib",
                    "azureml-defaults",
                    "azureml-dataset-runtime[fuse]",
                    "azureml-dataprep[pandas]",
                ]
            },
        ],
    }


@pytest.mark.parametrize("dependencies", ["pandas", {"pandas": "1"}, None])
def test_dependencies_that_are_no_list_are_refused(azure: Service, dependencies: Any) -> None:
    with pytest.raises(TypeError, match="dependencies must be a list"):
        wrapper().register_env("test-env", dependencies)


def test_a_datastore_comes_and_goes(azure: Service) -> None:
    workspace = wrapper()
    workspace.register_blob_datastore("wrapper_store", "container", "storage", "a2V5")
    stored = azure.datastores["wrapper_store"]
    assert (stored.container, stored.account, stored.credential) == ("container", "storage", "a2V5")
    assert "wrapper_store" in workspace.ws.datastores
    workspace.unregister_blob_datastore("wrapper_store")
    workspace.unregister_blob_datastore("wrapper_store")
    assert "wrapper_store" not in workspace.ws.datastores


@pytest.mark.parametrize("name", ["test_dataset.csv", "test_dataset"])
def test_a_csv_is_registered_by_its_name(azure: Service, name: str) -> None:
    workspace = wrapper()
    workspace.register_blob_datastore("wrapper_store", "container", "storage", "a2V5")
    azure.put_blob("storage", "container", "test_dataset.csv", b"a,b\n1,2\n")
    workspace.register_csv("wrapper_store", name)
    [place] = azure.datasets["test_dataset"].latest.definition["paths"]
    assert place["pattern"].endswith("/datastores/wrapper_store/paths/test_dataset.csv")
    assert workspace.ws.datasets["test_dataset"].to_pandas_dataframe().to_dict("list") == {"a": [1], "b": [2]}


def test_a_csv_in_a_datastore_that_is_not_registered_is_a_name_error(azure: Service) -> None:
    with pytest.raises(NameError, match="has no datastore 'nowhere'"):
        wrapper().register_csv("nowhere", "test_dataset.csv")


def test_a_compute_is_created_by_its_name_alone(azure: Service) -> None:
    wrapper().register_compute("test-compute001")
    settings = azure.computes["test-compute001"].settings
    assert (
        settings["vmSize"],
        settings["scaleSettings"]["minNodeCount"],
        settings["scaleSettings"]["maxNodeCount"],
    ) == (
        "STANDARD_D4DS_V4",
        0,
        1,
    )


def test_a_compute_that_exists_keeps_its_size_unless_one_is_given(azure: Service) -> None:
    azure.add_compute("old-compute", "STANDARD_DS3_V2", 0, 1)
    assert str(wrapper().register_compute("old-compute")) == "compute old-compute: unchanged"
    with pytest.raises(ServiceError, match="has the size STANDARD_DS3_V2, which Azure cannot change to STANDARD_D2_V2"):
        wrapper().register_compute("old-compute", "STANDARD_D2_V2")


def test_size_and_number_of_workers_are_taken_in_order(azure: Service) -> None:
    wrapper().register_compute("test-compute00001", "STANDARD_D2_V2", 1, 4)
    settings = azure.computes["test-compute00001"].settings
    assert (
        settings["vmSize"],
        settings["scaleSettings"]["minNodeCount"],
        settings["scaleSettings"]["maxNodeCount"],
    ) == (
        "STANDARD_D2_V2",
        1,
        4,
    )
