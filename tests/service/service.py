"""The service: its state, the server in front of it, the record of what was asked."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import routes as _all_routes  # noqa: F401 - importing them registers them
from .authority import Authority
from .call import Call, answer_of
from .faults import Fault
from .message import Answer, Record, Refusal, Request, refusal_document, reply
from .proxy import Proxy
from .routing import LOCATION, Route, routes
from .state import State, Workspace
from .traffic import Traffic

SUBSCRIPTION = "6f0cdd21-1111-4222-8333-944445555666"
GROUP = "churn-rg"
WORKSPACE = "churn-ws"

_CONTENTS = (
    "environments datastores datasets computes experiments snapshots modules graphs runs pipeline_runs published "
    "endpoints schedules models artifacts secrets"
)
_SCOPE_NAMES = ("subscription", "group", "workspace")


class Service:
    """Azure ML v1, in memory, behind a proxy on loopback.

    After `reset` there is one workspace (`SUBSCRIPTION`, `GROUP`, `WORKSPACE`); `azure.workspace` is
    it, and `azure.environments`, `azure.datasets` and so on are its contents.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self._lock = threading.RLock()
        self._count = 0
        self.reset()
        self.proxy = Proxy(self.authority, self._respond)

    def reset(self) -> None:
        """Forget everything; the identifiers of the new state differ from those of the old one."""
        with self._lock:
            self._count += 1
            self.state = State(seed=str(self._count))
            self.requests = Traffic()
            self.unknown: list[Record] = []
            self.broken: list[str] = []
            self._faults: list[Fault] = []
            self.workspace = self.state.add_workspace(SUBSCRIPTION, GROUP, WORKSPACE, LOCATION)

    def close(self) -> None:
        self.proxy.close()

    def fail(
        self,
        method: str,
        path: str,
        *,
        status: int = 503,
        times: int = 1,
        before_effect: bool = True,
        retry_after: int | None = None,
        skip: int = 0,
    ) -> Fault:
        """Make the next requests that match fail; see `Fault`. Status 0 drops the connection."""
        fault = Fault(method, path, status, retry_after, times, before_effect, skip)
        with self._lock:
            self._faults.append(fault)
        return fault

    def drop(self, method: str, path: str, *, times: int = 1, before_effect: bool = True, skip: int = 0) -> Fault:
        """Break the connection of the next requests that match, before or after they took effect."""
        return self.fail(method, path, status=0, times=times, before_effect=before_effect, skip=skip)

    def put_blob(self, account: str, container: str, path: str, content: bytes) -> None:
        """Put a blob into a storage account, which is made as needed."""
        with self._lock:
            self.state.storage.put(account, container, path, content)

    def blob(self, account: str, container: str, path: str) -> bytes:
        """Read a blob; raises KeyError where there is none."""
        with self._lock:
            return self.state.storage.read(account, container, path)

    def __getattr__(self, name: str) -> Any:
        """Give the contents of the default workspace: `environments`, `datasets`, `runs` ..."""
        if name not in _CONTENTS.split():
            raise AttributeError(name)
        return getattr(self.workspace, name)

    def settle(self) -> None:
        """Wait for what still runs on its own."""

    def verify(self) -> None:
        """Raise AssertionError when something was asked that the stand-in does not know, or it broke."""
        lines = [f"unknown route: {record}" for record in self.unknown] + self.broken
        assert not lines, "\n".join(lines)

    def _respond(self, request: Request) -> Answer | None:
        with self._lock:
            fault = next(self._striking(request), None)
            found = routes.find(request)
            if fault is not None and fault.before_effect:
                answer = fault.answer()
            else:
                answer = self._answer(request, found)
                if fault is not None:
                    answer = fault.answer()
            self._record(request, answer, found[0] if found else None)
        return answer

    def _striking(self, request: Request) -> Iterator[Fault]:
        return (fault for fault in self._faults if fault.strikes(request))

    def _answer(self, request: Request, found: tuple[Route, dict[str, str]] | None) -> Answer:
        if found is None:
            return reply(refusal_document("NotFound", f"no such route: {request.method} {request.path}"), 404)
        route, names = found
        scope = {name: names.pop(name) for name in _SCOPE_NAMES if name in names}
        try:
            return answer_of(route.handler(Call(request, self, scope), **names))
        except Refusal as refusal:
            return refusal.answer
        except Exception:
            trace = traceback.format_exc()
            self.broken.append(f"{request.method} {request.host}{request.path}\n{request.body[:2000]!r}\n{trace}")
            return reply(refusal_document("StandInBroken", trace), 500)

    def _record(self, request: Request, answer: Answer | None, route: Route | None) -> None:
        if route is not None and route.name == "telemetry.take_telemetry":
            return
        record = Record(
            request,
            answer.status if answer else 0,
            route.name if route else "",
            route.polling if route else False,
        )
        self.requests.append(record)
        if route is None:
            self.unknown.append(record)

    def add_workspace(
        self, name: str, group: str = GROUP, subscription: str = SUBSCRIPTION, location: str = LOCATION
    ) -> Workspace:
        """Create a further workspace."""
        with self._lock:
            return self.state.add_workspace(subscription, group, name, location)
