"""The SDK's exceptions, in the SDK's hierarchy, also for operations that only Azure supports."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn, TypeVar

    C = TypeVar("C")


class AzureMLException(Exception):  # noqa: N818 - the SDK's name
    """The base of the SDK's exceptions."""

    def __init_subclass__(cls) -> None:
        # The names in a traceback can be imported, and a worker process can return the exception.
        cls.__module__ = "azureml.exceptions"

    def __init__(
        self,
        exception_message: str,
        inner_exception: BaseException | None = None,
        target: object = None,
        details: object = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(exception_message)
        self.message = exception_message
        self.inner_exception = inner_exception

    def __str__(self) -> str:
        return str(self.message)


class AzureMLAggregatedException(AzureMLException):
    """Several messages in one exception, a line each."""

    def __init__(self, exceptions_list: Iterable[str], **kwargs: Any) -> None:
        super().__init__("\n".join(exceptions_list), **kwargs)


class UserErrorException(AzureMLException):
    """The script used something that does not exist or is not allowed."""


class AuthenticationException(UserErrorException):
    """A login failed."""


class LocalRunException(UserErrorException):
    """The script used an operation that only Azure supports."""


class RunEnvironmentException(AzureMLException):
    """This process is not a submitted run."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            "this process is not a submitted run; start it with `invoke run`, or allow an offline run", **kwargs
        )


class WebserviceException(AzureMLException):
    """A model or a web service does not exist, or the request was invalid."""

    def __init__(
        self, exception_message: str, status_code: int | None = None, logger: object = None, **kwargs: Any
    ) -> None:
        super().__init__(exception_message, **kwargs)
        self.status_code = status_code


class ModelNotFoundException(AzureMLException):
    """No such model or version."""

    def __init__(self, exception_message: str, logger: object = None, **kwargs: Any) -> None:
        super().__init__(exception_message, **kwargs)


class ModelPathNotFoundException(AzureMLException):
    """The files to register as a model are not among the run's files."""

    def __init__(self, exception_message: str, logger: object = None, **kwargs: Any) -> None:
        super().__init__(exception_message, **kwargs)


class DatasetTimestampMissingError(AzureMLException):
    """A time filter on a dataset without timestamp columns."""


class ActivityFailedException(AzureMLException):
    """A run that was waited for failed."""


class ComputeTargetException(AzureMLException):
    """A compute target is not there."""


class DiscoveryUrlNotFoundException(AzureMLException):
    """A URL of the service is unknown."""


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


def is_in_job() -> bool:
    """Return whether this process is a job of Azure ML v2, which azml_tasks/launcher/ has started."""
    return bool(os.environ.get("AZML_RUN_JOB"))


def refusal(what: str) -> LocalRunException:
    """Return the exception for something that a local run, or a job of Azure ML v2, does not do."""
    if is_in_job():
        return LocalRunException(f"{what} is not possible in a job on Azure ML v2; use MLClient of azure-ai-ml instead")
    return LocalRunException(f"{what} is not possible: a local run never connects to Azure")


def refuses(*names: str) -> Callable[[type[C]], type[C]]:
    """Add methods to a class that always raise, static or not, for any arguments."""

    def decorate(cls: type[C]) -> type[C]:
        for name in names:
            setattr(cls, name, _Refused(cls.__name__, name))
        return cls

    return decorate


class _Refused:
    """A method that refuses; on a class and on an instance alike."""

    refused = True

    def __init__(self, owner: str, name: str) -> None:
        self.__name__ = name
        self.__qualname__ = f"{owner}.{name}"

    def __call__(self, *args: object, **kwargs: object) -> NoReturn:
        raise refusal(self.__qualname__)
