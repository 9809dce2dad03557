"""The schedules of a workspace, told apart: whose they are, when they run next, and which run for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.published import MOST_ENDPOINTS, find_endpoint
from azml_tasks.azure.schedule_decision import surviving
from azml_tasks.azure.schedule_records import ScheduleRecord, read_schedules, switch
from azml_tasks.azure.triggers import BlobWatch, Recurrence
from azml_tasks.model.schedule import BlobChange, Schedule
from azml_tasks.preview import in_words
from azml_tasks.recurrence import fire_times


@dataclass(frozen=True)
class Runs:
    """What a schedule runs.

    `name` is that of the endpoint or published pipeline, empty when there is none any more. `is_usable` says that it
    can be run; `newer` is the version that the endpoint has for its default, where the schedule runs another one.
    """

    name: str
    version: str
    is_usable: bool
    newer: str = ""

    def __str__(self) -> str:
        if not self.name:
            return "nothing: what it ran is gone"
        return f"{self.name} {self.version}" if self.version else self.name


@dataclass(frozen=True)
class Listed:
    """A row of the list of schedules; `next` is None where no time can be told."""

    record: ScheduleRecord
    runs: Runs
    words: str
    next: datetime | None

    @property
    def state(self) -> str:
        """`on`, `off`, or that Azure could not set it up."""
        return "broken" if self.record.is_broken else "on" if self.record.is_active else "off"


@dataclass(frozen=True)
class Stray:
    """An active schedule that should not be, and why; of a duplicate, the id of the schedule that stays on."""

    row: Listed
    reason: str
    kept: str = ""


def list_schedules(ws: Any, now: datetime, pipeline: str | None = None, name: str | None = None) -> list[Listed]:
    """Return the schedules in all states, those that are on first; only those of a pipeline or of a name, if given.

    `now` carries a tzinfo.
    """
    with service_calls("listing the schedules"):
        catalogue = _Catalogue(ws)
        rows = [_listed(record, catalogue.runs(record), now) for record in read_schedules(ws)]
    if pipeline is not None or name is not None:
        rows = [row for row in rows if row.runs.name == pipeline or (row.record.name == name and not row.runs.name)]
    return sorted(rows, key=lambda row: (row.state != "on", row.record.name, row.record.created))


def strays(rows: Iterable[Listed]) -> list[Stray]:
    """Return the active schedules that duplicate another, run nothing, or run what has been superseded."""
    active = [row for row in rows if row.record.is_active]
    found = [Stray(row, reason) for row in active if (reason := _idle(row))]
    taken = {stray.row.record.id for stray in found}
    groups: dict[tuple[str, str], list[ScheduleRecord]] = {}
    for row in active:
        if row.record.id not in taken:
            groups.setdefault((row.record.name, row.runs.name), []).append(row.record)
    for row in active:
        kept = surviving(groups.get((row.record.name, row.runs.name), ()))
        if row.record.id not in taken and kept is not None and kept.id != row.record.id:
            found.append(Stray(row, f"duplicates {kept.id}, created on {_date(kept.created)}", kept.id))
    return found


def prune(ws: Any, found: Iterable[Stray]) -> list[Stray]:
    """Switch schedules off, and return those that were; v1 deletes none.

    A duplicate stays on when the schedule that it duplicates is off by now.
    """
    switched = []
    with service_calls("switching schedules off"):
        for stray in found:
            on = {record.id for record in read_schedules(ws) if record.is_active}
            if stray.row.record.id in on and (not stray.kept or stray.kept in on):
                switch(ws, stray.row.record.id, on=False)
                switched.append(stray)
    return switched


class _Catalogue:
    """What can be run in a workspace, by id."""

    def __init__(self, ws: Any) -> None:
        from azureml.pipeline.core import PipelineEndpoint, PublishedPipeline

        self._ws = ws
        self._pipelines = {item.id: item for item in PublishedPipeline.list(ws, active_only=False)}
        listed = PipelineEndpoint.list(ws, active_only=False, max_results=MOST_ENDPOINTS)
        self._endpoints: dict[str, Any] = {item.id: item for item in listed}

    def runs(self, record: ScheduleRecord) -> Runs:
        return self._of_endpoint(record.endpoint_id) if record.endpoint_id else self._of_pipeline(record.pipeline_id)

    def _of_endpoint(self, identifier: str) -> Runs:
        if identifier not in self._endpoints:
            # Not in the list, which may be cut short, is not yet gone.
            self._endpoints[identifier] = find_endpoint(self._ws, identifier=identifier)
        endpoint = self._endpoints[identifier]
        if endpoint is None:
            return Runs("", "", False)
        default = self._default(endpoint)
        usable = endpoint.status == "Active" and (default is None or default.status == "Active")
        return Runs(endpoint.name, "", usable)

    def _of_pipeline(self, identifier: str | None) -> Runs:
        pipeline = self._pipelines.get(identifier)
        if pipeline is None:
            return Runs("", "", False)
        newer = ""
        for endpoint in self._endpoints.values():
            versions = {item.pipeline_id for item in endpoint.pipeline_version_list} if endpoint else set()
            default = self._default(endpoint) if identifier in versions else None
            if default is not None and default.id != identifier:
                newer = default.version or default.id
        return Runs(pipeline.name, pipeline.version or "", pipeline.status == "Active", newer)

    def _default(self, endpoint: Any) -> Any | None:
        for item in endpoint.pipeline_version_list:
            if item.version == endpoint.default_version:
                return self._pipelines.get(item.pipeline_id)
        return None


def _listed(record: ScheduleRecord, runs: Runs, now: datetime) -> Listed:
    trigger = record.trigger
    if isinstance(trigger, BlobWatch):
        blob = BlobChange.model_construct(
            datastore_name=trigger.datastore, path_on_datastore=trigger.path, polling_interval=trigger.polling_interval
        )
        return Listed(record, runs, in_words(Schedule.model_construct(on_blob_change=blob)), None)
    stated = trigger.schedule()
    if stated is None:
        return Listed(record, runs, _roughly(trigger), None)
    times = fire_times(stated, after=now, count=1) if record.is_active else []
    return Listed(record, runs, in_words(stated), times[0] if times else None)


def _roughly(trigger: Recurrence) -> str:
    unit = trigger.frequency.lower()
    return f"every {unit if trigger.interval == 1 else f'{trigger.interval} {unit}s'}, {trigger.time_zone}"


def _idle(row: Listed) -> str:
    if not row.runs.name:
        return "what it ran is gone"
    if not row.runs.is_usable:
        return f"what it runs, {row.runs}, is disabled"
    if row.runs.newer:
        return f"runs {row.runs}, which {row.runs.newer} has superseded"
    return ""


def _date(moment: str) -> str:
    return moment[:16].replace("T", " ")
