"""Blob datastores of the workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.changes import Change
from azml_tasks.azure.failures import MissingError, is_missing
from azml_tasks.errors import ServiceError, did_you_mean, listed

if TYPE_CHECKING:
    from azureml.core import Workspace

_SECRETS = ("the account key", "the SAS token")


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
    """Register a blob container, or point the registered one at another place or secret.

    Without key and token it is opened by the identity of whoever reads it. No secret is kept or shown.
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
        return Change("datastore", name, "updated", f"{listed(changed)} changed", dry)


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
        if not (written.account_key or written.sas_token):  # the service hides them, or there are none
            different = [what for what in different if what not in _SECRETS]
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
    """Take a datastore out until it is gone; an empty answer, which is the service's, may be another's, too."""
    for _ in range(2):
        try:
            registered.unregister()
        except Exception as error:  # see registered_datastore
            if not is_missing(error):
                raise
            return  # taken out by another command, or by a try whose effect did not show yet
        if registered_datastore(ws, name) is None:
            return
    raise ServiceError(f"the datastore '{name}' is still there; another command may be registering it")


def opened_by_identity(datastore: Any) -> bool:
    """Say whether a datastore has no secret of its own, so that whoever reads it must be let in."""
    return not (getattr(datastore, "account_key", None) or getattr(datastore, "sas_token", None))


def _differences(name: str, registered: Any, container: str, account: str, key: str, token: str) -> list[str]:
    if registered.datastore_type != "AzureBlob":
        raise ServiceError(
            f"the datastore '{name}' is registered as {registered.datastore_type}, not as a blob container: "
            "give yours another name, or unregister it first"
        )
    pairs = {
        "the container": (registered.container_name, container),
        "the account": (registered.account_name, account),
        # Where the service hides a secret from us, it cannot be compared and is set again.
        _SECRETS[0]: (registered.account_key or "", key),
        _SECRETS[1]: ((registered.sas_token or "").lstrip("?"), token.lstrip("?")),
    }
    return [what for what, (before, after) in pairs.items() if before != after]
