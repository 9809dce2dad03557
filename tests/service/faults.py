"""Faults that a test asks for: a refused request, or a connection that breaks."""

from __future__ import annotations

import re
from dataclasses import dataclass

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
    lost, which is what a client that tries again must notice. `status` 0 drops the connection.
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

    def answer(self) -> Answer | None:
        """Give the failing answer, None for a dropped connection."""
        if self.status == 0:
            return None
        code, message = MESSAGES.get(self.status, ("UserError", f"Refused with {self.status}."))
        headers = {} if self.retry_after is None else {"Retry_After": str(self.retry_after)}
        return reply(refusal_document(code, message), self.status, **headers)
