"""Run a pipeline on this machine whenever its schedule says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from azml_tasks.local.foreground import Clock, Due, due
from azml_tasks.local.layout import Layout
from azml_tasks.local.provenance import shown_settings
from azml_tasks.local.record import Origin, RunRecord
from azml_tasks.local.runner import run_pipeline
from azml_tasks.overrides import override
from azml_tasks.runs.events import Listener
from azml_tasks.wiring import plan

if TYPE_CHECKING:
    from azml_tasks.model.schedule import Schedule
    from azml_tasks.reading import Project


@dataclass(frozen=True)
class Ran:
    """A run that was due, and its record."""

    due: Due
    record: RunRecord


def run_when_due(
    project: Project, schedule: Schedule, clock: Clock, *, on_event: Listener, tick: float | None, most: int | None
) -> Iterator[Due | Ran]:
    """Yield each run when it is due, and again with its record when it is over.

    Ends after `most` runs, None for no end, and when a run is cancelled. The blob that changed is given to the run by
    the schedule's `data_path_parameter_name`.
    """
    layout = Layout.of(project.directory)
    for moment in islice(due(schedule, layout.datastores, clock), most):
        yield moment
        settings = _settings(schedule, moment)
        pipeline = override(project.pipeline, settings)
        record = run_pipeline(
            plan(pipeline),
            project.directory,
            parameters=pipeline.pipeline_parameters,
            on_event=on_event,
            tick=tick,
            origin=Origin(project.target or "", ("invoke", "schedules.run"), shown_settings(settings)),
            located=project.problem,
        )
        yield Ran(moment, record)
        if record.status == "cancelled":
            return


def _settings(schedule: Schedule, moment: Due) -> list[str]:
    parameter = schedule.on_blob_change.data_path_parameter_name if schedule.on_blob_change else None
    return [f"{parameter}={moment.blob}"] if parameter and moment.blob else []
