"""Where the public names of the stand-in are defined: for scripts, and for references between modules of the stand-
in."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MODULES = {
    "AbstractDataset": "data.abstract",
    "ActivityFailedException": "errors",
    "AuthenticationException": "errors",
    "AzureBlobDatastore": "data.datastore",
    "AzureMLAggregatedException": "errors",
    "AzureMLException": "errors",
    "ComputeTargetException": "errors",
    "DataPath": "data.datastore",
    "DataReference": "data.datastore",
    "DataType": "data.dataset",
    "Dataset": "data.dataset",
    "DatasetTimestampMissingError": "errors",
    "Datastore": "data.datastore",
    "DiscoveryUrlNotFoundException": "errors",
    "Experiment": "workspace.experiment",
    "ExperimentExecutionException": "errors",
    "FileDataset": "data.file_dataset",
    "FileDatasetFactory": "data.dataset",
    "Keyvault": "secrets",
    "Model": "workspace.model",
    "ModelNotFoundException": "errors",
    "ModelPathNotFoundException": "errors",
    "ParallelRunException": "errors",
    "PipelineRun": "run.pipeline_run",
    "PortDataReference": "run.pipeline_run",
    "ProjectSystemException": "errors",
    "PromoteHeadersBehavior": "formats.delimited",
    "Run": "run.run",
    "RunConfigurationException": "errors",
    "RunEnvironmentException": "errors",
    "ServiceException": "errors",
    "SnapshotException": "errors",
    "StepRun": "run.pipeline_run",
    "StepRunOutput": "run.pipeline_run",
    "TabularDataset": "data.tabular_dataset",
    "TabularDatasetFactory": "data.dataset",
    "TrainingException": "errors",
    "UserErrorException": "errors",
    "WebserviceException": "errors",
    "Workspace": "workspace.workspace",
    "WorkspaceException": "errors",
    "WorkspacePrivateEndpointException": "errors",
    "_OfflineRun": "run.offline",
    "_SubmittedRun": "run.run",
    "get_run": "run.run",
}


def provided(name: str) -> Any:
    """Return the stand-in's object for a public name of the SDK."""
    return getattr(importlib.import_module(f"{__package__}.{_MODULES[name]}"), name)
