"""Lock files: for one process at a time, until the file is closed or the process is killed.

Where the system has `flock`, that; on Windows a lock on one byte. Such a lock also keeps others from reading and
writing that byte, so it is one far behind the content, and it can only be exclusive.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# The byte that is locked on Windows.
_PLACE = 1 << 40
# On Windows who looks whether a file is locked locks it for a moment, and may meet another who looks.
_LOOKS = 5
_PAUSE = 0.01


def lock(descriptor: int) -> bool:
    """Wait until no other process has the open file locked, and lock it; False where that is not possible.

    Closing the file unlocks it, and so does the end of the process. Some network file systems have no locks.
    """
    try:
        import fcntl
    except ImportError:
        import msvcrt

        return lock_byte(msvcrt, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:
        return False
    return True


def is_locked(path: str | os.PathLike[str]) -> bool:
    """Return whether a process has locked the file, which is only read; False where that cannot be known."""
    try:
        # A pipe in its place must not be waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        return _is_locked(descriptor)
    finally:
        os.close(descriptor)


def _is_locked(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        import msvcrt

        return is_byte_locked(msvcrt, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def lock_byte(msvcrt: Any, descriptor: int) -> bool:
    """Lock the open file as Windows can; `msvcrt` is the module."""
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    try:
        while True:
            os.lseek(descriptor, _PLACE, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
            except OSError as error:
                if not _is_busy(error):
                    return False
            else:
                return True
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)


def is_byte_locked(msvcrt: Any, descriptor: int) -> bool:
    """Return whether another process has locked the file as Windows can; `msvcrt` is the module."""
    import time

    for left in range(_LOOKS - 1, -1, -1):
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            if not _is_busy(error):
                return False
            if left:
                time.sleep(_PAUSE)
            continue
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
        return False
    return True


def _is_busy(error: OSError) -> bool:
    """Return whether another has the lock: at once, or after the ten seconds that LK_LOCK waits."""
    import errno

    return error.errno in (errno.EACCES, errno.EDEADLK, getattr(errno, "EDEADLOCK", errno.EDEADLK))
