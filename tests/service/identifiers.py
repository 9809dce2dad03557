"""Identifiers and times as the service makes them; identifiers are the same in every run of a test."""

from __future__ import annotations

import datetime
import itertools
import threading
import uuid

_SPACE = uuid.UUID("5f0d5b4e-7a53-4d0c-9a35-7c1d8a1f9b10")


class Identifiers:
    """Give a new identifier for each thing of a kind, in order."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._counter = itertools.count(1)
        self._lock = threading.Lock()

    def new(self, kind: str) -> str:
        """Make an identifier that no other thing has."""
        with self._lock:
            number = next(self._counter)
        return stable_id(f"{self._seed}/{kind}/{number}")


def stable_id(text: str) -> str:
    """Make the same identifier from the same text."""
    return str(uuid.uuid5(_SPACE, text))


def now() -> str:
    """Write the present time as the services do."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
