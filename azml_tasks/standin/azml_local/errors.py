"""The SDK's exceptions, in the SDK's tree, with a text that is one sentence.

AzureMLException
├── AzureMLAggregatedException       several refusals of one request, a line each
├── UserErrorException               the script asked for something that is not there or not allowed
│   ├── AuthenticationException
│   └── LocalRunException            ours: what only Azure can do
├── RunEnvironmentException          no run to be found, and allow_offline=False
├── WebserviceException              models, mostly: an unknown name or version
├── ModelNotFoundException
├── ModelPathNotFoundException
└── ...                              those that scripts name in an `except` and a local run never raises
"""

from __future__ import annotations


class AzureMLException(Exception):  # noqa: N818 - the SDK's name
    """The base of the SDK's exceptions."""

    def __init_subclass__(cls) -> None:
        # A traceback names what the script can import, and a worker process can send it back.
        cls.__module__ = "azureml.exceptions"

    def __init__(self, exception_message, inner_exception=None, target=None, details=None, **kwargs):
        super().__init__(exception_message)
        self.message = exception_message
        self.inner_exception = inner_exception

    def __str__(self) -> str:
        return str(self.message)


class AzureMLAggregatedException(AzureMLException):
    """Several messages in one exception, a line each."""

    def __init__(self, exceptions_list, **kwargs):
        super().__init__("\n".join(exceptions_list), **kwargs)


class UserErrorException(AzureMLException):
    """The script asked for something that is not there or not allowed."""


class AuthenticationException(UserErrorException):
    """A login failed."""


class LocalRunException(UserErrorException):
    """The script asked for something that only Azure can do."""


class RunEnvironmentException(AzureMLException):
    """There is no submitted run around this process."""

    def __init__(self, **kwargs):
        super().__init__(
            "this process is no submitted run; start it with `invoke run`, or allow an offline run", **kwargs
        )


class WebserviceException(AzureMLException):
    """A model or a web service is not there, or was asked for wrongly."""

    def __init__(self, exception_message, status_code=None, logger=None, **kwargs):
        super().__init__(exception_message, **kwargs)
        self.status_code = status_code


class ModelNotFoundException(AzureMLException):
    """No such model or version."""

    def __init__(self, exception_message, logger=None, **kwargs):
        super().__init__(exception_message, **kwargs)


class ModelPathNotFoundException(AzureMLException):
    """The files to register as a model are not among the run's files."""

    def __init__(self, exception_message, logger=None, **kwargs):
        super().__init__(exception_message, **kwargs)


class DatasetTimestampMissingError(AzureMLException):
    """A time filter on a dataset without timestamp columns."""


class ActivityFailedException(AzureMLException):
    """A run that was waited for failed."""


class ComputeTargetException(AzureMLException):
    """A compute target is not there."""


class DiscoveryUrlNotFoundException(AzureMLException):
    """An address of the service is not known."""


class ExperimentExecutionException(AzureMLException):
    """An experiment could not be run."""


class ParallelRunException(AzureMLException):
    """A parallel run step failed."""


class ProjectSystemException(AzureMLException):
    """The project could not be read."""


class RunConfigurationException(AzureMLException):
    """A run configuration is wrong."""


class ServiceException(AzureMLException):
    """The service refused a request."""


class SnapshotException(AzureMLException):
    """A snapshot could not be taken."""


class TrainingException(AzureMLException):
    """Training failed."""


class WorkspaceException(AzureMLException):
    """A workspace is not there."""


class WorkspacePrivateEndpointException(AzureMLException):
    """A private endpoint of a workspace is wrong."""
