"""Lay a snapshot's files into a folder of their own, for the SDK to hash and send."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath

from azml_tasks.snapshot import Snapshot

_IGNORE_FILES = (".amlignore", ".gitignore")


def stage(snapshot: Snapshot, folder: Path) -> Path:
    """Put the files of the snapshot, and nothing else, under the folder and return it.

    The SDK leaves out what an ignore file at the folder's root names (azureml-core, _project/ignore_file.py). The
    snapshot has been through those rules already, so a file of ours that names only itself takes their place.
    """
    folder.mkdir(parents=True)
    for path, source in snapshot.files.items():
        if path != ".amlignore":
            target = folder / PurePosixPath(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(source, target)
    if any(name in snapshot.files for name in _IGNORE_FILES):
        (folder / ".amlignore").write_text(".amlignore\n", encoding="utf-8")
    return folder


def _place(source: Path, target: Path) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)
