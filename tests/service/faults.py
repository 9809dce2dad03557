"""Faults that a test asks for: a refused request, a connection that breaks, an answer that is not the service's."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from .message import Answer, Request, refusal_document, reply

MESSAGES = {
    429: ("TooManyRequests", "Too many requests; try again later."),
    500: ("InternalServerError", "The service failed."),
    503: ("ServiceUnavailable", "The service is not available at the moment."),
}


@dataclass
class Fault:
    """Answer the next `times` requests that match with a failure.

    With `before_effect` the request changes nothing; else it takes effect and only its answer is
    lost, which is what a client that tries again must notice. `status` 0 drops the connection. With a `body`, that is
    the answer, as a proxy may give it; `is_cut` is the service's own answer without its second half.
    """

    method: str
    path: str
    """A regular expression that is searched in host + path, without regard to case."""
    status: int = 503
    retry_after: int | None = None
    times: int = 1
    before_effect: bool = True
    skip: int = 0
    """How many matching requests to let pass first."""
    body: bytes | None = None
    kind: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False

    def strikes(self, request: Request) -> bool:
        """Say whether this request fails, and count it."""
        if self.times <= 0 or self.method not in ("*", request.method):
            return False
        if not re.search(self.path, request.host + request.path, re.IGNORECASE):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True

    def answer(self, real: Answer | None = None) -> Answer | None:
        """Give the failing answer, None for a dropped connection; `real` is the service's, where it took effect."""
        if self.is_cut and real is not None:
            headers = {name: value for name, value in real.headers.items() if name.lower() != "content-length"}
            return Answer(real.status, real.body[: len(real.body) // 2], headers)
        if self.body is not None:
            return Answer(self.status, self.body, {"Content-Type": self.kind, **self.headers})
        if self.status == 0:
            return None
        code, message = MESSAGES.get(self.status, ("UserError", f"Refused with {self.status}."))
        headers = {} if self.retry_after is None else {"Retry_After": str(self.retry_after)}
        return reply(refusal_document(code, message), self.status, **headers)
