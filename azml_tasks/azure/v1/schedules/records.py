"""The schedules of a workspace, in all states, with their triggers, as comparable values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import pipeline_service
from azml_tasks.model.schedule import WEEK_DAYS, Schedule
from azml_tasks.model.time_zone import WINDOWS_NAMES, windows_time_zone

# The service sends a number where it used to, else the name (azureml-pipeline-core, service_caller_base.py).
_FREQUENCIES = ("Month", "Week", "Day", "Hour", "Minute")


@dataclass(frozen=True)
class Recurrence:
    """A run at recurring times. `start` is by the clock of `time_zone`, which is a Windows name."""

    frequency: str
    interval: int
    start: datetime | None
    time_zone: str
    hours: tuple[int, ...] = ()
    minutes: tuple[int, ...] = ()
    week_days: tuple[str, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether the SDK can read it, which fails for unknown time zones."""
        return self.time_zone in WINDOWS_NAMES

    def schedule(self) -> Schedule | None:
        """Return it as in the file; None if the file does not allow it, because its times are unknown."""
        if self.start is None:
            return None
        keys = {
            "frequency": self.frequency,
            "interval": self.interval,
            "start_time": self.start.isoformat(timespec="seconds"),
            "time_zone": self.time_zone,
            "hours": self.hours or None,
            "minutes": self.minutes or None,
            "week_days": self.week_days or None,
        }
        try:
            return Schedule.model_validate(keys)
        except ValidationError:
            return None

    def for_sdk(self) -> Any:
        """Return the SDK's object for it."""
        from azureml.pipeline.core import ScheduleRecurrence
        from azureml.pipeline.core.schedule import TimeZone

        return ScheduleRecurrence(
            self.frequency,
            self.interval,
            start_time=self.start,
            time_zone=TimeZone(self.time_zone),
            hours=list(self.hours) or None,
            minutes=list(self.minutes) or None,
            week_days=list(self.week_days) or None,
        )


@dataclass(frozen=True)
class BlobWatch:
    """A run for each changed blob; `polling_interval` in minutes."""

    datastore: str
    path: str | None
    polling_interval: int
    parameter: str | None


Trigger = Recurrence | BlobWatch


def trigger_of(schedule: Schedule, start: datetime | None) -> Trigger:
    """Return the trigger that the file states; a recurrence begins at `start`."""
    blob = schedule.on_blob_change
    if blob:
        return BlobWatch(
            blob.datastore_name, blob.path_on_datastore, blob.polling_interval, blob.data_path_parameter_name
        )
    times = schedule.times
    return Recurrence(
        str(schedule.frequency),
        schedule.interval,
        start,
        windows_time_zone(schedule.time_zone),
        tuple(sorted({moment.hour for moment in times})),
        tuple(sorted({moment.minute for moment in times})),
        tuple(sorted(schedule.week_days or (), key=WEEK_DAYS.index)),
    )


def stored_trigger(entity: Any) -> Trigger:
    """Return the trigger of a PipelineScheduleEntity."""
    if entity.schedule_type in ("0", "Recurrence"):
        return _recurrence(entity.recurrence)
    watched = entity.data_store_trigger_info
    return BlobWatch(
        watched.data_store_name,
        watched.path_on_data_store,
        watched.polling_interval or 5,
        watched.data_path_parameter_name,
    )


def _recurrence(stored: Any) -> Recurrence:
    times = stored.schedule
    days = [WEEK_DAYS[int(day)] if str(day).isdecimal() else str(day) for day in (times and times.week_days) or ()]
    return Recurrence(
        _FREQUENCIES[int(stored.frequency)] if str(stored.frequency).isdecimal() else stored.frequency,
        stored.interval,
        _start(stored.start_time),
        stored.time_zone or "UTC",
        tuple(sorted(set((times and times.hours) or ()))),
        tuple(sorted(set((times and times.minutes) or ()))),
        tuple(sorted(set(days), key=lambda day: WEEK_DAYS.index(day) if day in WEEK_DAYS else len(WEEK_DAYS))),
    )


def _start(stored: str | None) -> datetime | None:
    """Return the stored start: to the second, as local time, ignoring an offset that the service may have added."""
    if not stored:
        return None
    try:
        return datetime.fromisoformat(stored[:19])
    except ValueError:
        return None


_ACTIVE = ("0", "Active")
_FAILED = ("2", "Failed")


@dataclass(frozen=True)
class ScheduleRecord:
    """A schedule in Azure.

    It runs a published pipeline or the default of an endpoint: one of the two ids is set. `created` and `modified` are
    the service's texts, which sort by time. `is_broken` means that Azure could not create it.
    """

    id: str
    name: str
    description: str
    experiment: str
    pipeline_id: str | None
    endpoint_id: str | None
    is_active: bool
    is_broken: bool
    trigger: Trigger
    created: str
    modified: str

    def runs_any_of(self, pipelines: frozenset[str], endpoint_id: str | None) -> bool:
        """Return whether it runs the endpoint or one of the published pipelines."""
        if self.endpoint_id:
            return self.endpoint_id == endpoint_id
        return self.pipeline_id in pipelines


def read_schedules(ws: Any) -> list[ScheduleRecord]:
    """Return all schedules of the workspace, the oldest first."""
    with service_calls("listing the schedules"):
        entities = pipeline_service(ws).get_all_schedules_async(active_only=False)
        return sorted(map(_record, entities or ()), key=lambda record: (record.created, record.id))


def read_schedule(ws: Any, identifier: str) -> ScheduleRecord:
    """Return one schedule, which a list may not show yet when it has just been created."""
    with service_calls("getting the schedule"):
        return _record(pipeline_service(ws).get_schedule_async(identifier))


def switch(ws: Any, identifier: str, on: bool) -> None:
    """Enable or disable a schedule without other changes; the SDK's Schedule would lose its tags."""
    service = pipeline_service(ws)
    entity = service.get_schedule_async(identifier)
    entity.entity_status = "Active" if on else "Disabled"
    service.update_schedule_async(identifier, entity)


def _record(entity: Any) -> ScheduleRecord:
    submission = entity.pipeline_submission_info
    return ScheduleRecord(
        id=entity.id,
        name=entity.name,
        description=(submission.description if submission else None) or "",
        experiment=(submission.experiment_name if submission else None) or "",
        pipeline_id=entity.pipeline_id,
        endpoint_id=entity.pipeline_endpoint_id,
        is_active=entity.entity_status in _ACTIVE,
        is_broken=entity.provisioning_status in _FAILED,
        trigger=stored_trigger(entity),
        created=str(entity.created_date or ""),
        modified=str(entity.last_modified_date or ""),
    )
