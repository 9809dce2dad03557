"""Run a pipeline on this machine, or predict what a run would do."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.backend import Forecast, StepForecast
from azml_tasks.errors import RunError
from azml_tasks.local.reuse.reads import InputMissingError
from azml_tasks.local.run.processes import Processes, processes_for
from azml_tasks.local.run.provenance import with_differences, with_their_settings
from azml_tasks.local.run.recording import Recording
from azml_tasks.local.run.scheduler import Scheduler
from azml_tasks.local.run.step_run import StepRun
from azml_tasks.local.step.local_run import (
    LocalRun,
    select,
)
from azml_tasks.local.store.files import read_lines
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.store.runs import refuse_links
from azml_tasks.runs.changes.differences import Reason
from azml_tasks.runs.origin import Origin
from azml_tasks.runs.records import Event, Listener, Remark, RunFinished, StepRecord
from azml_tasks.secrets import redact
from azml_tasks.text import listed, some_listed

if TYPE_CHECKING:
    from azml_tasks.plan import Plan, StepPlan
    from azml_tasks.snapshot import Locate

# Time for a step to stop (seconds) before it is killed.
GRACE = 5.0
# How many notes of scripts are printed at the end of a run.
_MOST_NOTES = 12


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
) -> LocalRunRecord:
    """Run the pipeline and return its record, whether it completed or not (see `raise_for_status`).

    `parameters` are values of pipeline parameters. `jobs` is how many steps may run at once, by default as many as
    there are processors. `on_event` gets every event, and a Tick every `tick` seconds in between. Ctrl-C and
    SIGTERM stop the steps, and kill them when they have not ended `grace` seconds later; the run is then `cancelled`.
    `processes` is where the steps run, by default what `processes_for` gives; it is closed at the end. `origin` is
    what the run was started with, for its record. `located` is as `take_snapshots` takes it.

    Raises LinkError where .azml leads out of the project, ProjectError for files that cannot be run from, UsageError
    for a step that is not there, RunError for one that cannot be chosen or a disk that cannot be written.
    """
    layout = ProjectPaths.of(project_dir)
    try:
        with closing(processes or processes_for(plan.pipeline, layout.project)) as place:
            refuse_links(layout)
            selection = select(plan, from_step, only, force)
            with Recording(layout.project) as recording:
                run = LocalRun.prepare(
                    plan,
                    layout,
                    selection,
                    experiment,
                    dict(parameters or {}),
                    origin or Origin(),
                    located,
                    lambda text: on_event(Remark(text)),
                )
                run = with_their_settings(replace(run, given=with_differences(run, run.given)))
                recording.of(run)
                return Scheduler(run, place, _with_notes(on_event, run)).run(jobs or _processors(), tick, grace)
    except OSError as error:
        raise RunError(f"the run stopped: {_reason(error, layout)}") from error


def _with_notes(listener: Listener, run: LocalRun) -> Listener:
    """Return a listener that gets the notes of the scripts before the end of the run, each once with its steps.

    They are what a local run allows and Azure does not (standin/azml_local/remarks.py).
    """

    def tell(event: Event) -> None:
        if isinstance(event, RunFinished):
            tell_notes(event.run.steps)
        listener(event)

    def tell_notes(steps: Sequence[StepRecord]) -> None:
        found: dict[str, dict[str, None]] = {}
        for step in steps:
            if step.status != "reused":
                for line in read_lines(run.run.places.step(step.key).root / "notes.jsonl"):
                    found.setdefault(redact(str(line.get("note")), run.known_secrets), {})[step.key] = None
        texts = [f"{some_listed(keys)}: {sentence}" for sentence, keys in found.items()]
        if len(texts) > _MOST_NOTES:
            texts[_MOST_NOTES - 1 :] = [f"{len(texts) - _MOST_NOTES + 1} more notes are in the logs of the steps"]
        for text in texts:
            listener(Remark(text))

    return tell


def _reason(error: OSError, layout: ProjectPaths) -> str:
    if os.path.lexists(layout.root) and not layout.root.is_dir():
        return f"{layout.root.name} must be a folder (runs are stored there); rename or move the file"
    place = str(error.filename or layout.root)
    if isinstance(error, FileNotFoundError) and place.startswith(str(layout.root)):
        return f"{os.path.relpath(place, layout.project)} was deleted during the run"
    return f"{error.strerror}: {place}"


def _processors() -> int:
    """Return how many processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def forecast(  # noqa: PLR0913 - as those of the run
    plan: Plan,
    project_dir: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    from_step: str | None = None,
    only: str | None = None,
    force: bool = False,
    origin: Origin | None = None,
    located: Locate | None = None,
    experiment: str | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Forecast:
    """Return what a run with the same options would do with each step, and the notes that it would begin with.

    `say` is called now and then while large files are read. Raises ProjectError, UsageError, RunError like the run.
    """
    layout = ProjectPaths.of(project_dir)
    try:
        selection = select(plan, from_step, only, force)
        run = LocalRun.imagine(plan, layout, selection, experiment, dict(parameters or {}), origin or Origin(), located)
        run.contents.pace.say = say
        return Forecast(tuple(_forecasts(run)), tuple(run.remarks))
    except OSError as error:
        raise RunError(f"cannot predict the run: {error.strerror}: {error.filename}") from error


def _forecasts(run: LocalRun) -> list[StepForecast]:
    records = with_differences(run, run.given)
    found = []
    for step in run.plan.steps:
        if step.key in records:
            found.append(StepForecast(step.key, "reused", Reason("given", records[step.key].reason)))
        elif step.key in run.snapshots:
            step_run = StepRun(run, step, run.snapshots[step.key], records)
            failing = [one.key for one in found if one.verdict in ("fails", "skipped") and one.key in step.upstream]
            if failing:
                found.append(StepForecast(step.key, "skipped", Reason("upstream", f"it depends on {listed(failing)}")))
                continue
            forecast, record = _forecast(step, step_run, records, step.key in run.selection.forced)
            found.append(forecast)
            if record is not None:
                records[step.key] = record
    return found


def _forecast(
    step: StepPlan, step_run: StepRun, records: Mapping[str, LocalStepRecord], forced: bool
) -> tuple[StepForecast, LocalStepRecord | None]:
    """Return the forecast of a step, with its record if it is to be reused."""
    before = [key for key in step.upstream if key not in records]
    is_open = bool(before) and not forced and step.step.allow_reuse is not False
    try:
        decision = step_run.foresee() if is_open else step_run.decide(forced)
    except InputMissingError as error:
        return StepForecast(step.key, "fails", Reason("missing", str(error))), None
    if is_open and decision.result is not None:
        reason = Reason("upstream", f"it depends on {listed(before)}", decision.reason.differences)
        return StepForecast(step.key, "may run", reason), None
    if decision.result is None:
        return StepForecast(step.key, "runs", decision.reason), None
    return StepForecast(step.key, "reused", decision.reason), step_run.record_of(decision.result, decision.reason)
