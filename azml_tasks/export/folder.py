"""Write the files of an export, including the steps' code, without overwriting edited files."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from azml_tasks.errors import AzmlError
from azml_tasks.snapshot import Snapshot, hash_file
from azml_tasks.snapshot.files import is_inside, leads_out

_IGNORE_FILES = (".amlignore", ".gitignore")


@dataclass(frozen=True)
class Content:
    """The content of a file: bytes, or those of a project file."""

    source: bytes | Path
    digest: str

    @classmethod
    def of(cls, text: bytes) -> Content:
        """Return the content that is made of bytes."""
        return cls(text, hashlib.sha256(text).hexdigest())

    def read(self) -> bytes:
        """Return the bytes.

        Raises OSError.
        """
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()


def code_files(snapshot: Snapshot) -> Iterator[tuple[str, Content]]:
    """Yield the files of a step's folder by their posix path in it.

    v2 leaves out what an ignore file at the folder's root names (azure-ai-ml, `get_ignore_file`). Those rules were
    already applied to the snapshot, so an ignore file that lists only itself replaces them.
    """
    for path, source in snapshot.files.items():
        if path != ".amlignore":
            yield path, Content(source, snapshot.hashes[path])
    if any(name in snapshot.files for name in _IGNORE_FILES):
        yield ".amlignore", Content.of(b".amlignore\n")


FOLDER = "azureml-v2"
# The written files, by path and SHA-256, to detect edited files.
WRITTEN = ".written.json"

Outcome = Literal["created", "updated", "unchanged", "removed", "kept", "left"]


@dataclass(frozen=True)
class FileChange:
    """The change to a file of the export (not made with `dry`); `path` is relative to the folder."""

    path: str
    outcome: Outcome
    dry: bool = False

    @property
    def done(self) -> str:
        """The outcome in words."""
        if self.outcome == "kept":
            return "not overwritten, because it was edited; delete it to export it again"
        if self.outcome == "left":
            return "no longer part of the export, but not deleted, because it was edited"
        return self.outcome if self.outcome == "unchanged" or not self.dry else f"would be {self.outcome}"


def write(directory: Path, files: Mapping[str, Content], dry: bool = False) -> list[FileChange]:
    """Write the files of the export to its folder and return the changes.

    Files of an earlier export that are no longer needed are removed; edited and foreign files are kept. Raises
    AzmlError if something cannot be read or written.
    """
    folder = directory / FOLDER
    _check_links(directory, folder, files)
    try:
        return _write(folder, files, dry)
    except OSError as error:
        place = os.path.relpath(error.filename or folder, directory)
        raise AzmlError(f"{place} cannot be read or written: {error.strerror}") from None


def _check_links(directory: Path, folder: Path, files: Mapping[str, Content]) -> None:
    """Refuse to write through links to outside the folder or the project.

    Raises AzmlError.
    """
    if leads_out(folder, directory):
        raise AzmlError(f"{FOLDER} is a link to outside the project; delete the link and export again")
    parents = {parent for path in files for parent in PurePosixPath(path).parents}
    for parent in sorted(parents):
        if leads_out(folder / parent, folder):
            message = f"{FOLDER}/{parent} is a link to outside {FOLDER}; delete the link and export again"
            raise AzmlError(message)


def _write(folder: Path, files: Mapping[str, Content], dry: bool) -> list[FileChange]:
    before = _written(folder)
    changes = [
        FileChange(path, _outcome(folder / path, before.get(path), content.digest), dry)
        for path, content in files.items()
    ]
    changes += [
        FileChange(path, "removed" if _digest(folder / path) == digest else "left", dry)
        for path, digest in before.items()
        if path not in files and (folder / path).is_file()
    ]
    if not dry:
        for change in changes:
            if change.outcome in ("created", "updated"):
                _put(folder / change.path, files[change.path].read())
            elif change.outcome == "removed":
                _remove(folder, change.path)
        _remember(folder, files, before, changes)
    return changes


def _outcome(file: Path, before: str | None, wanted: str) -> Outcome:
    there = _digest(file)
    if there is None:
        return "created"
    if there == wanted:
        return "unchanged"
    return "updated" if there == before else "kept"


def _digest(file: Path) -> str | None:
    """Return the SHA-256 of a file's content, None where there is none."""
    try:
        return hash_file(str(file))
    except FileNotFoundError:
        return None


def _put(file: Path, content: bytes) -> None:
    """Write a file atomically, so that a partial one is not mistaken for an edited file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    # What is there may be a link.
    beside.unlink(missing_ok=True)
    with beside.open("xb") as opened:
        opened.write(content)
    os.replace(beside, file)


def _remove(folder: Path, path: str) -> None:
    (folder / path).unlink()
    for parent in (folder / path).relative_to(folder).parents[:-1]:
        with contextlib.suppress(OSError):  # it holds something else
            (folder / parent).rmdir()


def _written(folder: Path) -> dict[str, str]:
    """Return what earlier exports have written; nothing if unknown, so that everything is kept."""
    try:
        stored = json.loads((folder / WRITTEN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict):
        return {}
    # Entries of the list cannot lead out of the folder, neither by their text nor by a link.
    inside = (path for path in stored if is_inside(path) and not leads_out((folder / path).parent, folder))
    return {path: str(stored[path]) for path in inside}


def _remember(folder: Path, files: Mapping[str, Content], before: Mapping[str, str], changes: list[FileChange]) -> None:
    written = {}
    for change in changes:
        if change.outcome in ("kept", "left"):
            if change.path in before:
                written[change.path] = before[change.path]
        elif change.outcome != "removed":
            written[change.path] = files[change.path].digest
    text = json.dumps(written, indent=1, sort_keys=True) + "\n"
    if not (folder / WRITTEN).is_file() or (folder / WRITTEN).read_text(encoding="utf-8") != text:
        _put(folder / WRITTEN, text.encode())
