"""One client of a workspace for the whole process, and what each of its calls is wrapped in.

Microsoft's client (azure-ai-ml) retries most requests. What it does not survive is repeated here, the whole call: an
outage of more than its three seconds, a dropped POST, an interrupted upload. So each call must be safe to repeat:
what it makes has a name of ours.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata, util
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from azml_tasks.azure.answers import list_of, object_with, unexpected
from azml_tasks.azure.auth import Tokens, login
from azml_tasks.azure.errors import (
    MissingError,
    from_elsewhere,
    is_missing,
    status_of,
    translating_errors,
)
from azml_tasks.azure.v2.client.history import History, region_of
from azml_tasks.checks.azure import check_workspace
from azml_tasks.errors import AzmlError, LoginError, NotInstalledError
from azml_tasks.model import Auth
from azml_tasks.packages import OLDEST_CLIENT, install_command
from azml_tasks.reading import Project
from azml_tasks.text import did_you_mean, listed

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import AccessToken

T = TypeVar("T")

_MODULES = ("azure.ai.ml", "azure.identity")
# Statuses that pass; the client gives up on them after four tries.
_FAULTS = frozenset((408, 429, 500, 502, 503, 504))
_DROPPED = ("ServiceRequestError", "ServiceResponseError", "ServiceRequestTimeoutError", "ServiceResponseTimeoutError")
# The storage's answer to an upload that it has taken already, which a new try of the whole call passes over.
_UPLOADED = "BlobAlreadyExists"
# How Azure Resource Manager says that the workspace does not exist, or its resource group, in place of what is in it.
_NO_WORKSPACE = re.compile(
    r"Resource 'Microsoft\.MachineLearningServices/workspaces/[^/']+' under resource group"
    r"|parent resource '[^']*/workspaces/[^/']+'|\bResourceGroupNotFound\b",
    re.IGNORECASE,
)
_UNTRUSTED = ("CERTIFICATE_VERIFY_FAILED", "certificate verify failed")


@dataclass(frozen=True)
class RetryPolicy:
    """How long to wait before each repetition of a call, in seconds; longer than that, an outage is an error."""

    waits: tuple[float, ...] = (0, 2, 8, 20, 40)
    sleep: Callable[[float], None] = time.sleep


PATIENCE = RetryPolicy()
# What changes the whole process (its streams, its logging) is done by one thread at a time.
_lock = threading.RLock()
_is_imported = threading.Event()


def check_client() -> None:
    """Check that the client can be imported.

    Raises NotInstalledError with the command that installs it.
    """
    install = install_command("azure-v2")
    if not all(_is_there(name) for name in _MODULES):
        raise NotInstalledError(f"Microsoft's client for Azure ML v2 (azure-ai-ml) is not installed: run {install}")
    version = metadata.version("azure-ai-ml")
    if tuple(map(int, version.split(".")[:2])) < OLDEST_CLIENT:
        oldest = ".".join(map(str, OLDEST_CLIENT))
        raise NotInstalledError(f"azure-ai-ml {version} is too old; {oldest} or later is required: run {install}")


def require_client() -> None:
    """Import the client, without its warnings. Raises what `check_client` raises."""
    if _is_imported.is_set():
        return
    check_client()
    with _lock, _quiet():
        for name in _MODULES:
            importlib.import_module(name)
        _is_imported.set()


def _is_there(module: str) -> bool:
    try:
        return util.find_spec(module) is not None
    except ModuleNotFoundError:  # a package above it is missing
        return False


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the client's warnings and log messages; they are logged if the log level is DEBUG.

    All logging is switched off, because some of its loggers have levels and handlers of their own.
    """
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if logging.root.getEffectiveLevel() > logging.DEBUG:
            logging.disable(logging.CRITICAL)
        try:
            yield
        finally:
            logging.disable(before)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Hide what the client prints, too: bars, dots, colours and empty lines."""
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        _quiet(),
    ):
        yield


class Credential:
    """Our login, as the client takes it."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._last = ""

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        """Return a token; `claims` are what Azure asks for when it has rejected one. Raises LoginError."""
        if claims and self._last:
            self._tokens.renewed(self._last)
        token = self._tokens.access_token(scopes[0].removesuffix("/.default"))
        self._last = token.token
        return token

    def renew(self) -> bool:
        """Replace a rejected token; returns whether there is another one. Raises LoginError."""
        return bool(self._last) and self._tokens.renewed(self._last) not in (None, self._last)


class Client:
    """A workspace of Azure ML, through Microsoft's client and the run history."""

    def __init__(self, subscription_id: str, resource_group: str, workspace: str, tokens: Tokens) -> None:
        self.workspace = workspace
        self.resource_group = resource_group
        self.subscription_id = subscription_id
        self._tokens = tokens
        self.credential = Credential(tokens)

    @cached_property
    def ml(self) -> MLClient:
        """Microsoft's client; its calls go through `call`."""
        require_client()
        from azure.ai.ml import MLClient

        with _silent():
            return MLClient(
                self.credential,
                self.subscription_id,
                self.resource_group,
                self.workspace,
                # Without its bars, which go nowhere, the client waits forever for a file whose upload failed.
                show_progress=True,
                enable_telemetry=False,
                raw_response_hook=_check_answer,
            )

    @property
    def scope(self) -> str:
        """The workspace's id in Azure Resource Manager."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    @cached_property
    def history(self) -> History:
        """The runs of the workspace. Raises LoginError, and ServiceError if the workspace does not exist."""
        address = self.call(f"opening the workspace '{self.workspace}'", self._tracking_address)
        return History(region_of(address), self.scope, self._tokens)

    def _tracking_address(self) -> str:
        try:
            return str(self.ml.workspaces.get(self.workspace).mlflow_tracking_uri)
        except Exception as error:
            if not is_missing(error):
                raise
            raise MissingError(self._what_there_is()) from None

    def _what_there_is(self) -> str:
        text = f"no workspace '{self.workspace}' in the resource group '{self.resource_group}'"
        there = sorted(str(workspace.name) for workspace in self.ml.workspaces.list())
        return f"{text}, which has {listed(map(repr, there))}{did_you_mean(self.workspace, there)}" if there else text

    def call(self, doing: str, ask: Callable[[], T], secrets: Iterable[str] = ()) -> T:
        """Return what the client answers, silently, and ask again after a failure that may pass.

        `doing` starts the message of an error; nothing of `secrets` stays in one. Raises LoginError, ServiceError.
        """
        with _lock, translating_errors(doing, secrets):
            _ = self.ml
            for wait in (*PATIENCE.waits, None):
                try:
                    with _silent():
                        return ask()
                except AzmlError:
                    raise
                except Exception as error:
                    if status_of(error) == 401 and self.credential.renew():
                        continue
                    if _lacks_workspace(error):
                        raise MissingError(self._what_there_is()) from None
                    if wait is None or not is_passing(error):
                        raise
                    PATIENCE.sleep(wait)
        raise LoginError(f"{doing} failed: Azure rejects every token; log in again, with `az login` or new credentials")


# What the client reads of the answers of Azure Resource Manager, whose every resource has an id and properties. A step
# of a pipeline is a job without properties.
_RESOURCE = object_with("id", properties=object_with())
_RESOURCES = object_with(value=list_of(_RESOURCE))
_ANSWERS = (
    (r"GET .*/jobs/[^/]+", object_with("id")),
    (r"GET .*/\w+Operations?Status/.*", object_with("status")),
    (r"GET .*/workspaces(/[^/]+/[^/]+(/[^/]+/[^/]+)?)?", _RESOURCES),
    (r"(GET|PUT) .*/workspaces/[^/]+(/[^/]+/[^/]+(/[^/]+/[^/]+)?)?", _RESOURCE),
    (r"POST .*/startPendingUpload", object_with("blobReferenceForConsumption")),
    (r"POST .*/listSecrets", object_with("secretsType")),
    (r"(GET|PUT) .*", object_with()),
)


def _check_answer(answer: Any) -> None:
    """Raise DecodeError if it is not Azure Resource Manager that accepted a request, but a proxy or a login page."""
    from azure.core.exceptions import DecodeError

    request, response = answer.http_request, answer.http_response
    address = urlsplit(request.url)
    if response.status_code not in (200, 201) or not (address.hostname or "").startswith("management."):
        return
    route = f"{request.method} {address.path.rstrip('/')}"
    check = next((check for pattern, check in _ANSWERS if re.fullmatch(pattern, route, re.IGNORECASE)), None)
    if request.method == "PUT" and "Azure-AsyncOperation" in response.headers:
        check = object_with()  # what it made is asked for when the operation has ended
    body = response.read() if hasattr(response, "read") else response.body()
    what = unexpected(body, check or object_with()) if body or check else ""
    if what:
        raise DecodeError(message=from_elsewhere(f"{response.status_code} {response.reason or ''}".rstrip(), what))


def is_absent(error: BaseException) -> bool:
    """Return whether an error means that something does not exist, also by the client's own look at a list."""
    there_is_none = is_missing(error) or str(getattr(error, "error_type", "")).endswith("RESOURCE_NOT_FOUND")
    return there_is_none and not _lacks_workspace(error)


def _lacks_workspace(error: BaseException) -> bool:
    return any(_NO_WORKSPACE.search(str(link)) for link in _chain(error))


def found_or_none(ask: Callable[[], T]) -> T | None:
    """Return what is asked for; None if it does not exist."""
    try:
        return ask()
    except Exception as error:
        if not is_absent(error):
            raise
        return None


def is_passing(error: BaseException) -> bool:
    """Return whether the same call may succeed later."""
    for link in _chain(error):
        if any(text in str(link) for text in _UNTRUSTED):
            return False
        if type(link).__name__ in _DROPPED or _UPLOADED in str(getattr(link, "error_code", "")):
            return True
        status = getattr(link, "status_code", None)
        if isinstance(status, int):
            return status in _FAULTS or (status == 409 and _UPLOADED in str(link))
    return False


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the error and those that it was raised from, whichever way the client keeps them."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        waiting += [getattr(current, "inner_exception", None), current.__cause__, current.__context__]


_logins: dict[Auth, Tokens] = {}
_open: dict[tuple[str, ...], Client] = {}


def connect(project: Project) -> Client:
    """Return the client of the project's workspace, the same one in the whole process; nothing is asked yet.

    Raises ProjectError for missing keys, and NotInstalledError.
    """
    check_workspace(project)
    pipeline = project.pipeline
    where = str(pipeline.subscription_id), str(pipeline.resource_group), str(pipeline.ws_name)
    key = (*(part.lower() for part in where), pipeline.auth.method, pipeline.auth.tenant_id or "")
    with _lock:
        if key not in _open:
            if pipeline.auth not in _logins:
                _logins[pipeline.auth] = login(pipeline.auth, project.variables)
            _open[key] = Client(*where, _logins[pipeline.auth])
        return _open[key]
