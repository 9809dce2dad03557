"""Put a dataset's files of this machine where the dataset lies in its datastore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azml_tasks import model
from azml_tasks.azure.connection import login_of
from azml_tasks.azure.datastores import opened_by_identity
from azml_tasks.errors import ServiceError

if TYPE_CHECKING:
    from azureml.core import Workspace

_STORAGE = "https://storage.azure.com"
_STORAGE_VERSION = "2021-08-06"


def files_to_upload(name: str, dataset: model.Dataset, directory: Path) -> list[tuple[Path, str]]:
    """Return each file of the dataset's `local_path` with its path in the datastore.

    Raises ServiceError when the file says no one place for them.
    """
    if dataset.local_path is None:
        raise ServiceError(f"the dataset '{name}' has no local_path, so there is nothing to upload")
    if len(dataset.paths) != 1:
        raise ServiceError(f"the dataset '{name}' has several paths; to upload its local_path it needs one")
    local, target = directory / dataset.local_path, dataset.paths[0]
    if local.is_file():
        return [(local, _file_target(local, target))]
    files = [(file, str(PurePosixPath(_folder(target), file.relative_to(local).as_posix()))) for file in _walk(local)]
    if not files:
        raise ServiceError(f"the dataset '{name}': there are no files at its local_path {dataset.local_path}")
    return files


def upload(ws: Workspace, datastore: Any, files: list[tuple[Path, str]]) -> None:
    """Write the files into the datastore, over what is there."""
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
            "Authorization": f"Bearer {login_of(ws)(_STORAGE)}",
            "x-ms-version": _STORAGE_VERSION,
            "x-ms-blob-type": "BlockBlob",
        },
        timeout=(20, 600),
    )
    response.raise_for_status()


def _walk(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.rglob("*")) if file.is_file())


def _folder(target: str) -> str:
    """Return the part of a path before its first pattern."""
    parts = PurePosixPath(target).parts
    fixed = next((place for place, part in enumerate(parts) if re.search(r"[*?\[]", part)), len(parts))
    return "/".join(parts[:fixed])


def _file_target(local: Path, target: str) -> str:
    folder = _folder(target)
    if target.endswith("/") or folder != str(PurePosixPath(target)):
        return str(PurePosixPath(folder, local.name))
    return folder
