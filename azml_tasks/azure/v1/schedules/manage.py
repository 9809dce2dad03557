"""List the schedules of a workspace, disable those that are redundant, pause and resume the pipeline's own."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from azml_tasks import backend
from azml_tasks.azure.published import published_name, schedule_name
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import MOST_ENDPOINTS, PublishedVersions, find_endpoint, find_published
from azml_tasks.azure.v1.schedules.decide import WantedSchedule, fits, own_schedules, surviving
from azml_tasks.azure.v1.schedules.reconcile import leave_none_on, leave_one_on
from azml_tasks.azure.v1.schedules.records import BlobWatch, Recurrence, ScheduleRecord, read_schedules, switch
from azml_tasks.backend import RedundantSchedule
from azml_tasks.errors import ServiceError
from azml_tasks.model.schedule import BlobChange, Schedule
from azml_tasks.reading import Project
from azml_tasks.schedule.describe import describe
from azml_tasks.schedule.recurrence import fire_times


@dataclass(frozen=True)
class ScheduleTarget:
    """The pipeline of a schedule.

    `name` is that of the endpoint or published pipeline, empty if it was deleted. `is_usable` is whether it can run;
    `newer` is the endpoint's default version, if the schedule runs another one.
    """

    name: str
    version: str
    is_usable: bool
    newer: str = ""

    def __str__(self) -> str:
        if not self.name:
            return "a deleted pipeline"
        return f"{self.name} {self.version}" if self.version else self.name


@dataclass(frozen=True)
class ScheduleRow(backend.ScheduleRow):
    """A row of the list of schedules."""

    record: ScheduleRecord
    target: ScheduleTarget


def list_schedules(ws: Any, now: datetime, pipeline: str | None = None, name: str | None = None) -> list[ScheduleRow]:
    """Return the schedules in all states, enabled ones first; only those of a pipeline or of a name, if given.

    `now` has a tzinfo.
    """
    with service_calls("listing the schedules"):
        catalogue = _Catalogue(ws)
        rows = [_listed(record, catalogue.runs(record), now) for record in read_schedules(ws)]
    if pipeline is not None or name is not None:
        rows = [row for row in rows if row.target.name == pipeline or (row.record.name == name and not row.target.name)]
    return sorted(rows, key=lambda row: (row.state != "enabled", row.record.name, row.record.created))


def redundant(rows: Iterable[ScheduleRow]) -> list[RedundantSchedule]:
    """Return the active schedules that are duplicates, run a deleted pipeline, or run an old version."""
    active = [row for row in rows if row.record.is_active]
    found = [RedundantSchedule(row, reason) for row in active if (reason := _idle(row))]
    taken = {one.row.id for one in found}
    groups: dict[tuple[str, str], list[ScheduleRecord]] = {}
    for row in active:
        if row.record.id not in taken:
            groups.setdefault((row.record.name, row.target.name), []).append(row.record)
    for row in active:
        kept = surviving(groups.get((row.record.name, row.target.name), ()))
        if row.record.id not in taken and kept is not None and kept.id != row.record.id:
            found.append(RedundantSchedule(row, f"duplicates {kept.id}, created on {_date(kept.created)}", kept.id))
    return found


def disable(ws: Any, found: Iterable[RedundantSchedule]) -> list[RedundantSchedule]:
    """Disable schedules, and return the disabled ones; v1 cannot delete them.

    A duplicate is kept if the schedule that it duplicates was disabled in the meantime.
    """
    switched = []
    with service_calls("disabling schedules"):
        for one in found:
            on = {record.id for record in read_schedules(ws) if record.is_active}
            if one.row.id in on and (not one.kept or one.kept in on):
                switch(ws, one.row.id, on=False)
                switched.append(one)
    return switched


class _Catalogue:
    """The pipelines and endpoints of a workspace, by id."""

    def __init__(self, ws: Any) -> None:
        from azureml.pipeline.core import PipelineEndpoint, PublishedPipeline

        self._ws = ws
        self._pipelines = {item.id: item for item in PublishedPipeline.list(ws, active_only=False)}
        listed = PipelineEndpoint.list(ws, active_only=False, max_results=MOST_ENDPOINTS)
        self._endpoints: dict[str, Any] = {item.id: item for item in listed}

    def runs(self, record: ScheduleRecord) -> ScheduleTarget:
        return self._of_endpoint(record.endpoint_id) if record.endpoint_id else self._of_pipeline(record.pipeline_id)

    def _of_endpoint(self, identifier: str) -> ScheduleTarget:
        if identifier not in self._endpoints:
            # The list may be incomplete: a missing one may still exist.
            self._endpoints[identifier] = find_endpoint(self._ws, identifier=identifier)
        endpoint = self._endpoints[identifier]
        if endpoint is None:
            return ScheduleTarget("", "", False)
        default = self._default(endpoint)
        usable = endpoint.status == "Active" and (default is None or default.status == "Active")
        return ScheduleTarget(endpoint.name, "", usable)

    def _of_pipeline(self, identifier: str | None) -> ScheduleTarget:
        pipeline = self._pipelines.get(identifier)
        if pipeline is None:
            return ScheduleTarget("", "", False)
        newer = ""
        for endpoint in self._endpoints.values():
            versions = {item.pipeline_id for item in endpoint.pipeline_version_list} if endpoint else set()
            default = self._default(endpoint) if identifier in versions else None
            if default is not None and default.id != identifier:
                newer = default.version or default.id
        return ScheduleTarget(pipeline.name, pipeline.version or "", pipeline.status == "Active", newer)

    def _default(self, endpoint: Any) -> Any | None:
        for item in endpoint.pipeline_version_list:
            if item.version == endpoint.default_version:
                return self._pipelines.get(item.pipeline_id)
        return None


def _listed(record: ScheduleRecord, target: ScheduleTarget, now: datetime) -> ScheduleRow:
    words, following = _times(record, now)
    state: Literal["enabled", "disabled", "broken"] = (
        "broken" if record.is_broken else "enabled" if record.is_active else "disabled"
    )
    start = record.trigger.start if isinstance(record.trigger, Recurrence) else None
    return ScheduleRow(record.name, record.id, state, words, str(target), following, start, record, target)


def _times(record: ScheduleRecord, now: datetime) -> tuple[str, datetime | None]:
    """Return when it runs, in words, and the next time; None where no time is known."""
    trigger = record.trigger
    if isinstance(trigger, BlobWatch):
        blob = BlobChange.model_construct(
            datastore_name=trigger.datastore, path_on_datastore=trigger.path, polling_interval=trigger.polling_interval
        )
        return describe(Schedule.model_construct(on_blob_change=blob)), None
    stated = trigger.schedule()
    if stated is None:
        return _roughly(trigger), None
    times = fire_times(stated, after=now, count=1) if record.is_active else []
    return describe(stated), times[0] if times else None


def _roughly(trigger: Recurrence) -> str:
    unit = trigger.frequency.lower()
    return f"every {unit if trigger.interval == 1 else f'{trigger.interval} {unit}s'}, {trigger.time_zone}"


def _idle(row: ScheduleRow) -> str:
    if not row.target.name:
        return "its pipeline was deleted"
    if not row.target.is_usable:
        return f"its version, {row.target}, is disabled"
    if row.target.newer:
        return f"runs {row.target}, which was replaced by {row.target.newer}"
    return ""


def _date(moment: str) -> str:
    return moment[:16].replace("T", " ")


def pause(project: Project, ws: Any, name: str = "", dry: bool = False) -> list[ScheduleRecord]:
    """Disable the project's schedule, or another of its pipeline by name, and return those that were enabled.

    Raises ServiceError if the schedule does not exist.
    """
    with service_calls("disabling the schedule"):
        own, family = _own(project, ws, name)
        return [one for one in own if one.is_active] if dry else leave_none_on(ws, own[0].name, family, own)


def resume(project: Project, ws: Any, name: str = "", dry: bool = False) -> tuple[ScheduleRecord, bool]:
    """Enable the project's schedule again, unchanged, and return it, with whether it was disabled.

    Among several, the one that matches the file is enabled, else the last that was enabled. Raises ServiceError if the
    schedule does not exist, or none matches the file.
    """
    with service_calls("enabling the schedule"):
        own, family = _own(project, ws, name)
        kept = surviving(own)
        if kept is not None:
            is_alone = sum(record.is_active for record in own) == 1
            return kept if dry or is_alone else leave_one_on(ws, kept.name, family, kept.id), False
        record = max(_like_the_file(project, own, family), key=lambda record: record.modified, default=None)
        if record is None:
            raise ServiceError(
                f"none of the disabled schedules '{own[0].name}' matches {project.file.name}; create one with "
                "`invoke schedule`"
            )
        if not dry:
            switch(ws, record.id, on=True)
            record = leave_one_on(ws, record.name, family, record.id)
        return record, True


def _own(project: Project, ws: Any, name: str) -> tuple[list[ScheduleRecord], PublishedVersions]:
    wanted = name or schedule_name(project)
    family = find_published(ws, published_name(project))
    own = own_schedules(read_schedules(ws), wanted, family)
    if not own:
        raise ServiceError(
            f"the workspace '{ws.name}' has no schedule '{wanted}' of this pipeline; "
            "`invoke schedules.list` lists the schedules"
        )
    return own, family


def _like_the_file(project: Project, own: list[ScheduleRecord], family: PublishedVersions) -> list[ScheduleRecord]:
    asked = project.pipeline.schedule
    if asked is None or own[0].name != schedule_name(project):
        return own
    endpoint_id = family.endpoint.id if family.endpoint else ""
    wanted = WantedSchedule(own[0].name, "", project.pipeline.experiment, endpoint_id, asked)
    return [record for record in own if fits(wanted, record)]
