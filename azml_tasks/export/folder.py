"""Write the files of an export, and leave alone what a user has made of them since."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from azml_tasks.errors import AzmlError
from azml_tasks.export.code import Content
from azml_tasks.snapshot import hash_file
from azml_tasks.snapshot.include import is_inside
from azml_tasks.snapshot.links import leads_out

FOLDER = "azureml-v2"
# What was written, by path and SHA-256, so that it can be told from what was changed by hand.
WRITTEN = ".written.json"

Outcome = Literal["created", "updated", "unchanged", "removed", "kept", "left"]


@dataclass(frozen=True)
class Change:
    """What became of a file of the export; with `dry` it only would become that. `path` starts at the folder."""

    path: str
    outcome: Outcome
    dry: bool = False

    @property
    def done(self) -> str:
        """The outcome in words."""
        if self.outcome == "kept":
            return "kept as it is, since it was changed by hand; delete it to have it written anew"
        if self.outcome == "left":
            return "no longer part of the export, and left since it was changed by hand"
        return self.outcome if self.outcome == "unchanged" or not self.dry else f"would be {self.outcome}"


def write(directory: Path, files: Mapping[str, Content], dry: bool = False) -> list[Change]:
    """Make the folder of the export hold the files, and say what became of each.

    What an earlier export wrote and this one does not is removed; what was changed by hand since, or was never ours, is
    kept. Raises AzmlError where something cannot be read or written.
    """
    folder = directory / FOLDER
    _check_links(directory, folder, files)
    try:
        return _write(folder, files, dry)
    except OSError as error:
        place = os.path.relpath(error.filename or folder, directory)
        raise AzmlError(f"{place} cannot be read or written: {error.strerror}") from None


def _check_links(directory: Path, folder: Path, files: Mapping[str, Content]) -> None:
    """Refuse to write where a link leads out of the folder, or the folder itself out of the project.

    Raises AzmlError.
    """
    if leads_out(folder, directory):
        raise AzmlError(f"{FOLDER} is a link that leads out of the project; delete the link, and export again")
    parents = {parent for path in files for parent in PurePosixPath(path).parents}
    for parent in sorted(parents):
        if leads_out(folder / parent, folder):
            message = f"{FOLDER}/{parent} is a link that leads out of {FOLDER}; delete the link, and export again"
            raise AzmlError(message)


def _write(folder: Path, files: Mapping[str, Content], dry: bool) -> list[Change]:
    before = _written(folder)
    changes = [
        Change(path, _outcome(folder / path, before.get(path), content.digest), dry) for path, content in files.items()
    ]
    changes += [
        Change(path, "removed" if _digest(folder / path) == digest else "left", dry)
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
    """Write a file in one move, so that one that is cut short is not taken for a change by hand."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f"{file.name}.part")
    # What lies there may be a link.
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
    """Return what the exports before have written; nothing where that cannot be told, so that all is kept."""
    try:
        stored = json.loads((folder / WRITTEN).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError, RecursionError):
        return {}
    if not isinstance(stored, dict):
        return {}
    # Nothing that someone may have put into the list leads out of the folder, neither by its text nor by a link.
    inside = (path for path in stored if is_inside(path) and not leads_out((folder / path).parent, folder))
    return {path: str(stored[path]) for path in inside}


def _remember(folder: Path, files: Mapping[str, Content], before: Mapping[str, str], changes: list[Change]) -> None:
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
