"""Describe a schedule and compute its next times, without Azure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from azml_tasks.model.schedule import WEEK_DAYS, BlobChange, Schedule
from azml_tasks.model.time_zone import clock, windows_time_zone
from azml_tasks.schedule.recurrence import fire_times
from azml_tasks.text import listed


@dataclass(frozen=True)
class SchedulePreview:
    """The next times of a schedule, in the time zone that Azure uses, with optional remarks."""

    times: tuple[tuple[datetime, str], ...]
    notes: tuple[str, ...]


def preview(schedule: Schedule, now: datetime, count: int) -> SchedulePreview:
    """Return the next `count` times of a recurrence after `now`, which carries a tzinfo; of a blob schedule, none."""
    if schedule.on_blob_change:
        return SchedulePreview((), tuple(_notes(schedule, now)))
    times = fire_times(schedule, after=now, count=count)
    return SchedulePreview(tuple((moment, _remark(schedule, moment)) for moment in times), tuple(_notes(schedule, now)))


def describe(schedule: Schedule) -> str:
    """Return when the pipeline runs, such as `every 2 weeks on Monday at 18:30, Europe/Paris`."""
    if schedule.on_blob_change:
        return _blob_in_words(schedule.on_blob_change)
    assert schedule.frequency
    unit = schedule.frequency.lower()
    parts = [f"every {unit}" if schedule.interval == 1 else f"every {schedule.interval} {unit}s"]
    if schedule.week_days:
        parts.append(f"on {listed(sorted(schedule.week_days, key=WEEK_DAYS.index))}")
    times = _times_of_day(schedule)
    if times:
        parts.append(f"at {listed(f'{moment:%H:%M}' for moment in times)}")
    return f"{' '.join(parts)}, {schedule.time_zone}"


def time_text(moment: datetime) -> str:
    """Return a time as it is printed, with its time zone."""
    seconds = ":%S" if moment.second else ""
    return moment.strftime(f"%a %Y-%m-%d %H:%M{seconds} %Z")


def blob_limits(schedule: Schedule | None) -> list[str]:
    """Return the limits of blob schedules in Azure ML v1 (Schedule, azureml-pipeline-core)."""
    blob = schedule.on_blob_change if schedule else None
    if blob is None:
        return []
    folder = f"'{blob.path_on_datastore}'" if blob.path_on_datastore else "the root of the container"
    return [
        "each blob that is added or changed starts its own run: ten blobs start ten runs",
        f"only blobs directly in {folder} are detected, not in subfolders",
        f"the datastore '{blob.datastore_name}' needs an account key and must not be in a virtual network",
    ]


def is_start_skipped(schedule: Schedule) -> bool:
    """Return whether Azure skips the run at start_time, because it matches the other keys."""
    start = schedule.start
    if start is None or not (schedule.times or schedule.week_days):
        return False
    on_the_day = not schedule.week_days or WEEK_DAYS[start.weekday()] in schedule.week_days
    return on_the_day and (not schedule.times or start.time() in schedule.times)


def _blob_in_words(blob: BlobChange) -> str:
    place = f"{blob.datastore_name}/{blob.path_on_datastore}" if blob.path_on_datastore else blob.datastore_name
    minutes = "minute" if blob.polling_interval == 1 else f"{blob.polling_interval} minutes"
    return f"when a blob in {place} is added or changed, checked every {minutes}"


def _times_of_day(schedule: Schedule) -> tuple[time, ...]:
    """Return the times of day at which it runs; none for elapsed time, or if unknown."""
    if schedule.frequency not in ("Day", "Week", "Month"):
        return ()
    return schedule.times or ((schedule.start.time(),) if schedule.start else ())


def _remark(schedule: Schedule, moment: datetime) -> str:
    """Describe the effect of a clock change on a time."""
    times = _times_of_day(schedule)
    if times and moment.time() not in times:
        return "the clocks go forward, so the scheduled time does not exist"
    # A repeated time has a different offset the second time.
    if times and moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset():
        return "the clocks go back, so this time occurs twice; it runs only once"
    return ""


def _notes(schedule: Schedule, now: datetime) -> Iterator[str]:
    if not schedule.enabled:
        yield "`enabled: false` keeps it disabled"
    if schedule.on_blob_change:
        yield from blob_limits(schedule)
        return
    windows = windows_time_zone(schedule.time_zone)
    if windows != schedule.time_zone:
        yield f"Azure ML's name for {schedule.time_zone} is '{windows}'"
    if schedule.start is None:
        yield "without start_time, these are the times of a new schedule; an existing schedule keeps its start time"
    elif is_start_skipped(schedule) and schedule.start.replace(tzinfo=clock(schedule.time_zone)) > now:
        yield f"Azure ML skips the run at start_time ({schedule.start:%Y-%m-%d %H:%M})"
