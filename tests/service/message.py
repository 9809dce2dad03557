"""What goes over the wire: a request, the answer to it, and the record that is kept of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """One HTTP request, its path decoded, its query as name -> last value."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        """Parse the body; an empty one is None."""
        return json.loads(self.body) if self.body else None


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


def reply(document: Any, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON; `headers` are written with underscores for dashes."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json; charset=utf-8", **named})


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake
    """The service says no; carries the status and the text the service would send."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.answer = reply(refusal_document(code, message), status, **headers)


def refusal_document(code: str, message: str) -> dict[str, Any]:
    """Write an error as all services of Azure ML do (`azureml._restclient.models.ErrorResponse`)."""
    return {"error": {"code": code, "message": message}}


@dataclass(frozen=True)
class Record:
    """A request that arrived and the status of its answer; 0 means that the connection was dropped."""

    request: Request
    status: int
    route: str
    """The name of the handler, '' for an unknown route or a fault."""
    polling: bool

    @property
    def method(self) -> str:
        return self.request.method

    @property
    def host(self) -> str:
        return self.request.host

    @property
    def path(self) -> str:
        return self.request.path

    @property
    def body(self) -> bytes:
        return self.request.body

    def __str__(self) -> str:
        return f"{self.method} {self.host}{self.path} -> {self.status}"
