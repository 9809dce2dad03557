"""One fault on one route: the call succeeds, and everything is made once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks import model
from azml_tasks.azure.v1.client.connection import open_workspace, service_calls
from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.azure.v1.resources.computes import find_compute, register_compute
from azml_tasks.azure.v1.resources.datasets import find_dataset, register_dataset
from azml_tasks.azure.v1.resources.datastores import register_datastore, unregister_datastore
from azml_tasks.azure.v1.resources.environments import definition_of, find_environment, register_environment
from tests.azure.connections import forget_connections
from tests.azure.foreign import FOREIGN
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.service.service import Service

pytestmark = pytest.mark.thorough

Act = Callable[[], object]

# Waits are counted, not waited.
IMPATIENT = RetryPolicy(sleep=lambda seconds: None)
KEY = "a2V5"
WHERE = ("raw", "churnstore")
FILES = model.Dataset(datastore_name="store", path="in/**", type="file", description="new", tags={"a": "b"})
HERE = Path(__file__)
UPLOADED = FILES.model_copy(update={"path": "in/a.py", "local_path": HERE.name})
CLUSTER = model.Compute(vm_size="STANDARD_DS3_V2", max_nodes=2)


def open_it() -> Any:
    forget_connections()
    return open_workspace(WORKSPACE, GROUP, SUBSCRIPTION)


def environment(name: str, *packages: str) -> Any:
    return definition_of(name, model.Environment(pip_packages=packages), Path())


# What there is before a call, so that there is something to look up, to update and to remove.
STOCK: dict[str, Callable[[Any], object]] = {
    "environment": lambda ws: register_environment(ws, environment("env", "pandas")),
    "datastore": lambda ws: register_datastore(ws, "store", *WHERE, KEY),
    "dataset": lambda ws: [register_datastore(ws, "store", *WHERE, KEY), register_dataset(ws, "files", FILES, Path())],
    "compute": lambda ws: register_compute(ws, "cluster", CLUSTER),
}


def upload(ws: Any, *secret: str) -> None:
    register_datastore(ws, "store", *WHERE, *secret)
    register_dataset(ws, "files", UPLOADED, HERE.parent, upload_first=True)


def table(ws: Any) -> None:
    register_datastore(ws, "store", *WHERE, KEY)
    register_dataset(ws, "table", model.Dataset(datastore_name="store", path="table.csv"), Path())


def experiment(ws: Any) -> None:
    from azureml.core import Experiment

    with service_calls("making an experiment"):
        Experiment(ws, "churn")


# What is done, by the words of which the workspace is stocked; the request that fails; and what asks for it.
ROUTES: dict[str, tuple[str, str, Callable[[Any], object]]] = {
    "cloud metadata": ("GET", "metadata/endpoints", lambda ws: open_it()),
    "OpenID document": ("GET", "openid-configuration", lambda ws: open_it()),
    "token": ("POST", "oauth2/v2.0/token", lambda ws: open_it()),
    "subscriptions": ("GET", "management.azure.com/subscriptions$", lambda ws: open_it()),
    "workspace": ("GET", "workspaces/churn-ws$", lambda ws: open_it()),
    "discovery": ("GET", "/discovery/workspaces/", lambda ws: register_datastore(ws, "new", *WHERE, KEY)),
    "get an environment": ("GET", "/environments/env$", lambda ws: find_environment(ws, "env")),
    "register an environment": ("PUT", "/environments/new$", lambda ws: register_environment(ws, environment("new"))),
    "new environment version": ("PUT", "/environments/env$", lambda ws: register_environment(ws, environment("env"))),
    "get a datastore": ("GET", "/datastores/store$", lambda ws: register_datastore(ws, "store", *WHERE, KEY)),
    "register a datastore": ("POST", "/datastores$", lambda ws: register_datastore(ws, "new", *WHERE, KEY)),
    "update a datastore": ("PUT", "/datastores/store$", lambda ws: register_datastore(ws, "store", *WHERE, "bmV3")),
    "remove a datastore": ("DELETE", "/datastores/store$", lambda ws: unregister_datastore(ws, "store")),
    "get a dataset": ("GET", "/datasets/query/", lambda ws: find_dataset(ws, "files")),
    "get a dataset's definition": ("GET", "/dataversion/", lambda ws: find_dataset(ws, "files")),
    "register a dataset": ("POST", "/datasets$", lambda ws: register_dataset(ws, "new", FILES, Path())),
    "new dataset version": (
        "POST",
        "/datasets$",
        lambda ws: register_dataset(ws, "files", FILES.model_copy(update={"path": "out/**"}), Path()),
    ),
    "describe a dataset": (
        "PUT",
        "/datasets/",
        lambda ws: register_dataset(ws, "files", FILES.model_copy(update={"description": "other"}), Path()),
    ),
    "size of a table": ("HEAD", "blob.core.windows.net/raw/table.csv$", table),
    "first rows of a table": ("GET", "blob.core.windows.net/raw/table.csv$", table),
    "upload with a key": ("PUT", "blob.core.windows.net/raw/in/a.py$", lambda ws: upload(ws, KEY)),
    "upload with our login": ("PUT", "blob.core.windows.net/raw/in/a.py$", upload),
    "get a compute": ("GET", "/computes/cluster$", lambda ws: find_compute(ws, "cluster")),
    "create a compute": ("PUT", "/computes/new$", lambda ws: register_compute(ws, "new", CLUSTER)),
    "how the making of a compute goes": (
        "GET",
        "/computeOperationsStatus/",
        lambda ws: register_compute(ws, "new", CLUSTER),
    ),
    "scale a compute": (
        "PATCH",
        "/computes/cluster$",
        lambda ws: register_compute(ws, "cluster", CLUSTER.model_copy(update={"max_nodes": 4})),
    ),
    "make an experiment": ("POST", "/experiments/churn$", experiment),
}
FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "429 with Retry-After": {"status": 429, "retry_after": 7},
    "500": {"status": 500},
    "connection dropped": {"status": 0},
    "503 after it took effect": {"status": 503, "before_effect": False},
    "500 after it took effect": {"status": 500, "before_effect": False},
    "connection dropped after it took effect": {"status": 0, "before_effect": False},
}


# Read by the SDK's native reader, which has no sessions of ours.
NATIVE = ("size of a table", "first rows of a table")
READABLE = [route for route in ROUTES if route not in NATIVE]


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Any]:
    """What the service holds after each route's call when nothing fails; filled as it is needed."""
    return {}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_single_fault_is_survived_and_everything_is_made_once(
    azure: Service, undisturbed: dict[str, Any], route: str, fault: str
) -> None:
    method, path, act = ROUTES[route]
    with retrying(IMPATIENT):
        if route not in undisturbed:
            act(stocked_workspace(azure, route))
            undisturbed[route] = held(azure)
            azure.reset()
        ws = stocked_workspace(azure, route)
        azure.requests.clear()
        striking = azure.fail(method, path, **FAULTS[fault])
        act(ws)

    assert striking.times == 0, "the route was not asked for"
    assert held(azure) == undisturbed[route]
    if "upload" in route:
        assert held(azure)["blobs"]["in/a.py"] == HERE.read_bytes()
    if method == "POST" and route != "token":
        assert len(azure.requests.matching(method, path)) == (2 if striking.before_effect else 1)


def survives(azure: Service, undisturbed: dict[str, Any], route: str, fault: dict[str, Any]) -> None:
    method, path, act = ROUTES[route]
    if route not in undisturbed:
        act(stocked_workspace(azure, route))
        undisturbed[route] = held(azure)
    azure.reset()
    ws = stocked_workspace(azure, route)
    striking = azure.fail(method, path, **fault)
    act(ws)
    assert striking.times == 0, "the route was not asked for"
    assert held(azure) == undisturbed[route]


@pytest.mark.parametrize("place", range(len(READABLE)), ids=READABLE)
def test_an_answer_that_is_not_the_services_is_survived_as_a_fault_is(
    azure: Service, undisturbed: dict[str, Any], place: int, slow: bool
) -> None:
    """Each answer on each route with `--level slow`, else one on each."""
    answers = list(FOREIGN)
    with retrying(IMPATIENT):
        for answer in answers if slow else [answers[place % len(answers)]]:
            survives(azure, undisturbed, READABLE[place], FOREIGN[answer])


@pytest.mark.parametrize("place", range(len(READABLE)), ids=READABLE)
def test_a_refused_token_is_replaced_once_on_each_route(
    azure: Service, undisturbed: dict[str, Any], place: int, slow: bool
) -> None:
    route = READABLE[place]
    if route in ("cloud metadata", "OpenID document", "token", "discovery", "upload with a key"):
        pytest.skip("it is asked without a token of the login")
    if not slow and place % 3:
        pytest.skip("another route is tried, all of them with --level slow")
    survives(azure, undisturbed, route, {"status": 401})


def stocked_workspace(azure: Service, route: str) -> Any:
    ws = open_it()
    azure.put_blob(WHERE[1], WHERE[0], "table.csv", b"a,b\n1,2\n")
    for kind, register in STOCK.items():
        if kind in route:
            register(ws)
    _forget_what_the_sdk_cached()
    return ws


def held(azure: Service) -> dict[str, Any]:
    """Return what the service holds, in the numbers that would grow if something were made twice."""
    return {
        "environments": {name: list(versions) for name, versions in azure.environments.items()},
        "datastores": {
            name: (item.container, item.credential) for name, item in azure.datastores.items() if not item.system
        },
        "datasets": {
            name: [
                (version.definition["paths"][0]["pattern"].rpartition("/")[2], version.description)
                for version in item.versions
            ]
            for name, item in azure.datasets.items()
        },
        "computes": {name: item.settings["scaleSettings"] for name, item in azure.computes.items()},
        "experiments": list(azure.experiments),
        "blobs": {
            path: blob.content for path, blob in azure.state.storage.find(WHERE[1], WHERE[0]) if path == "in/a.py"
        },
    }


def _forget_what_the_sdk_cached() -> None:
    """Have the SDK ask for the clouds and the services again, as on a new machine."""
    shutil.rmtree(Path.home() / ".azureml", ignore_errors=True)
    from azureml._vendor.azure_cli_core.azureml_cloud import _Clouds

    _Clouds._clouds = None
