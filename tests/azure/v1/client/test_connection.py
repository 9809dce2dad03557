"""One connection, and what is said when the workspace is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.client.connection import connect, connect_or_create, login_of, open_workspace
from azml_tasks.errors import LoginError, ProjectError, ServiceError
from azml_tasks.reading import Project, load_project
from tests.azure.connections import forget_connections
from tests.service.names import CLIENT, GROUP, PASSWORD, SUBSCRIPTION, TENANT, WORKSPACE
from tests.service.service import Service

LOGIN = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": PASSWORD}
STEPS = "steps: {only: {script_name: only.py}}\n"


@pytest.fixture(autouse=True)
def _nothing_open() -> None:
    forget_connections()


def project(folder: Path, text: str, **variables: str) -> Project:
    file = folder / "pipeline.yaml"
    file.write_text(text + STEPS)
    return load_project(file, variables=variables)


def test_the_workspace_of_the_file_is_opened_once(azure: Service, tmp_path: Path) -> None:
    named = project(
        tmp_path,
        f"ws_name: {WORKSPACE}\nresource_group: {GROUP}\nsubscription_id: ${{SUB}}\n",
        SUB=SUBSCRIPTION,
        **LOGIN,
    )
    ws = connect(named)
    assert (ws.name, ws.resource_group, ws.subscription_id) == (WORKSPACE, GROUP, SUBSCRIPTION)
    assert connect(named) is ws
    assert open_workspace(WORKSPACE.upper(), GROUP, SUBSCRIPTION) is ws
    assert azure.requests.counts() == {
        "login.cloud_metadata": 1,
        "login.openid": 1,
        "login.issue_token": 1,
        "login.list_subscriptions": 1,
        "workspaces.get_workspace": 1,
    }


def test_a_second_workspace_is_opened_with_the_same_login(azure: Service) -> None:
    azure.add_workspace("other-ws")
    open_workspace(WORKSPACE, GROUP, SUBSCRIPTION)
    azure.requests.clear()
    open_workspace("other-ws", GROUP, SUBSCRIPTION)
    assert azure.requests.counts() == {"login.list_subscriptions": 1, "workspaces.get_workspace": 1}


def test_every_key_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as error:
        connect(project(tmp_path, "ws_name: churn-ws\n"))
    assert str(error.value).splitlines() == [
        "pipeline.yaml:1: Azure needs resource_group, which is not set in the file",
        "pipeline.yaml:1: Azure needs subscription_id, which is not set in the file",
    ]


def test_a_variable_that_is_not_set_is_named_at_its_line(tmp_path: Path) -> None:
    text = f"ws_name: {WORKSPACE}\nresource_group: {GROUP}\nsubscription_id: ${{AZURE_SUBSCRIPTION_ID}}\n"
    with pytest.raises(ProjectError) as error:
        connect(project(tmp_path, text))
    [problem] = error.value.problems
    assert problem.line == 3
    assert "AZURE_SUBSCRIPTION_ID" in problem.message


@pytest.mark.parametrize(
    ("name", "group", "sentence"),
    [
        (
            "churn-w",
            GROUP,
            "no workspace 'churn-w' in the resource group 'churn-rg', which has 'churn-ws' and 'fraud-ws'; "
            "did you mean 'churn-ws'?",
        ),
        (
            "churn-ws",
            "chrun-rg",
            "no workspace 'churn-ws' in the resource group 'chrun-rg'; the subscription has 'churn-ws' in "
            "'churn-rg' and 'fraud-ws' in 'churn-rg'; did you mean 'churn-ws'?",
        ),
    ],
)
def test_a_mistyped_workspace_is_an_error_that_names_what_there_is(
    azure: Service, name: str, group: str, sentence: str
) -> None:
    azure.add_workspace("fraud-ws")
    with pytest.raises(MissingError) as error:
        open_workspace(name, group, SUBSCRIPTION)
    assert str(error.value) == sentence
    assert len(azure.state.workspaces) == 2


def test_a_subscription_without_any_workspace_is_reported(azure: Service) -> None:
    azure.state.subscriptions["s2"] = "Empty"
    with pytest.raises(MissingError) as error:
        open_workspace("churn-ws", GROUP, "s2")
    assert str(error.value) == (
        "no workspace 'churn-ws' in the resource group 'churn-rg' or the rest of the subscription s2"
    )


@pytest.mark.parametrize(
    ("subscription", "sentence"),
    [
        ("Pay as you go", f"subscription_id must be the ID, not the name: 'Pay as you go' is {SUBSCRIPTION}"),
        ("1234", f"this login has no access to the subscription 1234; it has access to {SUBSCRIPTION} (Pay as you go)"),
    ],
)
def test_a_wrong_subscription_is_an_error_that_names_the_right_ones(
    azure: Service, subscription: str, sentence: str
) -> None:
    with pytest.raises(ServiceError) as error:
        open_workspace(WORKSPACE, GROUP, subscription)
    assert str(error.value) == sentence


def test_a_workspace_that_we_may_not_read_is_a_sentence(azure: Service) -> None:
    azure.fail("GET", f"/workspaces/{WORKSPACE}$", status=403)
    with pytest.raises(ServiceError) as error:
        open_workspace(WORKSPACE, GROUP, SUBSCRIPTION)
    assert str(error.value) == (
        "opening the workspace 'churn-ws' failed: Refused with 403. "
        "Ask the workspace's owner for the role 'AzureML Data Scientist' or 'Contributor'."
    )


def test_the_wrapper_creates_a_missing_workspace_in_its_group(azure: Service) -> None:
    ws = connect_or_create("new-ws", GROUP, SUBSCRIPTION)
    assert (ws.name, ws.resource_group) == ("new-ws", GROUP)
    assert [workspace.name for workspace in azure.state.workspaces.values()] == [WORKSPACE, "new-ws"]
    assert connect_or_create("new-ws", GROUP, SUBSCRIPTION) is ws


def test_the_wrapper_creates_a_missing_group_too(azure: Service) -> None:
    connect_or_create("new-ws", "new-rg", SUBSCRIPTION)
    assert azure.state.groups[(SUBSCRIPTION, "new-rg")] == "eastus"


def test_the_wrapper_creates_nothing_when_the_workspace_is_there(azure: Service) -> None:
    connect_or_create(WORKSPACE, GROUP, SUBSCRIPTION)
    assert [record.method for record in azure.requests if record.method != "GET"] == ["POST"]  # for the token


def test_the_login_of_a_workspace_opened_elsewhere_is_unknown(azure: Service) -> None:
    ws = open_workspace(WORKSPACE, GROUP, SUBSCRIPTION)
    assert login_of(ws)("https://storage.azure.com")
    forget_connections()
    with pytest.raises(LoginError):
        login_of(ws)
