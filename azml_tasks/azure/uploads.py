"""Which files of a dataset are uploaded, and to which paths of its datastore."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from azml_tasks import model
from azml_tasks.checks.places import holds_runs
from azml_tasks.errors import ServiceError


def files_to_upload(name: str, dataset: model.Dataset, directory: Path) -> list[tuple[Path, str]]:
    """Return each file of the dataset's `local_path` with its path in the datastore.

    Raises ServiceError if the file has no single location for them.
    """
    if dataset.local_path is None:
        raise ServiceError(f"the dataset '{name}' has no local_path, so there is nothing to upload")
    if len(dataset.paths) != 1:
        raise ServiceError(f"the dataset '{name}' has several paths; uploading its local_path requires a single path")
    if holds_runs(directory, dataset.local_path):
        raise ServiceError(f"the dataset '{name}': the project's own runs (.azml) are in {dataset.local_path}")
    local, target = directory / dataset.local_path, dataset.paths[0]
    if local.is_file():
        return [(local, _file_target(local, target))]
    files = [(file, str(PurePosixPath(_folder(target), file.relative_to(local).as_posix()))) for file in _walk(local)]
    if not files:
        raise ServiceError(f"the dataset '{name}': no files at its local_path {dataset.local_path}")
    return files


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


def counted_files(files: list[tuple[Path, str]], done: str) -> str:
    """Return how many files were uploaded: `1 file uploaded`."""
    return f"{len(files)} {'file' if len(files) == 1 else 'files'} {done}"
