"""The models and datasets of a workspace."""

from __future__ import annotations

from typing import Any

import pytest

from tests.azure.connections import forget_connections
from tests.azure.projects import write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.backend import AzureV1Runs, Connection
from tests.azure.workspace import FILE, stocked

PIPELINE = f"""\
{FILE}env_name: env
compute_name: cpu
steps:
  one:
    script_name: one.py
    input_datasets: {{--data: customers}}
    output_folders: {{--output-folder: {{register_on_complete: scores}}}}
  two: {{script_name: two.py}}
datasets:
  customers: {{datastore_name: workspaceblobstore, path: c.csv, local_path: c.csv}}
  absent: {{datastore_name: workspaceblobstore, path: d.csv, local_path: d.csv}}
"""


@pytest.fixture
def runs(azure: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> AzureV1Runs:
    monkeypatch.chdir(tmp_path)  # from where alone the SDK takes models
    ws = stocked(azure)
    project = write_project(tmp_path, PIPELINE)
    from azureml.core import Dataset, Model

    (tmp_path / "m.txt").write_text("model")
    for name in ("churn", "other", "churn"):
        Model.register(ws, "m.txt", name, tags={"auc": "0.9"})
    store = ws.get_default_datastore()
    for path in ("a", "b"):
        Dataset.File.from_files((store, path), validate=False).register(ws, "scores", create_new_version=True)
    Dataset.File.from_files((store, "c"), validate=False).register(ws, "customers", tags={"owner": "me"})
    Dataset.File.from_files((store, "d"), validate=False).register(ws, "not-in-the-file")
    forget_connections()
    return AzureV1Runs(Connection(project))


def test_the_models_of_a_workspace_are_listed_with_their_latest_or_every_version(azure, runs):
    latest, every = runs.registered("model"), runs.registered("model", every_version=True)

    assert {(asset.name, asset.version) for asset in latest} == {("churn", 2), ("other", 1)}
    assert {(asset.name, asset.version) for asset in every} == {("churn", 2), ("other", 1), ("churn", 1)}
    assert latest[0].tags == {"auc": "0.9"}
    assert latest[0].created is not None


def test_of_datasets_those_of_the_file_are_listed_and_what_is_not_registered_is_said(azure, runs):
    found = runs.registered("dataset", every_version=True)

    assert [(asset.name, asset.version, asset.kind, dict(asset.tags)) for asset in found] == [
        ("customers", 1, "file", {"owner": "me"}),
        ("absent", None, "", {}),
        ("scores", 2, "file", {}),
        ("scores", 1, "file", {}),
    ]
    assert [(asset.name, asset.version) for asset in runs.registered("dataset")] == [
        ("customers", 1),
        ("absent", None),
        ("scores", 2),
    ]
