"""The code of a step: its staged snapshot, the very files that the v1 step and a local run get."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.snapshot import Snapshot

_IGNORE_FILES = (".amlignore", ".gitignore")


@dataclass(frozen=True)
class Content:
    """What a file is to hold: bytes, or those of a file of the project."""

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

    v2 leaves out what an ignore file at the folder's root names (azure-ai-ml, `get_ignore_file`). The snapshot has
    been through those rules already, so a file of ours that names only itself takes their place.
    """
    for path, source in snapshot.files.items():
        if path != ".amlignore":
            yield path, Content(source, snapshot.hashes[path])
    if any(name in snapshot.files for name in _IGNORE_FILES):
        yield ".amlignore", Content.of(b".amlignore\n")
