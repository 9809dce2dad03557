"""A workspace in the stand-in of Azure ML, which the commands of a scenario share."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# What is done to the service before a command.
Preparation = Callable[[Any], None]


class Workspace:
    """The service, the variables that lead the SDK to it, and what was asked of it since the last command."""

    def __init__(self, service: Any, variables: dict[str, str]) -> None:
        self._service = service
        self.variables = variables

    @classmethod
    @contextlib.contextmanager
    def opened(cls, folder: Path, home: Path) -> Iterator[Workspace]:
        from tests.service.environment import variables
        from tests.service.service import Service

        service = Service(folder)
        try:
            yield cls(service, variables(service, home))
        finally:
            service.stop()
            service.close()
            service.verify()

    def prepare(self, preparation: Preparation | None) -> None:
        if preparation:
            preparation(self._service)
        self._service.requests.clear()

    def requests(self) -> list[str]:
        """Return which requests were made, without polling; their order and number depend on threads."""
        self._service.settle()
        found = self._service.requests.without_polling()
        return sorted({f"{record.method} {record.route}: {record.status}" for record in found})
