"""Requests to the job's MLflow tracking server."""

from __future__ import annotations

import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from email.utils import parsedate_to_datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Json = dict[str, Any]

_TIMEOUT = 60.0
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 30.0
_LONGEST_RETRY_AFTER = 600.0
_LONGEST_MESSAGE = 300
# Of requests that may succeed later.
_AGAIN = (408, 429, 500, 502, 503, 504)


def say(sentence: str) -> None:
    """Print a line on standard error."""
    print(f"azml-tasks: {sentence}", file=sys.stderr, flush=True)


class RefusedError(Exception):
    """The server refused a request, and would again; `status` is 0 if there was no time left for an answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Tracking:
    """The tracking server of the job, where the variables of the job name one.

    A request is repeated until it is answered, or until the `deadline`, a time of `time.monotonic()`.
    """

    def __init__(self) -> None:
        try:
            parts = urllib.parse.urlsplit(os.environ.get("MLFLOW_TRACKING_URI", ""))
        except ValueError:
            parts = urllib.parse.urlsplit("")
        # As azureml-mlflow takes it.
        scheme = "https" if parts.scheme == "azureml" else parts.scheme
        self.is_there = scheme in ("http", "https")
        self._host = urllib.parse.urlunsplit((scheme, parts.netloc, "", "", ""))
        self._path = parts.path.rstrip("/")
        self._token = os.environ.get("MLFLOW_TRACKING_TOKEN", "")
        self._closing = threading.Event()
        self._deadline = float("inf")

    def close(self, seconds: float) -> None:
        """Give up each request that has no answer in this time."""
        self._deadline = time.monotonic() + seconds
        self._closing.set()

    def send(self, route: str, values: Json, made: Callable[[], Json] | None = None) -> Json:
        """Return the answer of a route such as runs/log-batch. Raises RefusedError.

        Before a request that makes something is repeated, `made` looks for what the failed one has made.
        """
        verb = "GET" if route.rpartition("/")[2].startswith("get") else "POST"
        url = f"{self._host}{self._path}/api/2.0/mlflow/{route}"
        if verb == "GET":
            return self._ask(verb, f"{url}?{urllib.parse.urlencode(values)}", None, made)
        return self._ask(verb, url, values, made)

    def send_data(self, route: str, values: Json | None = None) -> Json:
        """Return the answer of the workspace's data service, at the same host; a GET without values.

        Raises RefusedError.
        """
        start = self._path.find("/subscriptions/")
        if start < 0:
            raise RefusedError(0, "MLFLOW_TRACKING_URI has no workspace")
        verb = "GET" if values is None else "POST"
        return self._ask(verb, f"{self._host}/data/v1.0{self._path[start:]}/{route}", values)

    def _ask(self, verb: str, url: str, values: Json | None, made: Callable[[], Json] | None = None) -> Json:
        body = None if values is None else json.dumps(values).encode()
        tries = 0
        while True:
            tries += 1
            try:
                return self._answer(verb, url, body)
            except _AgainError as error:
                wait = error.wait or min(_LONGEST_WAIT, 0.5 * 2 ** min(tries, 7)) * random.uniform(0.5, 1)  # noqa: S311
                if not self._pause(wait, at_least=error.wait or _SHORTEST_WAIT):
                    raise RefusedError(0, error.reason) from None
                found = made() if made is not None else {}
                if found:
                    return found

    def _answer(self, verb: str, url: str, body: bytes | None) -> Json:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers, method=verb)  # noqa: S310 - http or https
        if self._token:
            # Not for another host, if the server redirects.
            request.add_unredirected_header("Authorization", f"Bearer {self._token}")
        timeout = max(1.0, min(_TIMEOUT, self._deadline - time.monotonic()))
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310
                found = json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                reason = f"{error.code} {self._message(error)}".rstrip()
            if error.code in _AGAIN:
                raise _AgainError(reason, _seconds(error.headers.get("Retry-After"))) from None
            raise RefusedError(error.code, reason) from None
        # Also a dropped connection, an answer that was cut off, and one that is not JSON.
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _AgainError(self._hidden(f"{type(error).__name__}: {getattr(error, 'reason', error)}")) from None
        return found if isinstance(found, dict) else {}

    def _message(self, error: urllib.error.HTTPError) -> str:
        """Return what the server says, in a line."""
        try:
            text = error.read(65536).decode("utf-8", "replace")
        except Exception:
            return ""
        try:
            values = json.loads(text)
            inner = values.get("error")
            text = str(values.get("message") or (inner.get("message") if isinstance(inner, dict) else "") or text)
        except (ValueError, AttributeError):
            pass
        return self._hidden(" ".join(text.split())[:_LONGEST_MESSAGE])

    def _hidden(self, text: str) -> str:
        return text.replace(self._token, "***") if self._token else text

    def _pause(self, seconds: float, at_least: float) -> bool:
        """Wait, and less where the deadline is near; return whether there is time to try again."""
        start = time.monotonic()
        # The deadline may come nearer meanwhile.
        self._closing.wait(seconds)
        end = min(start + seconds, self._deadline - _SHORTEST_WAIT)
        if end < start + min(seconds, at_least):
            return False
        time.sleep(max(0.0, end - time.monotonic()))
        return True


class _AgainError(Exception):
    """A request to repeat, after so many seconds if the server says it."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.wait = wait


def _seconds(text: str | None) -> float:
    """Return the seconds of a Retry-After, which may also be a date."""
    try:
        seconds = float(text or 0)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(str(text)).timestamp() - time.time()
        except (TypeError, ValueError):
            return 0.0
    return max(0.0, min(seconds, _LONGEST_RETRY_AFTER))
