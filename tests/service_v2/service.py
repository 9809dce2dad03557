"""The service of v2: that of v1, with v2's operations in front of it."""

from __future__ import annotations

import threading
import traceback
from pathlib import Path
from typing import Any

from tests.service import artifacts
from tests.service.message import Request
from tests.service.routing import Route
from tests.service.routing import routes as routes_of_v1
from tests.service.run_state import FAILED, Run
from tests.service.service import Service

from . import execution, progress
from . import routes as _operations  # noqa: F401 - registers them
from .routing import routes
from .state import Job, V2State


class ServiceV2(Service):
    """Azure ML v2, in memory, behind a proxy on loopback; see `tests.service.service.Service`."""

    def __init__(self, folder: Path, beside: Service | None = None) -> None:
        self._settled: list[threading.Thread] = []
        super().__init__(folder, beside)

    def reset(self) -> None:
        with self.lock:
            super().reset()
            self.v2 = V2State()
            self.reusable: dict[str, str] = {}
            self.page_size = 100
            self.refuses_data_of_jobs = False
            # Where the service may behave otherwise than is assumed; see where each is asked for.
            self.quirks: set[str] = set()
            # Environments, by name or name@version, that Microsoft's registry no longer has.
            self.gone: set[str] = set()
            self.results: dict[str, str] = {}

    def find_route(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        return routes.find(request) or routes_of_v1.find(request)

    @property
    def assets(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Kind -> name -> version -> body."""
        return self.v2.assets

    @property
    def jobs(self) -> dict[str, Job]:
        """The submitted jobs by name, oldest first."""
        return self.v2.jobs

    @property
    def job(self) -> Job:
        """The last one."""
        return list(self.jobs.values())[-1]

    @property
    def schedules_v2(self) -> dict[str, dict[str, Any]]:
        """The schedules by name: the properties that were sent."""
        return self.v2.schedules

    def job_runs(self, job: Job | None = None) -> dict[str, Run]:
        """The runs of a job's steps by their names; by default of the last job."""
        with self.lock:
            return {name: self.workspace.runs[one] for name, one in (job or self.job).runs.items()}

    def end_node(
        self, name: str, status: str = "Completed", message: str | None = None, log: bytes | None = None
    ) -> None:
        """End a step of the last job."""
        with self.lock:
            progress.end_step(self, self.workspace, self.job, name, status, message, log)

    def write_log(self, run: Run, log: bytes) -> None:
        """Write the log of a step's run, as far as its script has come."""
        with self.lock:
            artifacts.put(self.state, self.workspace, run.container, artifacts.LOG, log)

    def cancel(self, job: Job) -> None:
        with self.lock:
            progress.cancel(self.workspace, job)

    def begin(self, job: Job) -> None:
        """Run the scripts of a job in a thread."""
        thread = threading.Thread(target=self._execute_job, args=(job,), daemon=True)
        self._settled.append(thread)
        thread.start()

    def settle(self) -> None:
        super().settle()
        for thread in self._settled:
            thread.join()
        self._settled.clear()

    def stop(self) -> None:
        for job in list(self.jobs.values()):
            self.cancel(job)
        super().stop()

    def _execute_job(self, job: Job) -> None:
        try:
            execution.execute(self, self.workspace, job)
        except Exception:
            self.broken.append(traceback.format_exc())
            with self.lock:
                self.workspace.runs[job.name].end(FAILED, "The stand-in broke.")

    def add_environment_v2(self, name: str, image: str = "mcr.microsoft.com/base") -> None:
        """Register an environment's next version, as if it had been there before."""
        versions = self.assets["environments"].setdefault(name, {})
        body = {"image": image, "isAnonymous": False, "osType": "Linux"}
        versions[str(len(versions) + 1)] = {"properties": body, "created": "2026-01-05T08:00:00.0000000Z"}
