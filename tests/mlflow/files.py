"""Describe the files of a run, without what differs each time."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

# Whose content differs each time: ids, times, pickled names.
_VOLATILE = re.compile(r"MLmodel|.*\.(html|pkl|png)|registered_model_meta")


def files_in(folder: Path) -> dict[str, str]:
    """Return the files below a folder with digests of their contents, where these are the same each time."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (
            "" if is_volatile(path.name) else hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        )
        for path in paths
    }


def is_volatile(name: str) -> bool:
    """Return whether the content of a file with this name or path differs each time."""
    return _VOLATILE.fullmatch(name.rpartition("/")[2]) is not None
