"""Where a dataset's files are on this machine, and the folders for those that a script downloads or mounts."""

from __future__ import annotations

import os
import posixpath

from ..context import current
from ..errors import UserErrorException
from ..formats import files as formats
from . import blobs
from .datastore import AzureBlobDatastore, DataPath, DataReference, root_of


def for_this_step() -> str:
    """Return a new folder that goes when the step has ended: for mounts and downloads."""
    return _new("temporary")


def for_a_dataset() -> str:
    """Return a new folder that stays with the step's run, since a dataset in it may be registered."""
    return _new("datasets")


def _new(name: str) -> str:
    import tempfile

    context = current()
    if context is not None:
        parent = os.path.join(context.step_dir, name)
        os.makedirs(parent, exist_ok=True)
        return tempfile.mkdtemp(prefix="", dir=parent)
    import atexit
    import shutil

    path = tempfile.mkdtemp(prefix="azml-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def existing(patterns: list[str]) -> list[str]:
    """Return the files of paths, folders and patterns, in order; raises if there are none."""
    found = list(dict.fromkeys(file for pattern in patterns for file in _matching(pattern)))
    if not found:
        raise UserErrorException(f"no file at {' or '.join(map(_shown, patterns))}")
    return found


def _shown(pattern: str) -> str:
    if not blobs.is_address(pattern):
        return pattern
    datastore, path = blobs.parts_of(pattern)
    return f"{path or '/'} of the datastore {datastore!r}"


def pairs(patterns: list[str]) -> list[tuple[str, str]]:
    """Return the files, each with its name in `to_path()` and `download()`; raises if there are none."""
    existing(patterns)
    named, folders = {}, []
    for pattern in patterns:
        names, folder = _names(pattern)
        named.update(names)
        folders.append(folder)
    try:
        base = os.path.commonpath(folders)
    except ValueError:  # Of a datastore and of the web.
        return [(file, os.path.basename(name)) for file, name in named.items()]
    return [(file, os.path.relpath(name, base or os.curdir)) for file, name in named.items()]


def _names(pattern: str) -> tuple[dict[str, str], str]:
    """Return the names of a pattern's files, by the files, and the folder that the names are relative to."""
    if blobs.is_address(pattern):
        datastore, path = blobs.parts_of(pattern)
        found = _blobs(pattern)
        return {file: f"/{datastore}/{name}" for name, file in found.items()}, (
            f"/{datastore}/{blobs.folder_of(path, list(found))}".rstrip("/")
        )
    fixed = formats.fixed_folder(pattern)
    return {file: file for file in _matching(pattern)}, fixed if os.path.isdir(fixed) else os.path.dirname(fixed)


def _blobs(address: str) -> dict[str, str]:
    datastore, path = blobs.parts_of(address)
    context = current()
    return blobs.blobs(datastore, root_of(context, datastore), path) if context else {}


def local(path: object) -> list[str]:
    """Return where a dataset's `path` argument is: datastore paths, several of them, or web addresses.

    Raises UserErrorException for a path of this machine, as the SDK does: Azure could not see it.
    """
    given = path if isinstance(path, list) else [path]
    if not given:
        raise _invalid()
    # All of them by their names in the datastore, if one of them is of a declared dataset: names are compared.
    by_name = any(not isinstance(one, str) and _is_declared(one) for one in given)
    return [_local(one, by_name) for one in given]


def datastore_path(target: object) -> tuple[AzureBlobDatastore, str]:
    """Return the datastore and the path of a `target` argument: a datastore, a tuple or a DataPath."""
    if isinstance(target, AzureBlobDatastore):
        return target, ""
    if isinstance(target, tuple) and len(target) == 2 and isinstance(target[0], AzureBlobDatastore):
        return target[0], str(target[1])
    if isinstance(target, DataPath):
        return target._datastore, target.path_on_datastore or ""
    if isinstance(target, DataReference):
        return target.datastore, target.path_on_datastore or ""
    raise _invalid()


def _is_declared(path: object) -> bool:
    datastore, relative = datastore_path(path)
    return blobs.is_declared(datastore.name, relative)


def _local(path: object, by_name: bool) -> str:
    if isinstance(path, str):
        if path.lower().startswith(("http://", "https://")):
            return _downloaded(path)
        raise _invalid()
    datastore, relative = datastore_path(path)
    return blobs.address(datastore.name, relative) if by_name else datastore.local_path(relative)


def _matching(pattern: str) -> list[str]:
    if blobs.is_address(pattern):
        return list(_blobs(pattern).values())
    return formats.files([pattern])


def _downloaded(address: str) -> str:
    """Download a file from a URL of the script; returns its local path."""
    import urllib.request

    target = os.path.join(for_a_dataset(), posixpath.basename(address.partition("?")[0]) or "file")
    with urllib.request.urlopen(address) as answer, open(target, "wb") as file:  # noqa: S310 - checked to be http
        while chunk := answer.read(1 << 20):
            file.write(chunk)
    return target


def _invalid() -> UserErrorException:
    return UserErrorException("path must be a URL, a DataPath, a tuple of a datastore and a path, or a list of them")
