"""The names that scripts import from azureml.exceptions."""

from __future__ import annotations

from azml_local.sdk import names

__getattr__ = names(
    __name__,
    {
        "ActivityFailedException": "errors",
        "AuthenticationException": "errors",
        "AzureMLAggregatedException": "errors",
        "AzureMLException": "errors",
        "ComputeTargetException": "errors",
        "DatasetTimestampMissingError": "errors",
        "DiscoveryUrlNotFoundException": "errors",
        "ExperimentExecutionException": "errors",
        "ModelNotFoundException": "errors",
        "ModelPathNotFoundException": "errors",
        "ParallelRunException": "errors",
        "ProjectSystemException": "errors",
        "RunConfigurationException": "errors",
        "RunEnvironmentException": "errors",
        "ServiceException": "errors",
        "SnapshotException": "errors",
        "TrainingException": "errors",
        "UserErrorException": "errors",
        "WebserviceException": "errors",
        "WorkspaceException": "errors",
        "WorkspacePrivateEndpointException": "errors",
    },
)
