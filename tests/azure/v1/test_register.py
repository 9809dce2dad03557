"""Registering a whole file: everything once, in order, and nothing the second time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.client.connection import connect
from azml_tasks.azure.v1.register import register
from azml_tasks.backend import KINDS
from azml_tasks.errors import ProjectError, ServiceError
from azml_tasks.reading import Project, load_project
from tests.azure.connections import forget_connections
from tests.azure.workspace import FILE
from tests.service.names import CLIENT, PASSWORD, TENANT
from tests.service.service import Service

LOGIN = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": CLIENT, "AZURE_CLIENT_SECRET": PASSWORD}
KEY, TOKEN = "dG9wLXNlY3JldA==", "?sv=1&sig=top-secret"
TEXT = (
    FILE
    + """
env_name: churn-env
compute_name: cpu-cluster
steps:
  prepare: {script_name: prepare.py, input_datasets: {--data: customers}}
environments:
  churn-env: {pip_packages: [pandas]}
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, account_key: "${CHURN_STORAGE_KEY}"}
  lake: {container_name: raw, account_name: churnstore, sas_token: "${LAKE_TOKEN}"}
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv, local_path: customers.csv}
  sample: {local_path: customers.csv}
computes:
  cpu-cluster: {vm_size: STANDARD_D4DS_V4, max_nodes: 2}
"""
)


def project(folder: Path, text: str = TEXT, **variables: str) -> Project:
    file = folder / "pipeline.yaml"
    file.write_text(text)
    (folder / "customers.csv").write_text("id,name\n1,a\n2,b\n")
    secrets = {"CHURN_STORAGE_KEY": KEY, "LAKE_TOKEN": TOKEN}
    return load_project(file, variables={**LOGIN, **secrets, **variables})


@pytest.fixture
def ws(azure: Service, tmp_path: Path) -> Any:
    forget_connections()
    azure.state.storage.add_container("churnstore", "raw")
    ws = connect(project(tmp_path))
    azure.requests.clear()
    return ws


def test_the_workspace_is_made_to_match_the_file(azure: Service, ws: Any, tmp_path: Path) -> None:
    said = [str(change) for change in register(ws, project(tmp_path), upload=True)]
    assert said == [
        "environment churn-env: created (version 1)",
        "datastore churn_blob: created (raw in churnstore)",
        "datastore lake: created (raw in churnstore)",
        "dataset customers: created (1 file uploaded; version 1)",
        "compute cpu-cluster: created (STANDARD_D4DS_V4, 0 to 2 nodes)",
    ]
    assert [item.credential for item in azure.datastores.values() if not item.system] == [KEY, TOKEN]
    assert list(azure.environments) == ["churn-env"]
    assert list(azure.datasets) == ["customers"]
    assert list(azure.computes) == ["cpu-cluster"]


def test_a_second_time_writes_nothing(azure: Service, ws: Any, tmp_path: Path) -> None:
    list(register(ws, project(tmp_path), upload=True))
    azure.requests.clear()
    said = [change.outcome for change in register(ws, project(tmp_path))]
    assert said == ["unchanged"] * 5
    assert {record.method for record in azure.requests} <= {"GET", "HEAD"}
    assert len(azure.requests) <= 15


def test_dry_writes_nothing(azure: Service, ws: Any, tmp_path: Path) -> None:
    said = [str(change) for change in register(ws, project(tmp_path), dry=True)]
    assert said == [
        "environment churn-env: would be created",
        "datastore churn_blob: would be created (raw in churnstore)",
        "datastore lake: would be created (raw in churnstore)",
        "dataset customers: would be created (once the datastore 'churn_blob' exists)",
        "compute cpu-cluster: would be created (STANDARD_D4DS_V4, 0 to 2 nodes)",
    ]
    assert {record.method for record in azure.requests} <= {"GET", "HEAD"}


def test_each_part_can_be_registered_alone(azure: Service, ws: Any, tmp_path: Path) -> None:
    named = project(tmp_path)
    kinds = [
        [change.kind for change in changes] for changes in (register(ws, named, (kind,), upload=True) for kind in KINDS)
    ]
    assert kinds == [["environment"], ["datastore"] * 2, ["dataset"], ["compute"]]


def test_what_is_refused_does_not_keep_the_rest_from_it(azure: Service, ws: Any, tmp_path: Path) -> None:
    text = TEXT.replace("lake:", "workspacefilestore:") + "  other: {vm_size: X}\n"
    changes = register(ws, project(tmp_path, text), upload=True)
    done = []
    with pytest.raises(ServiceError) as error:
        done += [change.name for change in changes]
    assert str(error.value) == (
        "the datastore 'workspacefilestore' is registered as AzureFile, not as a blob container: use another name, "
        "or unregister it first"
    )
    assert list(azure.computes) == ["cpu-cluster", "other"]


def test_a_secret_that_is_not_set_is_named_before_anything_is_written(azure: Service, ws: Any, tmp_path: Path) -> None:
    with pytest.raises(ProjectError) as error:
        list(register(ws, project(tmp_path, CHURN_STORAGE_KEY="")))
    [problem] = error.value.problems
    assert (problem.line, "CHURN_STORAGE_KEY" in problem.message) == (
        TEXT.split("churn_blob:")[0].count("\n") + 1,
        True,
    )
    assert len(azure.requests) == 0


def test_no_secret_is_printed(
    azure: Service,
    ws: Any,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = [repr(change) for change in register(ws, project(tmp_path), upload=True)]
    azure.fail("POST", "/datastores$", status=400)
    with pytest.raises(ServiceError) as error:
        list(register(ws, project(tmp_path, CHURN_STORAGE_KEY="bmV3LXNlY3JldA=="), ("datastore",)))
    captured = capfd.readouterr()
    told = "\n".join([*said, str(error.value), captured.out, captured.err, caplog.text])
    for secret in (KEY, TOKEN, "top-secret", "bmV3LXNlY3JldA==", PASSWORD):
        assert secret not in told
