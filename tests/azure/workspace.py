"""A workspace of the stand-in, with what the tests' pipelines need."""

from __future__ import annotations

from typing import Any

from azml_tasks.azure.v1.client.connection import open_workspace
from tests.azure.connections import forget_connections
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.service.service import Service

FILE = f"ws_name: {WORKSPACE}\nresource_group: {GROUP}\nsubscription_id: {SUBSCRIPTION}\n"


def opened() -> Any:
    """Return the workspace, by a connection of its own."""
    forget_connections()
    return open_workspace(WORKSPACE, GROUP, SUBSCRIPTION)


def stocked(azure: Service) -> Any:
    """Return the workspace with the environment `env` and the cluster `cpu`; the requests so far are forgotten."""
    from azureml.core import Environment
    from azureml.core.compute import AmlCompute, ComputeTarget

    ws = opened()
    Environment("env").register(ws)
    ComputeTarget.create(ws, "cpu", AmlCompute.provisioning_configuration(vm_size="STANDARD_DS3_V2", max_nodes=2))
    azure.requests.clear()
    return ws
