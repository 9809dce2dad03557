"""The contents of snapshots, kept by their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import os
from itertools import count
from pathlib import Path

from azml_tasks.snapshot import Snapshot

_CHUNK = 1 << 20
_serial = count()


class FileChangedError(Exception):
    """A file changed between being hashed and being kept."""


class ObjectStore:
    """The contents of snapshots, kept so that a run is of the files as they were when it began."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, snapshot: Snapshot) -> None:
        """Keep the content of every file of the snapshot.

        Raises ChangedError, OSError.
        """
        for place, digest in snapshot.hashes.items():
            if not os.path.exists(self._path(digest)):
                self._add(snapshot.files[place], digest)

    def stage(self, snapshot: Snapshot, folder: Path) -> None:
        """Write the snapshot's files into a new folder, as copies that may be changed.

        Raises ChangedError, OSError.
        """
        folder.mkdir(parents=True)
        made = {""}
        for place, digest in snapshot.hashes.items():
            parent = place.rpartition("/")[0]
            if parent not in made:
                (folder / parent).mkdir(parents=True, exist_ok=True)
                made.add(parent)
            kept, target = self._path(digest), folder / place
            try:
                _copy(kept, target, digest)
            except (OSError, FileChangedError):
                # The folder of contents may be deleted at any time, and a power cut may leave empty files in it; the
                # project's file serves unless it changed.
                _copy(snapshot.files[place], target, digest)
                with contextlib.suppress(OSError):
                    os.unlink(kept)

    def _path(self, digest: str) -> str:
        return os.path.join(self._folder, digest[:2], digest[2:])

    def _add(self, source: Path, digest: str) -> None:
        path = self._path(digest)
        partial = f"{path}.{os.getpid()}.{next(_serial)}.partial"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _copy(source, partial, digest)
            os.replace(partial, path)
        except FileNotFoundError:
            # Deleted while it was made, unless it is the source that is gone.
            if not source.exists():
                raise
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe in its place is empty, and not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _copy(source: str | Path, target: str | Path, digest: str) -> None:
    """Copy a file that must have that content.

    Raises ChangedError, OSError.
    """
    total = hashlib.sha256()
    with open(source, "rb", opener=_open_without_waiting) as reader, open(target, "wb") as writer:
        while chunk := reader.read(_CHUNK):
            total.update(chunk)
            writer.write(chunk)
    if total.hexdigest() != digest:
        raise FileChangedError(str(source))
