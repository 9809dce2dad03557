"""Tasks that look at the runs of either backend."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from invoke import Context

from azml_tasks.errors import printable
from azml_tasks.tasks.settings import is_dry, load, local_runs, project_file
from azml_tasks.tasks.task import TARGET, interruptible, task

if TYPE_CHECKING:
    from azml_tasks.runs.records import RunRecord, StepRecord

    Run = RunRecord[StepRecord]

# What is shown for an empty log.
_SILENT = {"waiting": "(has not started)", "skipped": "(was skipped)", "running": "(has printed nothing yet)"}
RUN = "The run's id, or how it begins; by default the newest."


@task(
    name="list",
    least={"most": 1},
    help={
        "target": TARGET,
        "most": "How many to show; 20 by default.",
        "experiment": "The runs of this experiment alone; by default, on Azure those of the file's.",
    },
)
def list_(context: Context, target: str = "", most: int = 20, experiment: str = "") -> None:
    """List the runs, the newest first."""
    from azml_tasks.errors import RunError

    here = local_runs(context, target)
    if here is None:
        from azml_tasks.azure.connection import connect
        from azml_tasks.azure.runs import list_runs as list_on_azure

        project = load(context, target)
        experiment = experiment or project.pipeline.experiment
        records: Sequence[Run] = list_on_azure(connect(project), experiment, most + 1)
    else:
        from azml_tasks.local.runs import list_runs

        records = [run for run in list_runs(here) if experiment in ("", run.experiment)]
    _say_what_is_passed_over(here)
    rows = [(run.id, run.status, _date(run.started), _span(run.seconds), run.experiment) for run in records[:most]]
    if not rows:
        where = f"in the experiment '{experiment}'" if experiment else "here"
        raise RunError(f"nothing has been run {where} yet; `invoke run` does")
    print(printable("\n".join(_table([("RUN", "STATUS", "STARTED", "TIME", "EXPERIMENT"), *rows]))))
    if len(records) > most:
        print(f"there are older ones; `--most {2 * most}` shows twice as many")


@task(help={"target": TARGET, "run": RUN})
def show(context: Context, target: str = "", run: str = "") -> None:
    """Show a run: its steps, how they ended, and what was logged and tagged."""
    from azml_tasks.runs.values import metric_lines, value_text

    record = _find(context, target, run)
    print(f"run {record.id} of experiment {record.experiment}: {record.status}, {_span(record.seconds)}")
    if record.started:
        print(f"started {_date(record.started)}")
    if record.url:
        print(record.url)
    for line in record.origin_lines():
        print(printable(line))
    for name, value in record.parameters.items():
        print(f"parameter {name} = {value_text(value)}")
    for name, tag in record.recorded_tags().items():
        print(printable(f"tag {name}" + ("" if tag is None else f" = {value_text(tag)}")))
    for line in metric_lines(record.metrics()):
        print(printable(f"metric {line}"))
    rows = [(step.key, step.status, _span(step.seconds), step.message or step.reason) for step in record.steps]
    print(printable("\n".join(_table([("STEP", "STATUS", "TIME", "WHY"), *rows]))))
    for step in record.steps:
        for line in metric_lines(step.metrics()):
            print(printable(f"{step.key}: {line}"))


@task(help={"target": TARGET, "run": RUN, "step": "Only what this step printed; by default what every step did."})
def logs(context: Context, target: str = "", run: str = "", step: str = "") -> None:
    """Print what the scripts of a run printed."""
    for record, pieces in _logs(context, target, run or None, step or None):
        if not step:
            print(f"--- {record.key}")
        last = ""
        for piece in filter(None, pieces):
            sys.stdout.write(piece)
            last = piece
        if not last:
            # Of one step, what stands on standard output is its log and nothing else.
            print(_SILENT.get(record.status, "(printed nothing)"), file=sys.stderr if step else sys.stdout)
        elif not step and not last.endswith("\n"):
            print()


@task(help={"target": TARGET, "run": RUN})
def cancel(context: Context, target: str = "", run: str = "") -> None:
    """Stop a run."""
    here = local_runs(context, target)
    if is_dry(context):
        record = _find(context, target, run)
        print(f"would cancel {record.id}, which is {record.status}")
    elif here is None:
        from azml_tasks.azure.connection import connect
        from azml_tasks.azure.runs import cancel_run

        project = load(context, target)
        with interruptible(
            "Azure ML may have been asked to cancel the run; `invoke runs.show` shows it, and `invoke runs.cancel` "
            "completes it"
        ):
            record = cancel_run(connect(project), project.pipeline.experiment, run or None)
        print(f"Azure ML was asked to cancel {record.id}")
    else:
        from azml_tasks.local.cancellation import cancel_run as cancel_here

        print(f"{cancel_here(here, run or None).id} was told to stop")


@task(help={"keep": "How many of the newest runs to keep; 5 by default. What the next run would reuse stays anyway."})
def prune(context: Context, keep: int = 5) -> None:
    """Clear away local runs, but for the newest and the results that are in use."""
    from azml_tasks.local.runs import list_runs
    from azml_tasks.local.runs import prune as prune_here

    dry, here = is_dry(context), project_file(context).parent
    gone = prune_here(here, keep=keep, dry=dry)
    _say_what_is_passed_over(here)
    for run_id in gone:
        print(f"{'would clear' if dry else 'cleared'} {run_id}")
    left = [run for run in list_runs(here) if run.id not in gone]
    for run in left[keep:]:
        why = (
            "as far as its results are in use, or the next run would reuse them" if run.is_over else "since it goes on"
        )
        print(f"{run.id} stays, {why}")
    if not gone and len(left) <= keep:
        newest = {0: "there are no runs", 1: "the newest run stays"}.get(keep, f"the newest {keep} runs stay")
        print(f"nothing to clear: {newest}")


def _find(context: Context, target: str, wanted: str) -> Run:
    here = local_runs(context, target)
    if here is None:
        from azml_tasks.azure.connection import connect
        from azml_tasks.azure.runs import find_run as find_on_azure

        project = load(context, target)
        return find_on_azure(connect(project), project.pipeline.experiment, wanted or None, project.plan)
    from azml_tasks.local.runs import find_run

    if not wanted:
        _say_what_is_passed_over(here)
    return find_run(here, wanted or None)


def _say_what_is_passed_over(here: Path | None) -> None:
    """Name the local runs that are not shown, on standard error: standard output may be a log."""
    from azml_tasks.local.runs import passed_over

    sentence = passed_over(here) if here else ""
    if sentence:
        print(f"note: {sentence}", file=sys.stderr)


def _logs(
    context: Context, target: str, wanted: str | None, step: str | None
) -> Iterator[tuple[StepRecord, Iterable[str]]]:
    """Find the logs of a run's steps, in pieces.

    Raises RunError when nothing has been run, and UsageError for a run or a step that there is not.
    """
    here = local_runs(context, target)
    if here is None:
        from azml_tasks.azure.connection import connect
        from azml_tasks.azure.runs import read_logs

        project = load(context, target)
        for log in read_logs(connect(project), project.pipeline.experiment, wanted, step, project.plan):
            yield log.step, [log.text]
        return
    from azml_tasks.errors import UsageError, what_there_is
    from azml_tasks.local.logs import read_log
    from azml_tasks.local.runs import find_run

    if wanted is None:
        _say_what_is_passed_over(here)
    record = find_run(here, wanted)
    keys = [one.key for one in record.steps]
    if step is not None and step not in keys:
        raise UsageError(f"the run {record.id} has no step '{step}'{what_there_is(step, keys)}")
    for one in record.steps:
        if step in (None, one.key):
            yield one, read_log(one)


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _date(seconds: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds)) if seconds else ""


def _span(seconds: float | None) -> str:
    from azml_tasks.durations import seconds_text

    return seconds_text(seconds) if seconds is not None else ""
