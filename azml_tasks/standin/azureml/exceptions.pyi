from typing import Any

from azml_local.errors import ActivityFailedException as ActivityFailedException
from azml_local.errors import AuthenticationException as AuthenticationException
from azml_local.errors import AzureMLAggregatedException as AzureMLAggregatedException
from azml_local.errors import AzureMLException as AzureMLException
from azml_local.errors import ComputeTargetException as ComputeTargetException
from azml_local.errors import DatasetTimestampMissingError as DatasetTimestampMissingError
from azml_local.errors import DiscoveryUrlNotFoundException as DiscoveryUrlNotFoundException
from azml_local.errors import ExperimentExecutionException as ExperimentExecutionException
from azml_local.errors import ModelNotFoundException as ModelNotFoundException
from azml_local.errors import ModelPathNotFoundException as ModelPathNotFoundException
from azml_local.errors import ParallelRunException as ParallelRunException
from azml_local.errors import ProjectSystemException as ProjectSystemException
from azml_local.errors import RunConfigurationException as RunConfigurationException
from azml_local.errors import RunEnvironmentException as RunEnvironmentException
from azml_local.errors import ServiceException as ServiceException
from azml_local.errors import SnapshotException as SnapshotException
from azml_local.errors import TrainingException as TrainingException
from azml_local.errors import UserErrorException as UserErrorException
from azml_local.errors import WebserviceException as WebserviceException
from azml_local.errors import WorkspaceException as WorkspaceException
from azml_local.errors import WorkspacePrivateEndpointException as WorkspacePrivateEndpointException

# Any other name is one of the SDK.
def __getattr__(name: str) -> Any: ...
