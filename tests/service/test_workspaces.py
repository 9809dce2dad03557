"""Workspaces, environments, datastores and computes by the real SDK."""

from __future__ import annotations

import pytest

from .names import GROUP, SUBSCRIPTION, WORKSPACE
from .service import Service


@pytest.fixture
def ws(azure: Service):
    from azureml.core import Workspace

    return Workspace.get(WORKSPACE, subscription_id=SUBSCRIPTION, resource_group=GROUP)


def test_the_workspace_is_found_and_another_one_is_not(azure: Service) -> None:
    from azureml.core import Workspace
    from azureml.exceptions import ProjectSystemException

    ws = Workspace.get(WORKSPACE, subscription_id=SUBSCRIPTION, resource_group=GROUP)
    assert (ws.name, ws.resource_group, ws.location) == (WORKSPACE, GROUP, "eastus")
    with pytest.raises(ProjectSystemException, match="Workspace not found"):
        Workspace.get("other-ws", subscription_id=SUBSCRIPTION, resource_group=GROUP)


def test_opening_the_workspace_sends_these_five_requests(azure: Service) -> None:
    from azureml.core import Workspace

    Workspace.get(WORKSPACE, subscription_id=SUBSCRIPTION, resource_group=GROUP)
    assert azure.requests.counts() == {
        "login.cloud_metadata": 1,
        "login.openid": 1,
        "login.issue_token": 1,
        "login.list_subscriptions": 1,
        "workspaces.get_workspace": 1,
    }


def test_a_new_workspace_is_created_in_a_new_group(azure: Service) -> None:
    from azureml.core import Workspace

    created = Workspace.create(
        "new-ws",
        subscription_id=SUBSCRIPTION,
        resource_group="new-rg",
        create_resource_group=True,
        location="eastus",
        show_output=False,
    )
    assert created.name == "new-ws"
    assert [(w.group, w.name) for w in azure.state.workspaces.values()] == [
        (GROUP, WORKSPACE),
        ("new-rg", "new-ws"),
    ]


def test_workspaces_are_listed(azure: Service) -> None:
    from azureml.core import Workspace

    azure.add_workspace("other-ws", group="other-rg")
    assert sorted(Workspace.list(SUBSCRIPTION)) == [WORKSPACE, "other-ws"]
    assert sorted(Workspace.list(SUBSCRIPTION, resource_group="other-rg")) == ["other-ws"]


def test_an_environment_gets_a_new_version_when_it_changed(azure: Service, ws) -> None:
    from azureml.core import Environment
    from azureml.core.conda_dependencies import CondaDependencies

    environment = Environment("churn-env")
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["pandas"])
    assert [environment.register(ws).version for _ in range(2)] == ["1", "1"]
    environment.python.conda_dependencies = CondaDependencies.create(pip_packages=["pandas==2.2"])
    assert environment.register(ws).version == "2"
    assert Environment.get(ws, "churn-env").version == "2"
    first = Environment.get(ws, "churn-env", version="1")
    assert "pandas" in list(first.python.conda_dependencies.pip_packages)
    assert list(azure.environments["churn-env"]) == ["1", "2"]
    assert "churn-env" in ws.environments


def test_a_datastore_is_registered_updated_listed_and_removed(azure: Service, ws) -> None:
    from azureml.core import Datastore
    from azureml.exceptions import UserErrorException

    def register(container: str, **more):
        return Datastore.register_azure_blob_container(ws, "churn_blob", container, "churnstore", **more)

    assert register("raw", account_key="a2V5").account_key == "a2V5"
    with pytest.raises(UserErrorException, match="Another datastore with the same name already exists"):
        register("raw", account_key="a2V5")
    register("other", sas_token="?sv=1", overwrite=True)
    stored = azure.datastores["churn_blob"]
    assert (stored.account, stored.container, stored.credential) == ("churnstore", "other", "?sv=1")
    assert "churn_blob" in ws.datastores
    Datastore.get(ws, "churn_blob").unregister()
    assert list(azure.datastores) == ["workspaceblobstore", "workspaceartifactstore", "workspacefilestore"]


def test_a_datastore_with_a_dash_in_its_name_is_refused(azure: Service, ws) -> None:
    from azureml.core import Datastore
    from azureml.exceptions import UserErrorException

    with pytest.raises(UserErrorException, match="letters, digits and underscores only"):
        Datastore.register_azure_blob_container(ws, "test-datastore", "raw", "churnstore", account_key="a2V5")


def test_a_compute_is_created_updated_and_deleted(azure: Service, ws) -> None:
    from azureml.core.compute import AmlCompute, ComputeTarget
    from azureml.exceptions import ComputeTargetException

    with pytest.raises(ComputeTargetException, match="not found"):
        ComputeTarget(ws, "cpu-cluster")
    settings = AmlCompute.provisioning_configuration(vm_size="STANDARD_DS3_V2", min_nodes=0, max_nodes=2)
    compute = ComputeTarget.create(ws, "cpu-cluster", settings)
    compute.wait_for_completion()
    compute.update(max_nodes=4)
    stored = azure.computes["cpu-cluster"].settings
    assert (stored["vmSize"], stored["vmPriority"]) == ("STANDARD_DS3_V2", "Dedicated")
    assert stored["scaleSettings"] == {
        "minNodeCount": 0,
        "maxNodeCount": 4,
        "nodeIdleTimeBeforeScaleDown": "PT1800S",
    }
    assert list(ws.compute_targets) == ["cpu-cluster"]
    compute.delete()
    assert azure.computes == {}
