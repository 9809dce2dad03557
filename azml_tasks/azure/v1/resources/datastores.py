"""Blob datastores of the workspace, and the upload of files into them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azml_tasks.azure.errors import MissingError, is_missing
from azml_tasks.azure.v1.client.connection import login_of, service_calls
from azml_tasks.backend import Change
from azml_tasks.errors import ServiceError
from azml_tasks.runs.changes.differences import Difference, difference
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azureml.core import Workspace


def find_datastore(ws: Workspace, name: str) -> Any:
    """Return a datastore of the workspace.

    Raises MissingError.
    """
    with service_calls(f"looking up the datastore '{name}'"):
        found = registered_datastore(ws, name)
        if found is None:
            raise MissingError(
                f"the workspace '{ws.name}' has no datastore '{name}'{did_you_mean(name, ws.datastores)}"
            )
        return found


def registered_datastore(ws: Workspace, name: str) -> Any | None:
    """Return a datastore of the workspace, if it is there."""
    from azureml.core import Datastore

    with service_calls(f"looking up the datastore '{name}'"):
        try:
            return Datastore.get(ws, name)
        except Exception as error:  # by the age of the service UserErrorException or HttpOperationError
            if is_missing(error):
                return None
            raise


def register_datastore(
    ws: Workspace,
    name: str,
    container: str,
    account: str,
    account_key: str | None = None,
    sas_token: str | None = None,
    dry: bool = False,
) -> Change:
    """Register a blob container, or update the location or secret of the registered one.

    Without key and token, the identity of the reader is used. No secret is stored or shown.
    """
    from_variables = [secret for secret in (account_key, sas_token) if secret]
    with service_calls(f"registering the datastore '{name}'", from_variables):
        registered = registered_datastore(ws, name)
        if registered is not None:
            changed = _differences(name, registered, container, account, account_key or "", sas_token or "")
            if not changed:
                return Change("datastore", name, "unchanged")
        if not dry:
            _write(ws, name, container, account, account_key, sas_token)
        if registered is None:
            return Change("datastore", name, "created", f"{container} in {account}", dry)
        return Change("datastore", name, "updated", dry=dry, differences=tuple(changed))


def _write(ws: Workspace, name: str, container: str, account: str, key: str | None, token: str | None) -> None:
    """Register or update a datastore, and do so again when it is not found as it was sent.

    Another command may take it out between the SDK's look and its update, and an empty answer, which is the service's,
    may be another's, too.
    """
    from azureml.core import Datastore

    for last in (False, False, True):
        try:
            written = Datastore.register_azure_blob_container(
                ws, name, container, account, sas_token=token, account_key=key, overwrite=True
            )
        except Exception as error:  # see registered_datastore
            if last or not is_missing(error):
                raise
            continue
        different = _differences(name, written, container, account, key or "", token or "")
        if not (written.account_key or written.sas_token):  # the service hides them, or they do not exist
            different = [one for one in different if one.kind != "secret"]
        if not different:
            return


def unregister_datastore(ws: Workspace, name: str, dry: bool = False) -> Change:
    """Take a datastore out of the workspace; its data stay where they are."""
    with service_calls(f"unregistering the datastore '{name}'"):
        registered = registered_datastore(ws, name)
        if registered is None:
            return Change("datastore", name, "unchanged", "it was not registered")
        if not dry:
            _remove(ws, name, registered)
        return Change("datastore", name, "removed", dry=dry)


def _remove(ws: Workspace, name: str, registered: Any) -> None:
    """Unregister a datastore until it is gone; an empty response may also come from a proxy."""
    for _ in range(2):
        try:
            registered.unregister()
        except Exception as error:  # see registered_datastore
            if not is_missing(error):
                raise
            return  # unregistered by another command, or by an earlier try
        if registered_datastore(ws, name) is None:
            return
    raise ServiceError(f"the datastore '{name}' still exists; another command may have registered it")


def opened_by_identity(datastore: Any) -> bool:
    """Return whether a datastore has no secret, so that readers need access themselves."""
    return not (getattr(datastore, "account_key", None) or getattr(datastore, "sas_token", None))


def _differences(name: str, registered: Any, container: str, account: str, key: str, token: str) -> list[Difference]:
    if registered.datastore_type != "AzureBlob":
        raise ServiceError(
            f"the datastore '{name}' is registered as {registered.datastore_type}, not as a blob container: use "
            "another name, or unregister it first"
        )
    pairs = {
        "container_name": (registered.container_name, container),
        "account_name": (registered.account_name, account),
    }
    # Where the service hides a secret from us, it cannot be compared and is set again.
    secrets = {
        "account_key": (registered.account_key or "", key),
        "sas_token": ((registered.sas_token or "").lstrip("?"), token.lstrip("?")),
    }
    found = [difference("datastore", what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]
    return [*found, *(Difference("secret", what, label=what) for what, pair in secrets.items() if pair[0] != pair[1])]


STORAGE = "https://storage.azure.com"
_STORAGE_VERSION = "2021-08-06"


def upload(ws: Workspace, datastore: Any, files: list[tuple[Path, str]]) -> None:
    """Write the files to the datastore, replacing existing ones."""
    for file, path in files:
        with file.open("rb") as content:
            if opened_by_identity(datastore):
                _put_with_login(ws, datastore, path, content)
            else:
                client = datastore.blob_service.get_blob_client(container=datastore.container_name, blob=path)
                client.upload_blob(content, overwrite=True)


def _put_with_login(ws: Workspace, datastore: Any, path: str, content: Any) -> None:
    # Not through the SDK, whose native uploader would open a browser for a login of its own.
    import requests

    host = f"{datastore.account_name}.blob.{datastore.endpoint or 'core.windows.net'}"
    response = requests.put(
        f"https://{host}/{datastore.container_name}/{quote(path)}",
        data=content,
        headers={
            "Authorization": f"Bearer {login_of(ws)(STORAGE)}",
            "x-ms-version": _STORAGE_VERSION,
            "x-ms-blob-type": "BlockBlob",
        },
        timeout=(20, 600),
    )
    response.raise_for_status()
