"""The model registry: `<models>/<name>/<version>/` with model.json and the files, put there in one step."""

from __future__ import annotations

import datetime
import os
import shutil
import time

from .. import reads, records
from ..errors import WebserviceException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..protocols import Json

_RECORD = "model.json"
_FILES = "files"
_DELETED = ".deleted"  # after a version's number, so that it is not used again


class Entry:
    """One version of a model."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.name = os.path.basename(os.path.dirname(path))
        self.version = int(os.path.basename(path))
        self.described = records.load(os.path.join(path, _RECORD))

    def is_whole(self) -> bool:
        """Return whether the record of a model is valid; invalid ones are skipped."""
        described = self.described
        texts = all(isinstance(described.get(key), str) for key in ("file", "created_time"))
        pairs = all(isinstance(described.get(key) or {}, dict) for key in ("tags", "properties"))
        datasets = described.get("datasets") or []
        references = isinstance(datasets, list) and all(isinstance(one, list) and len(one) == 2 for one in datasets)
        whole = texts and pairs and references and os.path.basename(described["file"]) == described["file"]
        if whole:
            try:
                datetime.datetime.fromisoformat(described["created_time"])
            except ValueError:
                whole = False
        if not whole:
            records.pass_over(os.path.join(self._path, _RECORD))
        return whole

    def changed(self, more: Json) -> Entry:
        """Write changes to the record; returns the entry as it is then."""
        records.write(os.path.join(self._path, _RECORD), {**self.described, **more})
        return Entry(self._path)

    def copy_to(self, folder: str, exist_ok: bool) -> str:
        """Copy the model's file or folder into a folder; returns the copy's path."""
        source = os.path.join(self._path, _FILES, self.described["file"])
        target = os.path.join(folder, self.described["file"])
        if os.path.exists(target) and not exist_ok:
            raise WebserviceException(f"{target} already exists; pass exist_ok=True to overwrite it")
        os.makedirs(folder, exist_ok=True)
        _copy(source, target)
        return target

    def delete(self) -> None:
        """Delete the version; its number is not reused."""
        grave = self._path + _DELETED
        os.makedirs(grave, exist_ok=True)
        doomed = os.path.join(grave, str(time.monotonic_ns()))
        os.rename(self._path, doomed)
        shutil.rmtree(doomed)


def add(models_dir: str, name: str, source: str, described: Json, child_paths: list[str] | None = None) -> Entry:
    """Copy a file or folder, or only its `child_paths`, to the registry as the next version."""
    folder = os.path.join(models_dir, name)
    partial = os.path.join(folder, f".{os.getpid()}.{time.monotonic_ns()}")
    source = os.path.abspath(source)
    file = os.path.basename(source)
    try:
        for child in child_paths or [""]:
            _copy(
                os.path.join(source, child) if child else source,
                os.path.join(partial, _FILES, file, child).rstrip("/\\"),
            )
        made = _finished(folder, partial, {**described, "file": file})
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    records.record_read(made._path)
    return made


@reads.quietly
def _finished(folder: str, partial: str, described: Json) -> Entry:
    """Turn the copy into a version; choosing its number is not recorded as a read."""
    record = {**described, "created_time": records.now().replace("Z", "+00:00")}
    records.write(os.path.join(partial, _RECORD), record)
    version = max(_numbers(folder), default=0) + 1
    while not _moved(partial, os.path.join(folder, str(version))):
        version += 1
    return Entry(os.path.join(folder, str(version)))


def entries(models_dir: str, name: str | None = None) -> list[Entry]:
    """Return the versions of a model, or of all, the newest first."""
    if name is None and not os.path.isdir(models_dir):
        return []
    names = os.listdir(models_dir) if name is None else [name]
    found = []
    for model in names:
        folder = os.path.join(models_dir, model)
        versions = [v for v in os.listdir(folder) if v.isdecimal()] if os.path.isdir(folder) else []
        known = (Entry(os.path.join(folder, version)) for version in versions)
        found += [entry for entry in known if entry.is_whole()]
    return sorted(found, key=lambda entry: (entry.described["created_time"], entry.version), reverse=True)


def _numbers(folder: str) -> list[int]:
    names = [name.removesuffix(_DELETED) for name in os.listdir(folder)]
    return [int(name) for name in names if name.isdecimal()]


def _moved(partial: str, target: str) -> bool:
    """Put a finished version in its place; False when another took the number."""
    if os.path.exists(target) or os.path.exists(target + _DELETED):
        return False
    try:
        os.rename(partial, target)
    except OSError:
        if os.path.exists(target):
            return False
        raise
    return True


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
