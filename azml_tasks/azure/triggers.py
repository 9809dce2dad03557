"""What starts a schedule's runs, as values that can be compared: those of the file and those that Azure keeps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

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
        """Whether the SDK can read it; one unknown time zone is enough that it cannot."""
        return self.time_zone in WINDOWS_NAMES

    def schedule(self) -> Schedule | None:
        """Return it as the file would state it; None for what the file refuses, since nobody can say when it fires."""
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
    days = [WEEK_DAYS[int(day)] if str(day).isdigit() else str(day) for day in (times and times.week_days) or ()]
    return Recurrence(
        _FREQUENCIES[int(stored.frequency)] if str(stored.frequency).isdigit() else stored.frequency,
        stored.interval,
        _start(stored.start_time),
        stored.time_zone or "UTC",
        tuple(sorted(set((times and times.hours) or ()))),
        tuple(sorted(set((times and times.minutes) or ()))),
        tuple(sorted(set(days), key=lambda day: WEEK_DAYS.index(day) if day in WEEK_DAYS else len(WEEK_DAYS))),
    )


def _start(stored: str | None) -> datetime | None:
    """Return the stored start: to the second, and by the clock, whatever offset the service may have put behind it."""
    if not stored:
        return None
    try:
        return datetime.fromisoformat(stored[:19])
    except ValueError:
        return None
