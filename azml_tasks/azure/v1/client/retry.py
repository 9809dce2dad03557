"""Retry failed requests of the SDK, without creating anything twice.

Every request of the SDK goes through `requests`. While `steady()` is active, each of its sessions uses an adapter of
ours, which

- repeats a request that met a 408, 429, 500, 502, 503, 504 or 530, a dropped connection, a timeout, or a 2xx whose body
  is not what the service sends (`azure/answers.py`), and waits as `Retry-After` says or twice as long each time;
- repeats a POST, by which alone things are made twice, only after it has looked whether the first one took effect
  (`lookups.py` knows how, route by route); one that cannot be looked up is repeated when it cannot have taken effect
  (429, 503, no connection), and else fails and says so;
- sends a request that met a 401 once more, with a new token;
- keeps connections open from one request to the next, where the SDK opens nine in ten again.

When all retries fail it raises ServiceError, which the SDK's own retries ignore.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ChunkedEncodingError, ConnectTimeout, SSLError, Timeout
from requests.exceptions import ConnectionError as Disconnected
from requests.utils import rewind_body
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, NewConnectionError
from urllib3.exceptions import ProxyError as UnreachableProxy
from urllib3.util import Retry

from azml_tasks.azure.answers import is_doubtful, unreadable
from azml_tasks.azure.auth import renewed
from azml_tasks.azure.errors import from_elsewhere, service_message, unconnected
from azml_tasks.azure.v1.client.lookups import Exchange, Repeat, repeat_of
from azml_tasks.azure.v1.client.sdk import RefCountedContext
from azml_tasks.errors import LoginError, ServiceError

FAULTS = frozenset((408, 429, 500, 502, 503, 504, 530))
_CONNECTIONS = 32
_BEARER = "Bearer "
# To connect, and between two bytes of a response; the SDK often sets none and would wait forever.
_TIMEOUT_SECONDS = (20, 300)


@dataclass(frozen=True)
class RetryPolicy:
    """How long to retry a failing request; times in seconds.

    The first retry is immediate, the others after `wait`, twice that and so on. `longest_wait` limits one wait, also
    one requested with `Retry-After`.
    """

    tries: int = 6
    wait: float = 1
    longest_wait: float = 60
    sleep: Callable[[float], None] = time.sleep


def retrying(patience: RetryPolicy | None = None) -> contextlib.AbstractContextManager[None]:
    """Send every request of this process through our adapter for as long as the block runs, in whichever thread.

    Blocks nest; the outermost one's patience counts.
    """
    return _scope.held(_sending(patience or RetryPolicy()))


@dataclass(frozen=True)
class Unreadable:
    """A 2xx or a redirect with something else in place of the service's answer, which `what` names."""

    response: requests.Response
    what: str


Fault = Unreadable | requests.Response | Exception


class SteadyAdapter(HTTPAdapter):
    """Retry failed requests, if that creates nothing twice."""

    def __init__(self) -> None:
        super().__init__(pool_connections=_CONNECTIONS, pool_maxsize=_CONNECTIONS)
        self.patience = RetryPolicy()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request until there is a response.

        Raises ServiceError after the last retry, or if it is unknown whether the request took effect, and LoginError if
        a new token is rejected, too.
        """
        how = {"stream": stream, "timeout": timeout or _TIMEOUT_SECONDS, "verify": verify, "cert": cert}

        def send_once(request: requests.PreparedRequest) -> requests.Response:
            response = super(SteadyAdapter, self).send(request, proxies=proxies, **how)
            if "json" in response.headers.get("Content-Type", ""):
                _ = response.content  # a connection that breaks within the answer is one to be repeated, too
            return response

        def ask(request: requests.PreparedRequest) -> requests.Response:
            return self.send(request, proxies=proxies, **how)

        return _RetryingSession(request, send_once, ask, self.patience).until_answered()


@dataclass
class _RetryingSession:
    """One request and its repetitions."""

    request: requests.PreparedRequest
    send_once: Callable[[requests.PreparedRequest], requests.Response]
    ask: Callable[[requests.PreparedRequest], requests.Response]
    patience: RetryPolicy
    tries: int = 0
    is_renewed: bool = False
    waits: Retry = field(init=False)

    def __post_init__(self) -> None:
        longest = self.patience.longest_wait
        self.waits = Retry(self.patience.tries - 1, backoff_factor=self.patience.wait / 2, backoff_max=longest)

    def until_answered(self) -> requests.Response:
        while True:
            fault = self._try()
            if isinstance(fault, requests.Response) and fault.status_code not in FAULTS:
                return self._confirmed(self._without_loss(fault))
            self._wait(fault)
            found = self._look(fault)
            if found is not None:
                return found

    def _try(self) -> Fault:
        self.tries += 1
        try:
            response = self._send(again=self.tries > 1)
            if response.status_code == 401 and not self.is_renewed:
                response = self._with_new_token(response)
            what = unreadable(self.request, response) if response.status_code < 400 else ""
            return Unreadable(response, what) if what else response
        except SSLError:  # a certificate that is not trusted now is not trusted later either
            raise
        except (Disconnected, Timeout, ChunkedEncodingError) as error:
            return error

    def _send(self, again: bool) -> requests.Response:
        if again and hasattr(self.request.body, "seek"):
            rewind_body(self.request)
        return self.send_once(self.request)

    def _with_new_token(self, refused: requests.Response) -> requests.Response:
        """Send the request once more, with a new token of the login that it was sent with.

        Returns the rejection if the request has no token of ours. Raises LoginError if there is no other token, or it
        is rejected, too.
        """
        login = str(self.request.headers.get("Authorization") or "")
        stale = login.removeprefix(_BEARER)
        token = renewed(stale) if login.startswith(_BEARER) else None
        if token is None:
            return refused
        self.is_renewed = True
        if token != stale:
            refused.close()
            self.request.headers["Authorization"] = f"{_BEARER}{token}"
            response = self._send(again=True)
            if response.status_code != 401:
                return response
            refused = response
        raise LoginError(
            f"{self._named} was rejected {_describe(refused)}, even with a new token; log in again, "
            "with `az login` or new credentials"
        )

    def _confirmed(self, response: requests.Response) -> requests.Response:
        """Send a request again whose answer may be another's; the first answer counts unless the second is clear."""
        if not is_doubtful(self.request, response):
            return response
        again = self._try()
        is_clear = isinstance(again, requests.Response) and again.ok and not is_doubtful(self.request, again)
        return again if isinstance(again, requests.Response) and is_clear else response

    def _without_loss(self, response: requests.Response) -> requests.Response:
        if self.tries > 1 and self.request.method == "DELETE" and response.status_code == 404:
            return Exchange(self.request, self.ask).answer(None)  # deleted by a try whose answer was lost
        return response

    def _wait(self, fault: Fault) -> None:
        """Wait before the next try.

        Raises ServiceError after the last one.
        """
        if self.waits.total == 0:
            raise ServiceError(f"{self._named} failed {self.tries} times, the last time {_describe(fault)}")
        raw = fault.raw if isinstance(fault, requests.Response) else None
        if isinstance(fault, Unreadable):
            fault.response.close()
        asked = self.waits.get_retry_after(raw) if raw is not None else None
        if asked is not None and asked > self.patience.longest_wait:
            raise ServiceError(f"{self._named} failed {_describe(fault)}; Azure requests a wait of {asked:.0f} seconds")
        self.waits = self.waits.increment(self.request.method, self.request.url, response=raw)
        if isinstance(fault, requests.Response):
            fault.close()
        self.patience.sleep(self.waits.get_backoff_time() if asked is None else asked)

    def _look(self, fault: Fault) -> requests.Response | None:
        """Return the lost response, or None if the request must be sent again.

        Raises ServiceError if that is unknown.
        """
        repeat = repeat_of(self.request)
        if repeat is Repeat.FREELY or _never_arrived(fault):
            return None
        if callable(repeat):
            return repeat(Exchange(self.request, self.ask))
        if isinstance(fault, requests.Response) and fault.status_code == 503:
            return None
        raise ServiceError(
            f"{self._named} failed {_describe(fault)}; it may have taken effect, so check before you try again"
        )

    @property
    def _named(self) -> str:
        address = (self.request.url or "").partition("?")[0]  # the rest may contain a signature
        return f"{self.request.method} {address}"


def _describe(fault: Fault) -> str:
    if isinstance(fault, Unreadable):
        status = f"{fault.response.status_code} {fault.response.reason}".rstrip()
        return f"with {from_elsewhere(status, fault.what)}"
    if isinstance(fault, requests.Response):
        return f"with {fault.status_code} {fault.reason}: {service_message(fault.content)}".rstrip(": ")
    why = unconnected(fault) if _never_arrived(fault) else ""
    if why:
        return f"because {why}"
    return "with no response in time" if isinstance(fault, Timeout) else "with a dropped connection"


def _never_arrived(fault: Fault) -> bool:
    if isinstance(fault, Unreadable):
        return False
    if isinstance(fault, requests.Response):
        return fault.status_code == 429
    cause = fault.args[0] if fault.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else None
    if isinstance(reason, UnreachableProxy):
        # urllib3 blames the proxy for a connection that broke while the answer was waited for, too.
        reason = reason.original_error
    refused = "Tunnel connection failed" in str(reason)
    return isinstance(fault, ConnectTimeout) or refused or isinstance(reason, (NewConnectionError, ConnectTimeoutError))


@contextlib.contextmanager
def _sending(patience: RetryPolicy) -> Iterator[None]:
    _adapter.patience = patience
    sessions: Any = requests.Session
    own_choice = sessions.get_adapter

    def get_adapter(session: requests.Session, url: str) -> Any:
        own = own_choice(session, url)
        # Other mounted adapters are kept; Azure uses only HTTPS.
        return _adapter if isinstance(own, HTTPAdapter) and url.lower().startswith("https:") else own

    sessions.get_adapter = get_adapter
    try:
        yield
    finally:
        sessions.get_adapter = own_choice


_adapter = SteadyAdapter()
_scope = RefCountedContext()
