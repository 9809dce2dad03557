"""One connection to a workspace for the whole process, and the context of every call of the SDK."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from azml_tasks.azure.auth import Tokens, login
from azml_tasks.azure.errors import MissingError, is_missing, translating_errors
from azml_tasks.azure.v1.client.sdk import quiet, require_sdk
from azml_tasks.checks.azure import check_workspace
from azml_tasks.errors import LoginError, ServiceError
from azml_tasks.model import Auth
from azml_tasks.reading.project import Project
from azml_tasks.text import did_you_mean, listed

if TYPE_CHECKING:
    from azureml.core import Workspace
    from azureml.core.authentication import AbstractAuthentication


@contextlib.contextmanager
def service_calls(doing: str, secrets: Iterable[str] = ()) -> Iterator[None]:
    """Use the SDK within this block: it is there, keeps quiet, survives faults, and fails with errors of ours.

    `doing` starts the sentence of a failure, such as `registering the datastore 'raw'`; nothing of `secrets` stays in
    one. Blocks nest, and cost nothing then. Raises NotInstalledError, LoginError, ServiceError.
    """
    require_sdk()
    from azml_tasks.azure.v1.client.retry import retrying

    with quiet(), retrying(), translating_errors(doing, secrets):
        yield


# Where the original wrapper created a workspace whose resource group was missing.
_LOCATION = "eastus"
_RESOURCE = "https://management.azure.com"
# What the SDK requests its tokens for, which are kept.
_OF_THE_SDK = "https://management.core.windows.net/"
# How long the server of MLflow may take to connect and to answer.
_SECONDS = (20, 60)
_SUBSCRIPTIONS = "https://management.azure.com/subscriptions?api-version=2022-12-01"

_lock = threading.RLock()
_logins: dict[Auth, tuple[AbstractAuthentication, Tokens]] = {}
_open: dict[tuple[str, ...], tuple[Workspace, Tokens]] = {}


def connect(project: Project) -> Workspace:
    """Return the project's workspace, opened once per process.

    Raises ProjectError for missing keys, LoginError, and ServiceError if the workspace does not exist: it is never
    created.
    """
    check_workspace(project)
    pipeline = project.pipeline
    return open_workspace(
        str(pipeline.ws_name),
        str(pipeline.resource_group),
        str(pipeline.subscription_id),
        auth=pipeline.auth,
        variables=project.variables,
    )


def open_workspace(
    name: str,
    resource_group: str,
    subscription_id: str,
    auth: Auth | None = None,
    variables: Mapping[str, str] | None = None,
) -> Workspace:
    """Return a workspace, opened once in this process.

    Raises LoginError, and ServiceError with the existing workspaces if it does not exist.
    """
    auth = auth or Auth()
    key = (subscription_id.lower(), resource_group.lower(), name.lower(), auth.method, auth.tenant_id or "")
    with _lock:
        if key not in _open:
            with service_calls(f"opening the workspace '{name}'"):
                credential, tokens = _login(auth, variables or os.environ)
                _open[key] = _get(name, resource_group, subscription_id, credential), tokens
        return _open[key][0]


def connect_or_create(
    name: str,
    resource_group: str,
    subscription_id: str,
    auth: Auth | None = None,
    variables: Mapping[str, str] | None = None,
) -> Workspace:
    """Return a workspace, created when it is missing; so is its resource group, in the region eastus.

    Only for the wrapper API, which promises it. Raises LoginError, ServiceError.
    """
    try:
        return open_workspace(name, resource_group, subscription_id, auth, variables)
    except MissingError:
        with _lock, service_calls(f"creating the workspace '{name}'"):
            credential, _ = _login(auth or Auth(), variables or os.environ)
            _create(name, resource_group, subscription_id, credential)
        return open_workspace(name, resource_group, subscription_id, auth, variables)


def login_of(ws: Workspace) -> Tokens:
    """Return the source of tokens of a workspace.

    Raises LoginError if it was not opened by azml_tasks.
    """
    for opened, tokens in _open.values():
        if opened is ws:
            return tokens
    raise LoginError(f"the workspace '{ws.name}' was not opened by azml_tasks, so its login cannot be used for this")


def has_data_asset(ws: Workspace, name: str) -> bool:
    """Return whether v2 has a data asset of this name; False if the login may not know."""
    import requests

    scope = f"subscriptions/{ws.subscription_id}/resourceGroups/{ws.resource_group}/providers"
    response = requests.get(
        f"{_RESOURCE}/{scope}/Microsoft.MachineLearningServices/workspaces/{ws.name}/data/{quote(name)}",
        {"api-version": "2023-10-01"},
        headers={"Authorization": f"Bearer {login_of(ws)(_OF_THE_SDK)}"},
        timeout=_SECONDS,
    )
    return response.status_code == requests.codes.ok


def mlflow_run(ws: Workspace, identifier: str) -> Mapping[str, Any]:
    """Return a run as the workspace's server of MLflow has it, with all of its metrics in one request."""
    import requests

    scope = f"subscriptions/{ws.subscription_id}/resourceGroups/{ws.resource_group}/providers"
    response = requests.get(
        f"https://{urlsplit(str(ws.discovery_url)).netloc}/mlflow/v2.0/{scope}"
        f"/Microsoft.MachineLearningServices/workspaces/{ws.name}/api/2.0/mlflow/runs/get",
        {"run_id": identifier},
        headers={"Authorization": f"Bearer {login_of(ws)(_RESOURCE)}"},
        timeout=_SECONDS,
    )
    response.raise_for_status()
    found: Mapping[str, Any] = response.json()
    return found


def _login(auth: Auth, variables: Mapping[str, str]) -> tuple[AbstractAuthentication, Tokens]:
    from azureml.core.authentication import TokenAuthentication

    if auth not in _logins:
        tokens = login(auth, variables)
        _logins[auth] = TokenAuthentication(tokens), tokens
    return _logins[auth]


def _get(name: str, group: str, subscription: str, auth: AbstractAuthentication) -> Workspace:
    from azureml.core import Workspace
    from azureml.exceptions import ProjectSystemException, UserErrorException

    try:
        return Workspace.get(name, auth=auth, subscription_id=subscription, resource_group=group)
    except ProjectSystemException as error:
        if not is_missing(error):
            raise
        raise MissingError(_what_there_is(name, group, subscription, auth)) from None
    except UserErrorException:
        others = _subscriptions(auth)
        if subscription.lower() in others:
            raise
        raise ServiceError(_no_subscription(subscription, others)) from None


def _create(name: str, group: str, subscription: str, auth: AbstractAuthentication) -> None:
    from azureml.core import Workspace
    from azureml.exceptions import WorkspaceException

    where = {"subscription_id": subscription, "resource_group": group, "auth": auth, "show_output": False}
    try:
        Workspace.create(name, create_resource_group=False, exist_ok=True, **where)
    except WorkspaceException:  # the group does not exist
        Workspace.create(name, create_resource_group=True, location=_LOCATION, exist_ok=True, **where)


def _what_there_is(name: str, group: str, subscription: str, auth: AbstractAuthentication) -> str:
    """Describe which workspaces there are instead, in the group or else in the subscription."""
    from azureml.core import Workspace

    there = {
        workspace.name: workspace.resource_group
        for found in Workspace.list(subscription, auth=auth).values()
        for workspace in found
    }
    here = [other for other, its_group in there.items() if its_group.lower() == group.lower()]
    text = f"no workspace '{name}' in the resource group '{group}'"
    if here:
        return f"{text}, which has {listed(map(repr, here))}{did_you_mean(name, here)}"
    if there:
        others = (f"'{other}' in '{its_group}'" for other, its_group in there.items())
        return f"{text}; the subscription has {listed(others)}{did_you_mean(name, there)}"
    return f"{text} or the rest of the subscription {subscription}"


def _subscriptions(auth: AbstractAuthentication) -> dict[str, str]:
    """Return the subscriptions that we may see: id in lower case, display name."""
    import requests

    response = requests.get(_SUBSCRIPTIONS, headers=auth.get_authentication_header(), timeout=60)
    response.raise_for_status()
    return {item["subscriptionId"].lower(): item["displayName"] for item in response.json()["value"]}


def _no_subscription(wanted: str, others: Mapping[str, str]) -> str:
    for identifier, name in others.items():
        if name.lower() == wanted.lower():
            return f"subscription_id must be the ID, not the name: '{wanted}' is {identifier}"
    there = listed(f"{identifier} ({name})" for identifier, name in others.items()) or "none"
    return f"this login has no access to the subscription {wanted}; it has access to {there}"
