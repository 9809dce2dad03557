"""Which handler answers a request: host, method and path template -> function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .message import Request

ARM = "management.azure.com"
LOGIN = "login.microsoftonline.com"
LOCATION = "eastus"
REGION = f"{LOCATION}.api.azureml.ms"
"""The one host behind which all data-plane services of the region stand."""
ANY_STORAGE = "*.blob.core.windows.net"

_SCOPE = (
    "/subscriptions/{subscription}/resourceGroups/{group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{workspace}"
)

Handler = Callable[..., Any]


@dataclass(frozen=True)
class Route:
    """One operation of the service."""

    method: str
    host: re.Pattern[str]
    path: re.Pattern[str]
    handler: Handler
    polling: bool
    """Whether clients ask this again and again while they wait, so that tests count it apart."""
    public: bool
    """Whether it is answered without a login."""

    @property
    def name(self) -> str:
        return f"{self.handler.__module__.rpartition('.')[2]}.{self.handler.__name__}"


class Routes:
    """A list of routes that modules fill with decorators.

    A template's `{name}` is one segment of the path, `{name:path}` any number, and `{ws}` the
    scope of a workspace (subscription, resource group, name).
    """

    def __init__(self) -> None:
        self._routes: list[Route] = []

    def __iter__(self) -> Iterator[Route]:
        return iter(self._routes)

    def on(
        self, method: str, host: str, template: str, *, polling: bool = False, public: bool = False
    ) -> Callable[[Handler], Handler]:
        """Register the decorated function for the requests that match."""
        path = _pattern(template.replace("{ws}", _SCOPE))
        host_pattern = re.compile(re.escape(host).replace(r"\*", r"[^.]+"), re.IGNORECASE)

        def register(handler: Handler) -> Handler:
            self._routes.append(Route(method, host_pattern, path, handler, polling, public))
            return handler

        return register

    def find(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        """Give the first route that matches, with the values of its template's names."""
        for route in self._routes:
            if route.method != request.method or not route.host.fullmatch(request.host):
                continue
            match = route.path.fullmatch(request.path)
            if match:
                return route, {k: v for k, v in match.groupdict().items() if v is not None}
        return None


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)(:path)?\}", template)
    text = re.escape(parts[0])
    for name, deep, literal in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        text += f"(?P<{name}>{'.*' if deep else '[^/]+'})" + re.escape(literal)
    return re.compile(text, re.IGNORECASE)


routes = Routes()
"""All operations; the modules of `tests.service.routes` fill it when they are imported."""
