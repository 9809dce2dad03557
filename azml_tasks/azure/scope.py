"""A context that several threads hold at once."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class SharedScope:
    """Enter a context when the first block that holds it begins, and leave it when the last one ends.

    What a context changes for the whole process, as handlers and filters are, is put back wrongly when blocks of
    several threads overlap and each puts back what it found.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._stack = contextlib.ExitStack()

    @contextlib.contextmanager
    def held(self, context: contextlib.AbstractContextManager[object]) -> Iterator[None]:
        """Hold the scope for a block; `context` is entered when nobody holds it yet, else left alone."""
        with self._lock:
            if self._holders == 0:
                self._stack.enter_context(context)
            self._holders += 1
        try:
            yield
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._stack.close()
