"""The lock that a run's runner holds while it lives.

The system lets go of it however the runner ends. It is seen where the runner's process is not: from outside of its
container, and, as Linux keeps such locks on NFS too, from another machine that shares the folder.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from azml_tasks.local.layout import RunPlaces

try:
    import fcntl
except ImportError:  # Windows, where only the process tells.
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def held(run: RunPlaces) -> Iterator[None]:
    """Hold the lock of a run, where the file system has locks."""
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                file = stack.enter_context(run.lock.open("wb"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def is_held(run: RunPlaces) -> bool:
    """Say whether the runner of a run lives, here or elsewhere."""
    if fcntl is None:
        return False
    try:
        with run.lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # There is none, or it tells nothing.
    return False
