"""Record what a run was started from, in a thread, while its steps run."""

from __future__ import annotations

import contextlib
import platform
import sys
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import TYPE_CHECKING

from azml_tasks.local.store.files import write_json
from azml_tasks.packages import distributions_in
from azml_tasks.runs.code import CodeReading
from azml_tasks.runs.origin import Packages, Provenance, step_origins, who

if TYPE_CHECKING:
    from azml_tasks.local.step.local_run import LocalRun

# How long (seconds) the end of a run waits for git, and reading has at least.
_PATIENCE = 1.0
_AT_MOST = 600.0


class Recording:
    """A block in which a run takes place, while its provenance is read and written.

    At the end of the block git gets another second; without its answer the record has no code.
    """

    def __init__(self, project: Path) -> None:
        self._reading = CodeReading(project)
        self._thread: Thread | None = None

    def __enter__(self) -> Recording:
        return self

    def of(self, site: LocalRun) -> None:
        """Start to record this run."""
        self._thread = Thread(target=self._record, args=(site,), daemon=True)
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.result(_PATIENCE if self._thread else 0)
        if self._thread:
            self._thread.join(_PATIENCE)

    def _record(self, site: LocalRun) -> None:
        # A full disk, or a folder that was deleted, is the run's to report.
        with contextlib.suppress(OSError):
            found = provenance_of(site)
            _write(site, found)
            code = self._reading.result(_AT_MOST)
            if code is not None:
                _write(site, found._replace(code=code))


def provenance_of(site: LocalRun) -> Provenance:
    """Return what a run is started from, without the code."""
    pipeline = site.plan.pipeline
    names = {step.key: pipeline.env_of(step.step) or "" for step in site.plan.steps}
    virtual = {name: found for name, found in site.virtual_environments.items() if name in names.values()}
    environments = {
        name: Packages(name, found.python_version, dict(found.distributions)) for name, found in virtual.items()
    }
    if not all(name in virtual for name in names.values()):
        environments[""] = Packages("", platform.python_version(), distributions_in(sys.path))
    used = {key: name if name in virtual else "" for key, name in names.items()}
    files = {key: snapshot.hashes for key, snapshot in site.snapshots.items()}
    return who()._replace(environments=environments, steps=step_origins(site.plan, files, used))


def _write(site: LocalRun, found: Provenance) -> None:
    places = site.run.places
    if places.root.is_dir():  # else it was deleted, and is not made again
        write_json(places.provenance, found.to_json())
