"""Where a dataset's files lie on this machine."""

from __future__ import annotations

import os
import posixpath

from .context import current
from .datastore import AzureBlobDatastore, DataPath, DataReference
from .errors import UserErrorException
from .reads import fact

_WILD = "*?"


def files(patterns: list[str]) -> list[str]:
    """Return the files that paths, folders and patterns name, those of each in the order of their names."""
    found: list[str] = []
    for pattern in patterns:
        found += [path for path in _matching(pattern) if path not in found]
    return found


def existing(patterns: list[str]) -> list[str]:
    """Return the files as `files` does; raises when there is none."""
    found = files(patterns)
    if not found:
        raise UserErrorException(f"there is no file at {' or '.join(patterns)}")
    return found


def base(patterns: list[str]) -> str:
    """Return the folder that the files' names are relative to, as `to_path()` and `download()` show them."""
    folders = []
    for pattern in patterns:
        fixed = pattern
        while any(character in fixed for character in _WILD):
            fixed = os.path.dirname(fixed)
        folders.append(fixed if os.path.isdir(fixed) else os.path.dirname(fixed))
    return os.path.commonpath(folders)


def local(path) -> list[str]:
    """Return where a dataset's `path` argument lies: datastore paths, several of them, or web addresses.

    Raises UserErrorException for a path of this machine, as the SDK does: Azure could not see it.
    """
    given = path if isinstance(path, list) else [path]
    if not given:
        raise _invalid()
    return [_local(one) for one in given]


def datastore_path(target) -> tuple[AzureBlobDatastore, str]:
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


def _local(path) -> str:
    if isinstance(path, str):
        if path.lower().startswith(("http://", "https://")):
            return _downloaded(path)
        raise _invalid()
    datastore, relative = datastore_path(path)
    return _declared(datastore, relative) or datastore.local_path(relative)


def _declared(datastore: AzureBlobDatastore, relative: str) -> str | None:
    """Return the local path of a declared dataset that lies there, when the datastore's own folder has nothing."""
    context = current()
    wanted = posixpath.normpath(relative)
    if context is None or os.path.exists(datastore.local_path(relative)):
        return None
    fact("datasets")
    for described in context.datasets.values():
        paths = described.get("path") or []
        paths = [paths] if isinstance(paths, str) else paths
        if described.get("datastore_name") == datastore.name and wanted in map(posixpath.normpath, paths):
            return described.get("local_path")
    return None


def _matching(pattern: str) -> list[str]:
    if any(character in pattern for character in _WILD):
        import glob

        # Only * and ? are wild in a datastore's path.
        return sorted(path for path in glob.glob(pattern.replace("[", "[[]"), recursive=True) if os.path.isfile(path))
    if os.path.isdir(pattern):
        return sorted(os.path.join(folder, name) for folder, _, names in os.walk(pattern) for name in names)
    return [pattern] if os.path.isfile(pattern) else []


def _downloaded(address: str) -> str:
    """Fetch a file of the web, which is where the script said it is; returns where it lies now."""
    import urllib.request

    from . import temporary

    target = os.path.join(temporary.for_a_dataset(), posixpath.basename(address.partition("?")[0]) or "file")
    with urllib.request.urlopen(address) as answer, open(target, "wb") as file:  # noqa: S310 - checked to be http
        while chunk := answer.read(1 << 20):
            file.write(chunk)
    return target


def _invalid() -> UserErrorException:
    return UserErrorException(
        "path is a web address, a DataPath or a tuple of a datastore and a path in it, or a list of them"
    )
