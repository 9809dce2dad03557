"""The names that scripts import from azureml.exceptions."""

from __future__ import annotations

from azml_local.sdk.finder import names

__getattr__ = names(
    __name__,
    (
        "ActivityFailedException",
        "AuthenticationException",
        "AzureMLAggregatedException",
        "AzureMLException",
        "ComputeTargetException",
        "DatasetTimestampMissingError",
        "DiscoveryUrlNotFoundException",
        "ExperimentExecutionException",
        "ModelNotFoundException",
        "ModelPathNotFoundException",
        "ParallelRunException",
        "ProjectSystemException",
        "RunConfigurationException",
        "RunEnvironmentException",
        "ServiceException",
        "SnapshotException",
        "TrainingException",
        "UserErrorException",
        "WebserviceException",
        "WorkspaceException",
        "WorkspacePrivateEndpointException",
    ),
)
