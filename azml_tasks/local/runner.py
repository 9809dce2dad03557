"""Run a pipeline on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.errors import RunError
from azml_tasks.local.layout import Layout
from azml_tasks.local.preparation import given_steps, keep_snapshots, virtual_environments
from azml_tasks.local.processes import Processes, processes_for
from azml_tasks.local.provenance import settings_of, with_differences
from azml_tasks.local.record import Origin, RunRecord
from azml_tasks.local.reuse.contents import Contents
from azml_tasks.local.reuse.results import Results
from azml_tasks.local.runs import clear_unfinished, new_run, refuse_links
from azml_tasks.local.scheduler import Scheduler
from azml_tasks.local.selection import select
from azml_tasks.local.site import Site
from azml_tasks.runs.events import Listener

if TYPE_CHECKING:
    from azml_tasks.snapshot import Locate
    from azml_tasks.wiring import Plan

# How long a step that is told to stop may take to do so (seconds) before it is killed.
GRACE = 5.0


def run_pipeline(  # noqa: PLR0913 - each is a flag of the task
    plan: Plan,
    project_dir: str | Path,
    *,
    experiment: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    from_step: str | None = None,
    only: str | None = None,
    force: bool = False,
    jobs: int | None = None,
    on_event: Listener = lambda event: None,
    tick: float | None = None,
    grace: float = GRACE,
    processes: Processes | None = None,
    origin: Origin | None = None,
    located: Locate | None = None,
) -> RunRecord:
    """Run the pipeline and return its record, whether it completed or not (see `raise_for_status`).

    `parameters` are values of pipeline parameters. `jobs` is how many steps may run at once, by default as many as
    there are processors. `on_event` is told what happens, with a Tick every `tick` seconds in between. Ctrl-C and
    SIGTERM stop the steps, and kill them when they have not ended `grace` seconds later; the run is then `cancelled`.
    `processes` is where the steps run, by default what `processes_for` gives; it is closed at the end. `origin` is
    what the run was started with, for its record. `located` is as `take_snapshots` takes it.

    Raises LinkError where .azml leads out of the project, ProjectError for files that cannot be run from, UsageError
    for a step that is not there, RunError for one that cannot be chosen or a disk that cannot be written.
    """
    layout = Layout.of(project_dir)
    try:
        with closing(processes or processes_for(plan.pipeline, layout.project)) as place:
            refuse_links(layout)
            selection = select(plan, from_step, only, force)
            contents = Contents(layout.hashes)
            given = given_steps(plan, selection, Results(layout, contents))
            snapshots = keep_snapshots(plan, selection.steps, layout, contents, located)
            virtual, remarks = virtual_environments(plan, layout)
            with suppress(OSError):
                clear_unfinished(layout)
            run = new_run(layout, experiment or plan.pipeline.experiment, dict(parameters or {}))
            run = replace(run, origin=origin or Origin(), settings=settings_of(plan))
            warm = os.environ.get("AZML_LOCAL_PROCESS") != "spawn"
            site = Site(layout, plan, run, contents, virtual, dict(os.environ), warm)
            given = with_differences(site, given)
            scheduler = Scheduler(site, snapshots, given, selection, place, on_event)
            return scheduler.run(jobs or _processors(), tick, grace, remarks)
    except OSError as error:
        raise RunError(f"the run stopped: {_reason(error, layout)}") from error


def _reason(error: OSError, layout: Layout) -> str:
    if os.path.lexists(layout.root) and not layout.root.is_dir():
        return f"{layout.root.name} is no folder, and runs are kept in it; move it away"
    place = str(error.filename or layout.root)
    if isinstance(error, FileNotFoundError) and place.startswith(str(layout.root)):
        return f"{os.path.relpath(place, layout.project)} was deleted while the run needed it"
    return f"{error.strerror}: {place}"


def _processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
