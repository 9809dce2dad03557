"""The task that runs the pipeline."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict

from invoke import Context

from azml_tasks.errors import printable
from azml_tasks.tasks.flags import named_experiment
from azml_tasks.tasks.settings import is_dry, load
from azml_tasks.tasks.task import SET, TARGET, interruptible, task, with_target

if TYPE_CHECKING:
    from azml_tasks.local.record import Origin
    from azml_tasks.model import Pipeline
    from azml_tasks.reading import Project


class Selected(TypedDict):
    """Which steps a local run is about."""

    from_step: str | None
    only: str | None
    force: bool


@task(
    iterable=["set"],
    help={
        "target": TARGET,
        "set": SET,
        "from-step": "Run this step and what follows it, on what the last run left (local runs only).",
        "only": "Run this step alone, on what the last run left (local runs only).",
        "experiment": "File the run under this experiment.",
        "force": "Run every step anew, whatever could be reused.",
        "wait": "--no-wait returns as soon as Azure has taken the run; a local run is always waited for.",
    },
)
def run(
    context: Context,
    target: str = "",
    set: Sequence[str] | None = None,  # noqa: A002  (the flag is --set)
    from_step: str = "",
    only: str = "",
    experiment: str = "",
    force: bool = False,
    wait: bool = True,
) -> None:
    """Run the pipeline, on this machine or on Azure ML, as pipeline.yaml says."""
    from azml_tasks.errors import AzmlError
    from azml_tasks.overrides import override
    from azml_tasks.reading.schema_file import write_schema

    project = load(context, target, with_files=True)
    pipeline = override(project.pipeline, set or ())
    is_local = pipeline.backend == "local"
    if not is_local and (from_step or only):
        raise AzmlError(
            "--from-step and --only are for local runs; on Azure ML, steps that have not changed are reused anyway"
        )
    wanted = named_experiment(experiment)
    print(_where(project), flush=True)
    if not is_local:
        _check_azure(project)
    selection: Selected = {"from_step": from_step or None, "only": only or None, "force": force}
    if is_dry(context):
        _foretell(project, pipeline, selection, set or ()) if is_local else _name_steps(project, pipeline)
        return
    write_schema(project.directory)
    if is_local:
        _run_here(project, pipeline, wanted, selection, set or ())
    else:
        _run_on_azure(project, set or (), experiment=wanted, force=force, wait=wait)


def _check_azure(project: Project) -> None:
    """See that the file has what Azure needs, before anything is sent."""
    from azml_tasks.errors import ProjectError
    from azml_tasks.needs import check_workspace, needs_problems

    problems = needs_problems(project)
    if problems:
        raise ProjectError(problems)
    check_workspace(project)


def _where(project: Project) -> str:
    target = f", target {project.target}" if project.target else ""
    if project.pipeline.backend == "local":
        return f"{project.file.name} on this machine (backend local{target})"
    from azml_tasks.model.base import is_unresolved

    workspace = project.pipeline.ws_name
    where = f"in the workspace {workspace}" if workspace and not is_unresolved(workspace) else "on Azure ML"
    is_stated = "backend" in project.pipeline.model_fields_set
    default = "" if is_stated else ", which is the default: `backend: local` runs it on this machine"
    return f"{project.file.name} {where} (backend azure{target}{default})"


def _foretell(project: Project, pipeline: Pipeline, selection: Selected, settings: Sequence[str]) -> None:
    """Say what a local run would do with each step, and why."""
    from azml_tasks.local.forecast import forecast
    from azml_tasks.wiring import plan

    parameters = pipeline.pipeline_parameters
    forecasts = forecast(
        plan(pipeline),
        project.directory,
        parameters=parameters,
        origin=_origin(project, None, selection, settings),
        located=project.problem,
        **selection,
    )
    for step in forecasts:
        # The reason for reusing a step says itself that it does.
        reason = step.reason if step.verdict == "reused" else f"{step.verdict}; {step.reason}"
        print(printable(f"{step.key}: {reason}"))


def _name_steps(project: Project, pipeline: Pipeline) -> None:
    """Say which steps would be submitted, when their files are all there and take what they are passed."""
    from azml_tasks.checks import check_contracts
    from azml_tasks.snapshot import SnapshotBuilder, take_snapshots
    from azml_tasks.wiring import plan as plan_of

    plan = plan_of(pipeline)
    builder = SnapshotBuilder(project.directory)
    snapshots = take_snapshots(builder, plan.steps, project.problem)
    check_contracts(plan.steps, snapshots, builder, project.problem, pipeline.pipeline_parameters)
    print(f"would submit {', '.join(snapshots)}")


def _origin(project: Project, experiment: str | None, selection: Selected, settings: Sequence[str]) -> Origin:
    """Return what a local run is started with, for its record."""
    from azml_tasks.local.provenance import shown_settings
    from azml_tasks.local.record import Origin

    changes = shown_settings(settings)
    flags = {
        "--target": project.target,
        "--from-step": selection["from_step"],
        "--only": selection["only"],
        "--experiment": experiment,
    }
    words = [word for name, value in flags.items() if value for word in (name, value)]
    words += [word for change in changes for word in ("--set", change)]
    words += ["--force"] if selection["force"] else []
    return Origin(project.target or "", ("invoke", "run", *words), changes)


def _run_here(
    project: Project, pipeline: Pipeline, experiment: str | None, selection: Selected, settings: Sequence[str]
) -> None:
    from azml_tasks.local.processes import processes_for

    # First: it warms up while the rest is imported.
    processes = processes_for(pipeline, project.directory)
    from azml_tasks.local.outcome import raise_for_status
    from azml_tasks.local.runner import run_pipeline
    from azml_tasks.runs.progress import progress_on
    from azml_tasks.wiring import plan

    progress = progress_on(sys.stdout)
    record = run_pipeline(
        plan(pipeline),
        project.directory,
        experiment=experiment,
        parameters=pipeline.pipeline_parameters,
        on_event=progress,
        tick=progress.tick,
        processes=processes,
        origin=_origin(project, experiment, selection, settings),
        located=project.problem,
        **selection,
    )
    raise_for_status(record)


def _run_on_azure(
    project: Project, settings: Sequence[str], *, experiment: str | None, force: bool, wait: bool
) -> None:
    from azml_tasks.azure.connection import connect
    from azml_tasks.azure.submission import run as run_on_azure
    from azml_tasks.azure.watch import Watch
    from azml_tasks.runs.progress import progress_on

    progress = progress_on(sys.stdout)
    asks = _asks_to_cancel if sys.stdin.isatty() else None
    with interruptible(
        "environments of the file may have been registered; `invoke runs.list` shows whether a run has started, and "
        "`invoke run` starts one"
    ):
        record = run_on_azure(
            project,
            connect(project),
            experiment=experiment,
            settings=settings,
            force=force,
            wait=wait,
            watch=Watch(progress, asks_to_cancel=asks, tick=progress.tick),
        )
    if not wait:
        print(with_target(f"`invoke runs.show --run {record.id}` shows how far it is", project.target or ""))


def _asks_to_cancel() -> bool:
    """Ask at the terminal what is to become of a run that is no longer watched; a second Ctrl-C lets it go on."""
    try:
        return input("\nCancel the run on Azure ML? [y/N] ").strip().lower() in ("y", "yes")
    except (KeyboardInterrupt, EOFError):
        return False
