"""Tasks that have the pipeline run by itself, and look after its schedules."""

from __future__ import annotations

import os
import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from invoke import Context, Exit

from azml_tasks.errors import printable
from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import TARGET, interruptible, task

if TYPE_CHECKING:
    from azml_tasks.azure.schedule_listing import Listed
    from azml_tasks.local.foreground import Clock, Due
    from azml_tasks.local.scheduled import Ran
    from azml_tasks.model.schedule import Schedule
    from azml_tasks.reading import Project

NAME = "The schedule's name; by default that of pipeline.yaml."


@task(
    help={
        "target": TARGET,
        "run-now": "Start a run now, too (on Azure ML only); else the first is at the schedule's next time.",
    }
)
def schedule(context: Context, target: str = "", run_now: bool = False) -> None:
    """Have the pipeline run by itself as the file says, published anew if changed."""
    project, dry = load(context, target, with_files=True), is_dry(context)
    if project.pipeline.backend == "local":
        if run_now:
            print("note: --run-now has no meaning on this machine: `invoke run` starts a run")
        _print_preview(
            project, 5, "this machine keeps no schedule; `invoke schedules.run` runs in the foreground what is due:"
        )
        return
    from azml_tasks.azure.schedules import schedule as keep
    from azml_tasks.errors import AzmlError
    from azml_tasks.preview import in_words
    from azml_tasks.schedule_checks import asked_schedule

    asked = asked_schedule(project)
    if run_now and not asked.enabled:
        raise AzmlError("--run-now: the schedule is off (`enabled: false`); `invoke published.run` starts a run")
    with interruptible(
        "the pipeline may be published, and its schedule changed; `invoke schedule` completes it, and "
        "`invoke schedules.list` shows what is on"
    ):
        ws = _connect(project)
        published, done = keep(project, ws, dry=dry)
    if published:
        print(published)
    print(done)
    if asked.enabled:
        following = done.next_time(datetime.now(timezone.utc))
        print(f"  {in_words(asked)}" + (f"; next {_time(following)}" if following else ""))
    for note in (*(published.notes if published else ()), *done.notes):
        print(f"note: {note}")
    if run_now:
        _run_now(project, ws, dry)


@task(name="list", help={"target": TARGET, "all": "List those of the whole workspace, not this pipeline's alone."})
def list_(context: Context, target: str = "", all: bool = False) -> None:  # noqa: A002  (the flag is --all)
    """List the schedules in all states, with what each runs and when next."""
    project = load(context, target)
    rows = _rows(project, _azure(project), all)
    if not rows:
        raise Exit("there is no schedule; `invoke schedule` makes one", code=1)
    for row in rows:
        print(_line(row))


@task(least={"count": 1}, help={"target": TARGET, "count": "How many of the next times to show; 10 by default."})
def preview(context: Context, target: str = "", count: int = 10) -> None:
    """Show the next times of the file's schedule, in its zone and in UTC."""
    _print_preview(load(context, target), count)


@task(help={"target": TARGET, "name": NAME})
def pause(context: Context, target: str = "", name: str = "") -> None:
    """Switch the schedule off until `schedules.resume` or `schedule` is used."""
    project, dry = load(context, target), is_dry(context)
    from azml_tasks.azure import pausing
    from azml_tasks.azure.schedules import schedule_name

    with interruptible(
        "the schedule may be off; `invoke schedules.pause` completes it, and `invoke schedules.resume` switches it on"
    ):
        switched = pausing.pause(project, _azure(project), name, dry)
    for record in switched:
        print(f"schedule {record.name}: {'would be ' if dry else ''}switched off")
    if not switched:
        print(f"schedule {name or schedule_name(project)}: is off already")
    else:
        print("`invoke schedules.resume` switches it on; `enabled: false` in pipeline.yaml keeps it off")


@task(help={"target": TARGET, "name": NAME})
def resume(context: Context, target: str = "", name: str = "") -> None:
    """Switch the schedule on again, as it was."""
    project, dry = load(context, target), is_dry(context)
    from azml_tasks.azure import pausing

    with interruptible(
        "the schedule may be on; `invoke schedules.resume` completes it, and `invoke schedules.pause` switches it off"
    ):
        record, was_off = pausing.resume(project, _azure(project), name, dry)
    done = f"{'would be ' if dry else ''}switched on" if was_off else "is on already"
    print(f"schedule {record.name}: {done}")


@task(
    help={
        "target": TARGET,
        "all": "Look at the whole workspace, not at this file's pipeline alone.",
        "yes": "Switch them off without asking.",
    }
)
def prune(context: Context, target: str = "", all: bool = False, yes: bool = False) -> None:  # noqa: A002
    """Switch off duplicate, orphaned and outdated schedules."""
    project, dry = load(context, target), is_dry(context)
    with interruptible(
        "some of the schedules may be switched off; `invoke schedules.prune` completes it, and `invoke schedules.list` "
        "shows what is on"
    ):
        _prune(project, all, yes, dry)


def _prune(project: Project, everything: bool, yes: bool, dry: bool) -> None:
    ws = _azure(project)
    from azml_tasks.azure.schedule_listing import prune as switch_off
    from azml_tasks.azure.schedule_listing import strays

    found = strays(_rows(project, ws, everything))
    for stray in found:
        print(f"{stray.row.record.name} ({stray.row.record.id}): {stray.reason}")
    if not found:
        print("no schedule is duplicate, orphaned or outdated")
    elif dry:
        print(f"{_counted(len(found))} would be switched off")
    elif yes or _agreed(f"Switch {_counted(len(found))} off?"):
        print(f"{_counted(len(switch_off(ws, found)))} switched off")
    else:
        raise Exit("nothing was changed", code=1)


@task(least={"most": 1}, help={"target": TARGET, "most": "Stop after so many runs; by default go on until Ctrl-C."})
def run(context: Context, target: str = "", most: int = 0) -> None:
    """Run the pipeline here whenever its schedule says so, in the foreground."""
    from azml_tasks.errors import AzmlError
    from azml_tasks.local.foreground import SystemClock

    project = load(context, target)
    if project.pipeline.backend != "local":
        raise AzmlError("Azure ML runs its schedules by itself; `invoke published.run` starts a run now")
    if is_dry(context):
        _print_preview(project, most or 5, "would run the pipeline here, in the foreground:")
    else:
        run_in_foreground(project, SystemClock(), most or None)


def run_in_foreground(project: Project, clock: Clock, most: int | None) -> None:
    """Run the pipeline here whenever it is due by the clock, so many times or until Ctrl-C, and tell of it."""
    from azml_tasks.local.foreground import Due
    from azml_tasks.local.scheduled import run_when_due
    from azml_tasks.preview import in_words
    from azml_tasks.recurrence import default_start
    from azml_tasks.runs.progress import progress_on
    from azml_tasks.schedule_checks import asked_schedule

    asked = asked_schedule(project)
    progress = progress_on(sys.stdout)
    print(f"{in_words(asked)}; Ctrl-C ends it", flush=True)
    if not asked.start and not asked.on_blob_change:
        # Once, so that what is told now is what comes.
        asked = asked.model_copy(update={"start_time": default_start(asked, clock.now()).isoformat()})
    to_go = most
    try:
        _tell_next(asked, clock)
        for event in run_when_due(project, asked, clock, on_event=progress, tick=progress.tick, most=most):
            if isinstance(event, Due):
                _tell_due(event)
                continue
            _tell_ended(event)
            to_go = to_go and to_go - 1
            if to_go != 0 and event.record.status != "cancelled":
                _tell_next(asked, clock)
    except KeyboardInterrupt:
        print("no longer waiting")


def _tell_next(schedule: Schedule, clock: Clock) -> None:
    """Say when the next run is; of a blob schedule, nobody knows."""
    from azml_tasks.preview import preview as of_schedule

    for moment, _ in of_schedule(schedule, clock.now(), 1).times:
        print(f"the next run is on {_time(moment)}", flush=True)


def _tell_due(due: Due) -> None:
    if due.missed:
        print(f"{_time(due.missed)} went by while nothing could be run")
    print(f"{_time(due.at)}: {due.blob or 'the schedule'} starts a run", flush=True)


def _tell_ended(ran: Ran) -> None:
    """Say what went wrong; the next run comes all the same."""
    from azml_tasks.local.outcome import failure_text

    if ran.record.status != "completed":
        print(printable(failure_text(ran.record)), flush=True)


def _run_now(project: Project, ws: Any, dry: bool) -> None:
    from azml_tasks.azure.relaunch import relaunch

    if dry:
        print("would start a run now")
        return
    with interruptible("the schedule is as the file says, and a run may have started; `invoke runs.list` shows it"):
        version, record = relaunch(project, ws)
    if record:
        print(f"run {record.id} of {version}, experiment {record.experiment}\n{record.url}")


def _print_preview(project: Project, count: int, heading: str = "") -> None:
    from azml_tasks.preview import in_words
    from azml_tasks.preview import preview as of_schedule
    from azml_tasks.schedule_checks import asked_schedule

    asked = asked_schedule(project)
    shown = of_schedule(asked, datetime.now(timezone.utc), count)
    if heading:
        print(heading)
    print(in_words(asked))
    for moment, remark in shown.times:
        in_utc = "" if moment.tzname() == "UTC" else f"  {_time(moment.astimezone(timezone.utc))}"
        print(f"  {_time(moment)}{in_utc}{f'  ({remark})' if remark else ''}")
    for note in shown.notes:
        print(f"note: {note}")


def _rows(project: Project, ws: Any, everything: bool) -> list[Listed]:
    from azml_tasks.azure.publish import published_name
    from azml_tasks.azure.schedule_listing import list_schedules
    from azml_tasks.azure.schedules import schedule_name

    only = {} if everything else {"pipeline": published_name(project), "name": schedule_name(project)}
    return list_schedules(ws, datetime.now(timezone.utc), **only)


def _line(row: Listed) -> str:
    following = f"; next {_time(row.next)}" if row.next else ""
    return f"{row.state:<6}  {row.record.name}: {row.words}{following}; runs {row.runs} ({row.record.id})"


def _time(moment: datetime) -> str:
    seconds = ":%S" if moment.second else ""
    return moment.strftime(f"%a %Y-%m-%d %H:%M{seconds} %Z")


def _counted(number: int) -> str:
    return "1 schedule" if number == 1 else f"{number} schedules"


def _agreed(question: str) -> bool:
    """Ask at the terminal; where there is none, nobody agrees."""
    from azml_tasks.errors import AzmlError

    if not sys.stdin.isatty() or os.environ.get("CI", "").lower() not in ("", "0", "false"):
        raise AzmlError("nothing was changed, since there is nobody to ask; --yes switches them off")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _azure(project: Project) -> Any:
    from azml_tasks.errors import AzmlError

    if project.pipeline.backend == "local":
        raise AzmlError(
            "this machine keeps no schedules: `invoke schedules.preview` shows the times of the file's, and "
            "`invoke schedules.run` runs in the foreground what is due. "
            "Name a target whose backend is azure with --target"
        )
    return _connect(project)


def _connect(project: Project) -> Any:
    from azml_tasks.azure.connection import connect

    return connect(project)
