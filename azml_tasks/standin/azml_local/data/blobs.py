"""The content of a datastore on this machine: files uploaded by scripts, and the data of declared datasets.

The local data of a dataset in pipeline.yaml are the blobs at its path, with their names relative to its `local_path`. A
file that a script uploaded replaces a blob with the same name.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator

from ..context import current
from ..formats.files import expression, fixed_folder, is_pattern
from ..reads import fact

# A path of a datastore as a dataset's definition holds it, where the data of declared datasets are in it.
_SCHEME = "azureml://datastores/"
_PATHS = "/paths/"


def address(datastore: str, path: str) -> str:
    """Return a path of a datastore as one text."""
    return f"{_SCHEME}{datastore}{_PATHS}{_clean(path)}"


def is_address(path: str) -> bool:
    """Return whether that is such a text."""
    return path.startswith(_SCHEME)


def parts_of(path: str) -> tuple[str, str]:
    """Return the datastore and the path of such a text."""
    datastore, _, path = path.removeprefix(_SCHEME).partition(_PATHS)
    return datastore, path


def is_declared(datastore: str, path: str) -> bool:
    """Return whether the data of a declared dataset are at a path of a datastore, in it, or above it."""
    fixed = fixed_folder(_clean(path))
    return any(_is_below(fixed, prefix) or _is_below(prefix, fixed) for prefix, *_ in _declared(datastore))


def blobs(datastore: str, root: str, path: str) -> dict[str, str]:
    """Return the blobs at a path or pattern of a datastore, whose own folder is `root`: their files by their names."""
    path = _clean(path)
    found: dict[str, str] = {}
    for prefix, local, patterns in _declared(datastore):
        named = dict(_below(prefix, local, fixed_folder(path)))
        if path in patterns:
            # The exact path of the dataset: its local data are used, regardless of their names.
            found.update({name: file for name, file in named.items() if _fits(name, path)} or named)
        else:
            found.update({name: file for name, file in named.items() if _fits(name, path)})
    found.update({name: file for name, file in _below("", root, fixed_folder(path)) if _fits(name, path)})
    return dict(sorted(found.items()))


def place(datastore: str, path: str | None) -> str | None:
    """Return where the data of a declared dataset are that are at this path of a datastore, a file or a folder."""
    cleaned = _clean(path)
    for prefix, local, _ in _declared(datastore):
        if _is_below(cleaned, prefix):
            there = os.path.normpath(os.path.join(local, cleaned[len(prefix) :].lstrip("/")))
            if os.path.exists(there):
                return there
    return None


def folder_of(path: str, names: list[str]) -> str:
    """Return the folder that the names of the blobs at a path are relative to."""
    fixed = fixed_folder(path)
    return posixpath.dirname(fixed) if fixed in names else fixed


def _declared(datastore: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the common prefix of the blobs, the local path and the patterns of each dataset."""
    context = current()
    fact(f"data_of_datastores/{datastore}")
    for described in context.data_of_datastores.get(datastore, []) if context else ():
        paths, local = [_clean(path) for path in described["paths"]], described["local_path"]
        patterns = [path for path in paths if "*" in path]
        if len(paths) == 1 and not patterns:
            yield paths[0], local, []
            continue
        folders = [fixed_folder(path) if path in patterns else posixpath.dirname(path) for path in paths]
        folder = posixpath.commonpath(folders) if all(folders) else ""
        name = os.path.basename(local) if os.path.isfile(local) else ""
        yield posixpath.join(folder, name).rstrip("/"), local, patterns


def _below(prefix: str, local: str, wanted: str) -> Iterator[tuple[str, str]]:
    """Yield the names and the files of a local path, as far as they are at the wanted path, in it or above it."""
    if _is_below(wanted, prefix):
        rest = wanted[len(prefix) :].lstrip("/")
        start, prefix = (os.path.join(local, rest), wanted) if rest else (local, prefix)
    elif _is_below(prefix, wanted):
        start = local
    else:
        return
    if os.path.isfile(start):
        yield prefix, start
        return
    if os.path.isdir(start):
        found: Iterator[str] = (os.path.join(folder, name) for folder, _, names in os.walk(start) for name in names)
    else:
        import glob

        found = iter(sorted(glob.glob(start, recursive=True)))
        while glob.has_magic(start):
            start = os.path.dirname(start)
    for file in found:
        if os.path.isfile(file):
            yield posixpath.join(prefix, os.path.relpath(file, start).replace(os.sep, "/")), file


def _clean(path: str | None) -> str:
    cleaned = posixpath.normpath((path or "").replace("\\", "/").strip("/") or ".")
    return "" if cleaned == "." else cleaned


def _is_below(path: str, folder: str) -> bool:
    return not folder or path == folder or path.startswith(f"{folder}/")


def _fits(name: str, path: str) -> bool:
    """Return whether a blob is at a path, in it, or fits a pattern: `*` is any part of a name, `**` any part of a
    path."""
    return expression(path).fullmatch(name) is not None if is_pattern(path) else _is_below(name, path)
