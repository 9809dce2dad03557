"""Tasks that schedule the pipeline, and list, pause and prune schedules."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from invoke import Context, Exit

from azml_tasks.tasks.project import backend_of, is_dry, load
from azml_tasks.tasks.task import TARGET, agreed, interruptible, task
from azml_tasks.text import printable

if TYPE_CHECKING:
    from azml_tasks.backend import Backend, DueRun, ScheduleRow, Schedules
    from azml_tasks.model.schedule import Schedule
    from azml_tasks.reading import Project
    from azml_tasks.schedule.recurrence import Clock

NAME = "Name of the schedule; default: the name in pipeline.yaml."


@task(
    help={
        "target": TARGET,
        "run-now": "Also start a run now (Azure ML only); otherwise the first run is at the next scheduled time.",
    }
)
def schedule(context: Context, target: str = "", run_now: bool = False) -> None:
    """Create or update the schedule, publishing the pipeline first if it changed."""
    from azml_tasks.backend import UnsupportedError
    from azml_tasks.tasks.blocks import schedule_block, schedule_times

    project = load(context, target, with_files=True)
    backend = backend_of(project)
    if is_dry(context):
        schedule_block(project, backend, run_now).show()
        return
    try:
        with interruptible(
            "the pipeline may be published and its schedule changed; run `invoke schedule` to complete it, or "
            "`invoke schedules.list` to see the schedules"
        ):
            published, done = backend.schedule(run_now=run_now, dry=False)
    except UnsupportedError as error:
        if run_now:
            name = project.pipeline.backend
            print(f"note: --run-now is ignored with the backend {name}; start a run with `invoke run`")
        _print_preview(project, 5, f"{error}:")
        return
    if published:
        print(published)
    print(done)
    for line in schedule_times(project, done.next_time(datetime.now(timezone.utc))):
        print(line)
    for note in (*(published.notes if published else ()), *done.notes):
        print(f"note: {note}")
    if run_now:
        _run_now(backend)


@task(
    name="list",
    default=True,
    help={"target": TARGET, "all": "List all schedules of the workspace, not only those of this pipeline."},
)
def list_(context: Context, target: str = "", all: bool = False) -> None:  # noqa: A002  (the flag is --all)
    """List the schedules, with what each runs and its next time."""
    rows = backend_of(load(context, target)).schedules.list(everything=all)
    if not rows:
        raise Exit("no schedules yet; create one with `invoke schedule`", code=1)
    for row in rows:
        print(_line(row))


@task(least={"count": 1}, help={"target": TARGET, "count": "Number of times to show; default: 10."})
def preview(context: Context, target: str = "", count: int = 10) -> None:
    """Show the next times of the schedule, in its time zone and in UTC."""
    _print_preview(load(context, target), count)


@task(help={"target": TARGET, "name": NAME})
def pause(context: Context, target: str = "", name: str = "") -> None:
    """Disable the schedule until `schedules.resume` or `schedule` enables it."""
    backend, dry = backend_of(load(context, target)), is_dry(context)
    with interruptible(
        "the schedule may be disabled; complete it with `invoke schedules.pause`, or undo it with "
        "`invoke schedules.resume`"
    ):
        changes = backend.schedules.pause(name, dry=dry)
    for change in changes:
        print(change)
    if any(change.is_made for change in changes):
        print("enable it with `invoke schedules.resume`, or keep it disabled with `enabled: false` in pipeline.yaml")


@task(help={"target": TARGET, "name": NAME})
def resume(context: Context, target: str = "", name: str = "") -> None:
    """Enable a paused schedule again."""
    backend, dry = backend_of(load(context, target)), is_dry(context)
    with interruptible(
        "the schedule may be enabled; complete it with `invoke schedules.resume`, or undo it with "
        "`invoke schedules.pause`"
    ):
        changes = backend.schedules.resume(name, dry=dry)
    for change in changes:
        print(change)


@task(
    help={
        "target": TARGET,
        "all": "Check all schedules of the workspace, not only those of this pipeline.",
        "yes": "Disable them without confirmation.",
    }
)
def prune(context: Context, target: str = "", all: bool = False, yes: bool = False) -> None:  # noqa: A002
    """Disable duplicate, orphaned and outdated schedules."""
    backend, dry = backend_of(load(context, target)), is_dry(context)
    with interruptible(
        "some schedules may be disabled; see them with `invoke schedules.list`, or complete it with "
        "`invoke schedules.prune`"
    ):
        _prune(backend.schedules, all, yes, dry)


def _prune(schedules: Schedules, everything: bool, yes: bool, dry: bool) -> None:
    found = schedules.redundant(everything=everything)
    for redundant in found:
        print(f"{redundant.row.name} ({redundant.row.id}): {redundant.reason}")
    if not found:
        print("no duplicate, orphaned or outdated schedules")
    elif dry:
        print(f"{_counted(len(found))} would be disabled")
    elif yes or agreed(f"Disable {_counted(len(found))}?", "to disable them"):
        print(f"{_counted(len(schedules.disable(found)))} disabled")
    else:
        raise Exit("nothing changed", code=1)


@task(least={"most": 1}, help={"target": TARGET, "most": "Stop after this many runs; default: run until Ctrl-C."})
def run(context: Context, target: str = "", most: int = 0) -> None:
    """Run the pipeline locally at its scheduled times, in the foreground."""
    from azml_tasks.schedule.recurrence import SystemClock

    project = load(context, target)
    backend_of(project).schedules.check_foreground()
    if is_dry(context):
        _print_preview(project, most or 5, "would run the pipeline in the foreground:")
    else:
        run_in_foreground(project, SystemClock(), most or None)


def run_in_foreground(project: Project, clock: Clock, most: int | None) -> None:
    """Run the pipeline when it is due, `most` times or until Ctrl-C, and print each run."""
    from azml_tasks.backend import DueRun, Watch
    from azml_tasks.runs.progress import progress_on
    from azml_tasks.schedule.checks import declared_schedule
    from azml_tasks.schedule.describe import describe
    from azml_tasks.schedule.recurrence import default_start

    asked, schedules = declared_schedule(project), backend_of(project).schedules
    progress = progress_on(sys.stdout, target=project.target or "")
    print(f"{describe(asked)}; stop with Ctrl-C", flush=True)
    if not asked.start and not asked.on_blob_change:
        # Only once, so that the printed times are those of the runs.
        asked = asked.model_copy(update={"start_time": default_start(asked, clock.now()).isoformat()})
    to_go = most
    try:
        _print_next(asked, clock)
        for event in schedules.run(asked, clock, most, Watch(progress, tick=progress.tick)):
            if isinstance(event, DueRun):
                _print_due(event)
                continue
            if event.failure:
                # The next run starts anyway.
                print(printable(event.failure), flush=True)
            to_go = to_go and to_go - 1
            if to_go != 0 and event.record.status != "cancelled":
                _print_next(asked, clock)
    except KeyboardInterrupt:
        print("stopped")


def _print_next(schedule: Schedule, clock: Clock) -> None:
    """Print the next time of the schedule; a blob schedule has none."""
    from azml_tasks.schedule.describe import preview as of_schedule
    from azml_tasks.schedule.describe import time_text

    for moment, _ in of_schedule(schedule, clock.now(), 1).times:
        print(f"next run: {time_text(moment)}", flush=True)


def _print_due(due: DueRun) -> None:
    from azml_tasks.schedule.describe import time_text

    if due.missed:
        print(f"{time_text(due.missed)}: skipped, because another run was in progress or this machine was suspended")
    print(f"{time_text(due.at)}: starting a run" + (f" for {due.blob}" if due.blob else ""), flush=True)


def _run_now(backend: Backend) -> None:
    from azml_tasks.backend import RunRequest

    with interruptible("the schedule is up to date, and a run may have started; see `invoke runs.list`"):
        run = backend.published.run(RunRequest())
    if run.record:
        print(f"run {run.record.id} of {run.version}, experiment {run.record.experiment}\n{run.record.url}")


def _print_preview(project: Project, count: int, heading: str = "") -> None:
    from azml_tasks.tasks.blocks import preview_lines

    lines = [*preview_lines(project, count)]
    for line in (*([heading] if heading else ()), *lines):
        print(line)


def _line(row: ScheduleRow) -> str:
    from azml_tasks.schedule.describe import time_text

    following = f"; next {time_text(row.next)}" if row.next else ""
    return f"{row.state:<8}  {row.name}: {row.words}{following}; runs {row.runs} ({row.id})"


def _counted(number: int) -> str:
    return "1 schedule" if number == 1 else f"{number} schedules"
