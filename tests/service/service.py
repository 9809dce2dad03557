"""The service: its state, the server in front of it, the record of what was asked."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from . import artifacts, execution, seeding
from .authority import Authority
from .call import Call, answer_of
from .faults import Fault
from .graphs import SubmittedStep, steps_of
from .message import Answer, Record, Refusal, Request, refusal_document, reply
from .names import GROUP, SUBSCRIPTION, WORKSPACE
from .native import NativeReader
from .pipeline_state import PipelineRun, Published, Schedule
from .progress import OnSubmit, Progress
from .proxy import Proxy
from .routes import schedules
from .routing import LOCATION, Route, routes
from .run_state import COMPLETED, FAILED, Run
from .state import State, Workspace
from .traffic import Traffic

_CONTENTS = (
    "environments datastores datasets computes experiments snapshots modules graphs runs pipeline_runs published "
    "endpoints schedules models secrets"
)
_SCOPE_NAMES = ("subscription", "group", "workspace")


class Service:
    """Azure ML v1, in memory, behind a proxy on loopback.

    After `reset` there is one workspace (`SUBSCRIPTION`, `GROUP`, `WORKSPACE`); `azure.workspace` is
    it, and `azure.environments`, `azure.datasets` and so on are its contents.
    """

    def __init__(self, folder: Path, beside: Service | None = None) -> None:
        """Start it, or let it answer at the address of the one `beside` when `answer` is called."""
        self.authority = beside.authority if beside else Authority(folder)
        self.lock = threading.RLock()
        self._count = 0
        self.native = beside.native if beside else NativeReader()
        self.delay = 0.0  # seconds that every answer takes
        self.python = sys.executable  # which runs the scripts of steps
        self.reset()
        self.proxy = beside.proxy if beside else Proxy(self.authority, self._respond)

    def answer(self) -> None:
        """Be the one that answers, of those at this address."""
        self.proxy.respond = self._respond

    def reset(self) -> None:
        """Forget everything; the identifiers of the new state differ from those of the old one."""
        with self.lock:
            self._count += 1
            self.state = State(seed=str(self._count))
            self.requests = Traffic()
            self.unknown: list[Record] = []
            self.broken: list[str] = []
            self._faults: list[Fault] = []
            # Entered around each request, outside of the lock: a test may let something else happen first.
            self.around: Callable[[Request], contextlib.AbstractContextManager[None]] = contextlib.nullcontext
            self.progress = Progress(self.state, self.lock, self._execute)
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
        **answer: Any,
    ) -> Fault:
        """Make the next requests that match fail; see `Fault`. Status 0 drops the connection."""
        fault = Fault(method, path, status, retry_after, times, before_effect, skip, **answer)
        with self.lock:
            self._faults.append(fault)
        return fault

    def drop(self, method: str, path: str, *, times: int = 1, before_effect: bool = True, skip: int = 0) -> Fault:
        """Break the connection of the next requests that match, before or after they took effect."""
        return self.fail(method, path, status=0, times=times, before_effect=before_effect, skip=skip)

    @property
    def on_submit(self) -> OnSubmit:
        """What becomes of a submitted pipeline: "finish" (at once), "execute" (the scripts), "hold"."""
        return self.progress.on_submit

    @on_submit.setter
    def on_submit(self, value: OnSubmit) -> None:
        self.progress.on_submit = value

    @property
    def failing(self) -> dict[str, str]:
        """Steps that are to fail when they "finish", with the message of their error."""
        return self.progress.failing

    @property
    def submitted(self) -> list[PipelineRun]:
        """The pipeline runs that were submitted, oldest first."""
        return [run for run in self.workspace.pipeline_runs.values() if run.submitted]

    def steps(self, of: PipelineRun | Published | str | None = None) -> dict[str, SubmittedStep]:
        """Read the steps of a run or published pipeline (or its id) by name; by default of the last run."""
        with self.lock:
            if isinstance(of, str):
                of = self.workspace.pipeline_runs.get(of) or self.workspace.published[of]
            graph = (of or self.submitted[-1]).graph
            return steps_of(self.workspace, self.workspace.graphs[graph])

    def step_runs(self, run: PipelineRun | None = None) -> dict[str, Run]:
        """Give the runs of the steps that started, by the step's name; by default of the last run."""
        with self.lock:
            return self.progress.step_runs(self.workspace, run or self.submitted[-1])

    def end_step(
        self,
        name: str,
        status: str = COMPLETED,
        message: str | None = None,
        log: bytes | None = None,
        run: PipelineRun | None = None,
    ) -> None:
        """End a step of a run that is held, which starts those that waited for it."""
        self.progress.end_step(self.workspace, run or self.submitted[-1], name, status, message, log)

    def put_log(self, name: str, log: bytes) -> None:
        """Write the log of a step of the last run, as far as its script has come."""
        with self.lock:
            artifacts.put(self.state, self.workspace, self.step_runs()[name].container, artifacts.LOG, log)

    def finish(self, run: PipelineRun | None = None) -> None:
        """End a run that is held."""
        self.progress.finish(self.workspace, run or self.submitted[-1])

    def fire(self, schedule: Schedule, path: str | None = None) -> str:
        """Let a schedule start its run now, `path` being the blob that changed; gives the run's id."""
        names = dict(zip(_SCOPE_NAMES, self.workspace.key, strict=True))
        with self.lock:
            return schedules.fire(Call(Request("POST", "", "", {}, {}, b""), self, names), schedule, path)

    def execute(self, run: PipelineRun | None = None) -> None:
        """Really run the scripts of a run that is held; by default of the last run."""
        self._execute(self.workspace, run or self.submitted[-1])

    def artifacts(self, run: Run | str) -> dict[str, bytes]:
        """Read the files that a run has: outputs, logs, uploads."""
        found = self.workspace.runs[run] if isinstance(run, str) else run
        with self.lock:
            return dict(artifacts.find(self.state, self.workspace, found.container))

    def add_environment(self, name: str, pip_packages: Sequence[str] = ("azureml-defaults",)) -> None:
        """Register an environment's next version, as if it had been there before."""
        seeding.add_environment(self.workspace, name, pip_packages)

    def add_datastore(
        self, name: str, container: str = "raw", account: str = "churnstore", key: str | None = "a2V5"
    ) -> None:
        """Register a blob datastore; key None for identity."""
        seeding.add_datastore(self.workspace, name, container, account, key)

    def add_compute(self, name: str, vm_size: str = "STANDARD_DS3_V2", min_nodes: int = 0, max_nodes: int = 2) -> None:
        """Make a cluster."""
        seeding.add_compute(self.workspace, name, vm_size, min_nodes, max_nodes)

    def add_table(self, name: str, datastore: str, path: str, column_types: Mapping[str, str]) -> None:
        """Register the next version of a table over CSV files; types are 'int', 'float', 'string' ..."""
        seeding.add_dataset(self.workspace, name, datastore, path, column_types)

    def add_files(self, name: str, datastore: str, path: str) -> None:
        """Register the next version of a dataset of files."""
        seeding.add_dataset(self.workspace, name, datastore, path, None)

    def put_blob(self, account: str, container: str, path: str, content: bytes) -> None:
        """Put a blob into a storage account, which is made as needed."""
        with self.lock:
            self.state.storage.put(account, container, path, content)

    def blob(self, account: str, container: str, path: str) -> bytes:
        """Read a blob; raises KeyError where there is none."""
        with self.lock:
            return self.state.storage.read(account, container, path)

    def __getattr__(self, name: str) -> Any:
        """Give the contents of the default workspace: `environments`, `datasets`, `runs` ..."""
        if name not in _CONTENTS.split():
            raise AttributeError(name)
        return getattr(self.workspace, name)

    def settle(self) -> None:
        """Wait for the pipelines that execute."""
        self.progress.settle()

    def stop(self) -> None:
        """Cancel what still runs, and wait until it ended."""
        for workspace in list(self.state.workspaces.values()):
            for run in list(workspace.pipeline_runs.values()):
                if run.submitted:
                    self.progress.cancel(workspace, run)
        self.settle()

    def _execute(self, workspace: Workspace, run: PipelineRun) -> None:
        try:
            execution.execute(self, workspace, run)
        except Exception:
            self.broken.append(traceback.format_exc())
            with self.lock:
                workspace.runs[run.id].end(FAILED, "The stand-in broke.")

    def verify(self) -> None:
        """Raise AssertionError when something was asked that the stand-in does not know, or it broke."""
        lines = [f"unknown route: {record}" for record in self.unknown] + self.broken
        assert not lines, "\n".join(lines)

    def _respond(self, request: Request) -> Answer | None:
        time.sleep(self.delay)
        with self.around(request), self.lock:
            request = self.native.turn(self.state, request)
            fault = next(self._striking(request), None)
            found = self.find_route(request)
            if fault is not None and fault.before_effect:
                answer = fault.answer()
            else:
                answer = self._answer(request, found)
                if fault is not None:
                    answer = fault.answer(answer)
            self._record(request, answer, found[0] if found else None)
        return answer

    def find_route(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        """Give the operation that answers a request, with the values of its path's names."""
        return routes.find(request)

    def _striking(self, request: Request) -> Iterator[Fault]:
        return (fault for fault in self._faults if fault.strikes(request))

    def _answer(self, request: Request, found: tuple[Route, dict[str, str]] | None) -> Answer:
        if found is None:
            return reply(refusal_document("NotFound", f"no such route: {request.method} {request.path}"), 404)
        route, names = found
        if not route.public and not request.headers.get("authorization", "").startswith("Bearer "):
            return reply(refusal_document("AuthenticationFailed", "Authentication failed."), 401)
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
        with self.lock:
            return self.state.add_workspace(subscription, group, name, location)
