"""Registered datasets: tables and files in a datastore."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks import model
from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.changes import Change, Outcome
from azml_tasks.azure.dataset_definition import differences, make_dataset
from azml_tasks.azure.datastores import find_datastore, registered_datastore
from azml_tasks.azure.failures import MissingError, is_missing
from azml_tasks.azure.uploads import files_to_upload, upload
from azml_tasks.errors import did_you_mean, listed

if TYPE_CHECKING:
    from azureml.core import Workspace


def find_dataset(ws: Workspace, name: str, version: int | str = "latest") -> Any:
    """Return a registered dataset.

    Raises MissingError.
    """
    with service_calls(f"looking up the dataset '{name}'"):
        found = _registered(ws, name, version)
        if found is None:
            there = [registration.name for registration in ws.datasets.registrations]
            if name in there:
                raise MissingError(f"the dataset '{name}' has no version {version} in the workspace '{ws.name}'")
            raise MissingError(f"the workspace '{ws.name}' has no dataset '{name}'{did_you_mean(name, there)}")
        return found


def register_dataset(
    ws: Workspace,
    name: str,
    wanted: model.Dataset,
    directory: Path,
    upload_first: bool = False,
    dry: bool = False,
) -> Change:
    """Make the newest version of a dataset the wanted one; a version is added when they differ and only then.

    The column types of delimited files are found in the data, as the SDK does, where the file does not state them: a
    table of all text would be another one for the scripts. Raises MissingError for a datastore that is not there, and
    ServiceError when there is nothing to read.
    """
    with service_calls(f"registering the dataset '{name}'"):
        files = files_to_upload(name, wanted, directory) if upload_first else []
        registered = _registered(ws, name)
        existed = registered is not None
        datastore = registered_datastore(ws, str(wanted.datastore_name))
        if dry and (files or datastore is None):  # the data are not there to be read yet
            reason = _counted(files, "to upload") if files else f"once the datastore '{wanted.datastore_name}' is there"
            return Change("dataset", name, "updated" if existed else "created", reason, dry=True)
        if datastore is None:
            datastore = find_datastore(ws, str(wanted.datastore_name))  # says which there are
        if files:
            upload(ws, datastore, files)
        made, remarks = make_dataset(name, wanted, datastore, directory)
        changed = [] if registered is None else differences(registered, wanted, made)
        if not dry:
            registered = _written(ws, name, wanted, registered, made, changed)
        details = [_counted(files, "uploaded")] if files else []
        details += [f"version {registered.version}"] if registered else []
        details += [f"{listed(changed)} changed"] if changed else []
        return Change("dataset", name, _outcome(existed, changed), "; ".join([*details, *remarks]), dry)


def _written(ws: Workspace, name: str, wanted: model.Dataset, registered: Any, made: Any, changed: list[str]) -> Any:
    """Write what differs, and return the newest version."""
    from azureml.exceptions import UserErrorException

    words = {"description": wanted.description, "tags": dict(wanted.tags)}
    if registered is None:
        # Refused where another command has registered the name meanwhile, which would else be a second version.
        with contextlib.suppress(UserErrorException):
            return made.register(ws, name, **words)
        registered = _registered(ws, name)
        changed = ["the definition"] if registered is None else differences(registered, wanted, made)
    if "the definition" in changed:
        return made.register(ws, name, **words, create_new_version=True)
    if changed:
        registered.update(description=wanted.description, tags=dict(wanted.tags) or None)
    return registered


def _outcome(existed: bool, changed: list[str]) -> Outcome:
    if not existed:
        return "created"
    return "updated" if changed else "unchanged"


def _registered(ws: Workspace, name: str, version: int | str = "latest") -> Any | None:
    from azureml.core import Dataset
    from azureml.exceptions import UserErrorException

    try:
        return Dataset.get_by_name(ws, name, version)
    except UserErrorException as error:
        if is_missing(error):
            return None
        raise


def _counted(files: list[Any], done: str) -> str:
    return f"{len(files)} {'file' if len(files) == 1 else 'files'} {done}"
