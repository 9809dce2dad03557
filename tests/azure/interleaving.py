"""Two clients of the service at once: one whole between two requests of the other, or both in turns."""

from __future__ import annotations

import contextlib
import random
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from azml_tasks.azure.auth import Tokens
from azml_tasks.azure.v1.client import connection
from azml_tasks.errors import AzmlError
from tests.azure.workspace import opened
from tests.service.message import Request
from tests.service.service import Service

Act = Callable[[Any], object]
# How long a client that is on its way to its next request is waited for; one may wait for a lock of the other's.
_PATIENCE_SECONDS = 1.0


@dataclass(frozen=True)
class Client:
    """A connection to the workspace with a login of its own, as another process has it."""

    ws: Any
    tokens: Tokens

    def sent(self, request: Request) -> bool:
        """Say whether a request is this client's; those of the login, and those with signatures, are nobody's."""
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self.tokens._resources

    def does(self, act: Act) -> str:
        """Do something, and return the sentence that it ends with, empty when all is well; a bug is raised."""
        try:
            act(self.ws)
        except AzmlError as error:
            return str(error)
        return ""


def new_client() -> Client:
    """Return a client that has opened the workspace."""
    ws = opened()
    return Client(ws, connection.login_of(ws))


class Meanwhile:
    """Do something before the request of a client at a place, counted from 0."""

    def __init__(self, azure: Service, client: Client, place: int, act: Callable[[], object]) -> None:
        self.is_done = False
        self._count = 0
        self.failure: BaseException | None = None
        self._client, self._place, self._act = client, place, act
        self._lock = threading.Lock()
        azure.around = self.around

    @contextlib.contextmanager
    def around(self, request: Request) -> Iterator[None]:
        """Have what is to be done, done before the request; see Service.around."""
        if self._client.sent(request):
            with self._lock:
                is_next, self._count = self._count == self._place, self._count + 1
            if is_next:
                self.is_done = True
                try:
                    self._act()
                except BaseException as error:  # raised in the test, not in the service's thread
                    self.failure = error
        yield

    def finish(self) -> None:
        """Do it now, if the client sent no such request; raise what was raised in the service's thread."""
        if not self.is_done:
            self._act()
        if self.failure is not None:
            raise self.failure


class Turns:
    """Let one request of one of the clients pass at a time, whose is chosen at random."""

    def __init__(self, azure: Service, clients: list[Client], chance: random.Random) -> None:
        self.order: list[int] = []
        self._clients, self._chance = clients, chance
        self._live = set(range(len(clients)))
        self._waiting: dict[int, list[object]] = {number: [] for number in self._live}
        self._serving: object | None = None
        self._condition = threading.Condition()
        azure.around = self.around

    @contextlib.contextmanager
    def around(self, request: Request) -> Iterator[None]:
        """Hold the request until it is its client's turn; see Service.around."""
        number = next((number for number, client in enumerate(self._clients) if client.sent(request)), None)
        if number is None:
            yield
            return
        ticket = object()
        with self._condition:
            self._waiting[number].append(ticket)
            self._choose()
            while not self._condition.wait_for(lambda: self._serving is ticket, _PATIENCE_SECONDS):
                self._choose(late=True)
        try:
            yield
        finally:
            with self._condition:
                self._serving = None
                self._choose()

    def end(self, number: int) -> None:
        """Wait for that client no longer."""
        with self._condition:
            self._live.discard(number)
            self._choose()

    def _choose(self, late: bool = False) -> None:
        ready = [number for number, tickets in sorted(self._waiting.items()) if tickets]
        if self._serving is None and ready and (late or all(self._waiting[number] for number in self._live)):
            number = self._chance.choice(ready)
            self.order.append(number)
            self._serving = self._waiting[number].pop(0)
            self._condition.notify_all()


def in_turns(azure: Service, clients: list[Client], acts: list[Act], chance: random.Random) -> list[str]:
    """Let each client do its act, request by request in turns, and return the sentences that they end with."""
    turns = Turns(azure, clients, chance)
    said = [""] * len(clients)
    failures: list[BaseException] = []

    def do(number: int) -> None:
        try:
            said[number] = clients[number].does(acts[number])
        except BaseException as error:  # raised in the test's thread
            failures.append(error)
        finally:
            turns.end(number)

    stdout = sys.stdout
    threads = [threading.Thread(target=do, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout = stdout  # which the SDK's callers of two threads put back in the wrong order
    azure.around = contextlib.nullcontext
    if failures:
        raise failures[0]
    return said
