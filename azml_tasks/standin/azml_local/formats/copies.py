"""Copies of files: shared with the original where the file system can, until one of the two is changed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

# Of so many bytes on (1 GB) a copy is announced before it is made.
LARGE = 10**9
# Between two looks at whether the copy is still wanted (bytes).
_PIECE = 1 << 28
_FICLONE = 0x40049409
_MODE = 0o666


class StoppedError(Exception):
    """A copy was no longer wanted."""


def copy_file(source: str, target: str, is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Copy a file's content and time stamps to a new file that may be written to.

    Raises OSError; StoppedError when it is no longer wanted, which leaves a part of it.
    """
    number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), _MODE)
    with open(number, "wb") as written, open(source, "rb") as read:
        if not _clone(read.fileno(), number):
            while _copy_piece(read, written):
                if not is_wanted():
                    raise StoppedError
        status = os.fstat(read.fileno())
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def size_of(paths: Iterable[str]) -> int:
    """Return how large files are together, in bytes."""
    return sum(map(os.path.getsize, paths))


def size_text(size: int) -> str:
    """Return a size as text, such as `2.3 GB`."""
    return f"{size / 10**9:.1f} GB"


def _clone(source: int, target: int) -> bool:
    """Let both files share what they hold; False where the file system cannot."""
    if sys.platform != "linux":
        return False
    import fcntl

    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True


def _copy_piece(read: BinaryIO, written: BinaryIO) -> bool:
    """Copy the next piece from file to file; False at the end."""
    if hasattr(os, "copy_file_range"):
        try:
            if os.copy_file_range(read.fileno(), written.fileno(), _PIECE):
                return True
        except OSError:
            pass  # Not between these two, or not by this kernel.
    # From where it is on. Some file systems also say that they copied nothing before they have come to the end.
    piece = read.read(1 << 20)
    written.write(piece)
    return bool(piece)
