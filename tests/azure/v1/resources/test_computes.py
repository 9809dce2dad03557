"""Compute clusters: created, scaled, and not replaced."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.resources.computes import find_compute, register_compute
from azml_tasks.errors import ServiceError
from azml_tasks.model import Compute
from tests.azure.workspace import opened
from tests.service.service import Service

SMALL = {"vm_size": "STANDARD_DS3_V2", "max_nodes": 2}


def cluster(**settings: Any) -> Compute:
    return Compute(**{**SMALL, **settings})


def scale(azure: Service) -> Any:
    return azure.computes["cpu-cluster"].settings["scaleSettings"]


def test_a_cluster_is_created_as_the_file_declares(azure: Service, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = cluster(vm_priority="lowpriority", min_nodes=1, max_nodes=4, idle_seconds_before_scaledown=600)
    change = register_compute(opened(), "cpu-cluster", wanted)
    settings = azure.computes["cpu-cluster"].settings
    assert (settings["vmSize"], settings["vmPriority"]) == ("STANDARD_DS3_V2", "LowPriority")
    assert scale(azure) == {"minNodeCount": 1, "maxNodeCount": 4, "nodeIdleTimeBeforeScaleDown": "PT600S"}
    assert str(change) == "compute cpu-cluster: created (STANDARD_DS3_V2, 1 to 4 nodes)"
    assert capsys.readouterr().out == ""


def test_a_cluster_that_is_as_the_file_declares_is_left_alone(azure: Service) -> None:
    ws = opened()
    register_compute(ws, "cpu-cluster", cluster())
    azure.requests.clear()
    assert str(register_compute(ws, "cpu-cluster", cluster(vm_size="Standard_ds3_v2"))) == (
        "compute cpu-cluster: unchanged"
    )
    assert [record.method for record in azure.requests] == ["GET"]


@pytest.mark.parametrize(
    ("settings", "said", "arrived"),
    [
        ({"max_nodes": 5}, "max_nodes 2 -> 5", {"minNodeCount": 0, "maxNodeCount": 5}),
        (
            {"min_nodes": 1, "max_nodes": 1},
            "min_nodes 0 -> 1, max_nodes 2 -> 1",
            {"minNodeCount": 1, "maxNodeCount": 1},
        ),
        (
            {"idle_seconds_before_scaledown": 60},
            "idle_seconds_before_scaledown 1800 -> 60",
            {"minNodeCount": 0, "maxNodeCount": 2, "nodeIdleTimeBeforeScaleDown": "PT60S"},
        ),
    ],
)
def test_scale_limits_are_changed_in_place(
    azure: Service, settings: dict[str, int], said: str, arrived: dict[str, Any]
) -> None:
    ws = opened()
    register_compute(ws, "cpu-cluster", cluster())
    dry = register_compute(ws, "cpu-cluster", cluster(**settings), dry=True)
    assert str(dry) == f"compute cpu-cluster: would be updated: {said}"
    assert scale(azure)["maxNodeCount"] == 2
    assert str(register_compute(ws, "cpu-cluster", cluster(**settings))) == f"compute cpu-cluster: updated: {said}"
    assert scale(azure) == {"nodeIdleTimeBeforeScaleDown": "PT1800S", **arrived}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"vm_size": "STANDARD_D4_V3"},
            "the compute 'cpu-cluster' has the size STANDARD_DS3_V2, which Azure cannot change to STANDARD_D4_V3: "
            "use another name, or delete the compute first",
        ),
        (
            {"vm_priority": "lowpriority"},
            "the compute 'cpu-cluster' has the priority Dedicated, which Azure cannot change to lowpriority: use "
            "another name, or delete the compute first",
        ),
    ],
)
def test_size_and_priority_stay_and_the_sentence_reports_it(
    azure: Service, settings: dict[str, str], sentence: str
) -> None:
    ws = opened()
    register_compute(ws, "cpu-cluster", cluster())
    azure.requests.clear()
    with pytest.raises(ServiceError) as error:
        register_compute(ws, "cpu-cluster", cluster(**settings))
    assert str(error.value) == sentence
    assert {record.method for record in azure.requests} == {"GET"}


def test_dry_creates_nothing(azure: Service) -> None:
    assert str(register_compute(opened(), "cpu-cluster", cluster(), dry=True)) == (
        "compute cpu-cluster: would be created (STANDARD_DS3_V2, 0 to 2 nodes)"
    )
    assert azure.computes == {}


def test_a_name_that_is_not_there_is_an_error_that_names_a_close_one(azure: Service) -> None:
    ws = opened()
    register_compute(ws, "cpu-cluster", cluster())
    with pytest.raises(MissingError) as error:
        find_compute(ws, "cpu-clustre")
    assert str(error.value) == "the workspace 'churn-ws' has no compute 'cpu-clustre'; did you mean 'cpu-cluster'?"
