"""Put things into a workspace without the SDK, as if someone had registered them before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .routes.computes import compute_document
from .state import Compute, Dataset, DatasetVersion, Datastore, SavedDataset, Workspace, storage_document
from .tables import dataflow, read_delimited


def add_environment(workspace: Workspace, name: str, pip_packages: Sequence[str]) -> None:
    """Register an environment's next version."""
    versions = workspace.environments.setdefault(name, {})
    version = str(len(versions) + 1)
    versions[version] = {
        "name": name,
        "version": version,
        "python": {
            "interpreterPath": "python",
            "userManagedDependencies": False,
            "condaDependencies": {
                "name": "project_environment",
                "channels": ["conda-forge"],
                "dependencies": ["python=3.10", {"pip": list(pip_packages)}],
            },
        },
        "environmentVariables": {},
        "docker": {"baseImage": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04", "enabled": False},
        "spark": None,
        "inferencingStackVersion": None,
    }


def add_datastore(workspace: Workspace, name: str, container: str, account: str, key: str | None) -> None:
    """Register a blob datastore."""
    document = storage_document(name, "AzureBlob", account, container, key)
    workspace.datastores[name] = Datastore(name, document)


def add_compute(workspace: Workspace, name: str, vm_size: str, min_nodes: int, max_nodes: int) -> None:
    """Make a cluster."""
    scale = {"minNodeCount": min_nodes, "maxNodeCount": max_nodes}
    settings = {"vmSize": vm_size, "scaleSettings": scale}
    body = {"location": workspace.location, "properties": {"computeType": "AmlCompute", "properties": settings}}
    workspace.computes[name] = Compute(name, compute_document(workspace, name, body))


def add_dataset(
    workspace: Workspace, name: str, datastore: str, path: str, column_types: Mapping[str, str] | None
) -> None:
    """Register the next version of a dataset, of the CSV files at a path; files when without types."""
    dataset = workspace.datasets.setdefault(name, Dataset(name, workspace.identifiers.new("dataset")))
    transformations: list[Mapping[str, Any]] | None = None
    if column_types is not None:
        types = [{"columns": column, "column_type": kind} for column, kind in column_types.items()]
        transformations = [read_delimited(), {"convert_column_types": types}]
    text = dataflow(workspace, datastore, path, transformations)
    kind = "file" if column_types is None else "tabular"
    saved = SavedDataset(workspace.identifiers.new("saved dataset"), kind, text)
    workspace.saved_datasets[saved.id] = saved
    dataset.versions.append(DatasetVersion(len(dataset.versions) + 1, saved, {}, None))
