"""Copies of files: shared with the original where the file system can, until one of the two is changed."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

# Copies of at least this size (1 GB) are announced.
LARGE = 10**9
# Between two looks at whether the copy is still wanted (bytes).
_PIECE = 1 << 28
_FICLONE = 0x40049409
_FIDEDUPERANGE = 0xC0189436
# The offset, length and count of a range, then the file, offset, shared bytes and status of the other one.
_DEDUPE = "=QQHHIqQQiI"
# As much as btrfs compares at once (bytes).
_COMPARED = 1 << 24
_CANNOT = {errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.EPERM, errno.ENOSYS, errno.EXDEV}
_MODE = 0o666


class StoppedError(Exception):
    """A copy was no longer wanted."""


def copy_file(source: str, target: str, is_wanted: Callable[[], bool] = lambda: True) -> None:
    """Copy a file's content and time stamps to a new file that may be written to.

    Raises OSError; StoppedError if stopped, which leaves a partial file.
    """
    number = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), _MODE)
    with open(number, "wb") as written, open(source, "rb") as read:
        if not _clone(read.fileno(), number):
            while _copy_piece(read, written):
                if not is_wanted():
                    raise StoppedError
        status = os.fstat(read.fileno())
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


def share_content(source: str, target: str, advance: Callable[[int], None] = lambda count: None) -> bool:
    """Let an equal file share the content of another; False if the file system cannot.

    The kernel compares them, and keeps the time stamps. `advance` gets how many bytes more were compared, and may raise
    to stop. Raises OSError.
    """
    if sys.platform != "linux":
        return False
    import fcntl
    import struct

    with _opened(source) as first, _opened(target) as second:
        size, offset = os.fstat(first.fileno()).st_size, 0
        while offset < size == os.fstat(second.fileno()).st_size:
            length = min(_COMPARED, size - offset)
            asked = bytearray(struct.pack(_DEDUPE, offset, length, 1, 0, 0, second.fileno(), offset, 0, 0, 0))
            try:
                fcntl.ioctl(first.fileno(), _FIDEDUPERANGE, asked)
            except OSError as error:
                if error.errno in _CANNOT:
                    return False
                raise
            shared, status = struct.unpack(_DEDUPE, asked)[7:9]
            if -status in _CANNOT:
                return False
            if status or not shared:
                return True  # They differ.
            offset += shared
            advance(shared)
    return True


def _opened(path: str) -> BinaryIO:
    """Open a file for reading, but not the target of a link."""
    return os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb", buffering=0)


def size_of(paths: Iterable[str]) -> int:
    """Return how large files are together, in bytes."""
    return sum(map(os.path.getsize, paths))


def size_text(size: int) -> str:
    """Return a size as text, such as `2.3 GB`."""
    return f"{size / 10**9:.1f} GB"


def progress_text(done: int, total: int) -> str:
    """Return how far something is, such as `3.1 of 12.0 GB`."""
    unit, name = (10**9, "GB") if total >= 10**9 else (10**6, "MB")
    return f"{done / unit:.1f} of {total / unit:.1f} {name}"


def _clone(source: int, target: int) -> bool:
    """Let both files share their content; False if the file system cannot."""
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
