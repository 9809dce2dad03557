"""Files with one JSON object a line that a step's own processes append to at the same time."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def append_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Append records in one write, under the lock that the stand-in for azureml uses.

    Raises OSError.
    """
    data = b"".join(json.dumps(record, allow_nan=False).encode() + b"\n" for record in records)
    if not data:
        return
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(path, flags, 0o644)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags, 0o644)
    try:
        _lock(descriptor)
        size = os.lseek(descriptor, 0, os.SEEK_END)
        if size:
            # A full disk can leave half a line: the next record starts on a line of its own.
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":
                data = b"\n" + data
        while data:
            data = data[os.write(descriptor, data) :]
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """Keep other writers away until the file is closed, where the system can."""
    with contextlib.suppress(ImportError, OSError):  # Windows, and some network file systems
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def time_text(milliseconds: int) -> str:
    """Return a time in milliseconds since 1970 as the records have it."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        moment = _EPOCH
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{moment.microsecond:06d}Z"


def milliseconds_of(text: object) -> int:
    """Return the milliseconds since 1970 of a time in a record; 0 if it is not one."""
    try:
        moment = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return 0
