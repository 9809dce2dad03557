"""Run a project's pipeline on Azure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.records import RunRecord
from azml_tasks.azure.watch import Watch
from azml_tasks.checks import check_contracts
from azml_tasks.errors import RunError
from azml_tasks.needs import check_needs
from azml_tasks.overrides import override
from azml_tasks.reading import Project
from azml_tasks.runs.events import RunStarted
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots
from azml_tasks.wiring import plan as plan_of
from azml_tasks.wiring.parameters import parameter_values


def run(
    project: Project,
    ws: Any,
    *,
    experiment: str | None = None,
    settings: Iterable[str] = (),
    force: bool = False,
    wait: bool = True,
    watch: Watch | None = None,
) -> RunRecord:
    """Run a project's pipeline in the workspace and return the record of the run.

    `settings` are overrides (`train.lr=0.1`), and `force` runs every step anew. Unless `wait` is false the run is
    followed to its end. Raises RunError when the run fails, and ProjectError, OverrideError or ServiceError when it
    cannot be started.
    """
    watch = watch or Watch()
    check_needs(project)
    changed = plan_of(override(project.pipeline, settings))
    parameters = parameter_values(project.plan, changed)
    builder = SnapshotBuilder(project.directory)
    snapshots = take_snapshots(builder, project.plan.steps, project.problem)
    check_contracts(changed.steps, snapshots, builder, project.problem, changed.pipeline.pipeline_parameters)
    with service_calls("running the pipeline"):
        from azml_tasks.azure.launch import submit, watched
        from azml_tasks.azure.resources import find_resources

        resources = find_resources(ws, project.plan, project.directory)
        named = experiment or project.pipeline.experiment
        try:
            submitted = submit(ws, project.plan, snapshots, resources, named, parameters, force)
        except KeyboardInterrupt:
            raise RunError(
                "interrupted while the pipeline was sent; `invoke runs.list` shows whether a run has started, and "
                "`invoke runs.cancel` stops it"
            ) from None
        watch.listener(RunStarted(submitted.record, tuple(step.key for step in project.plan.steps)))
        return watched(submitted, watch, project.directory) if wait else submitted.record
