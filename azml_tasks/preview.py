"""What a schedule will do, in words and times, without Azure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from azml_tasks.errors import listed
from azml_tasks.model.schedule import WEEK_DAYS, BlobChange, Schedule
from azml_tasks.model.time_zone import clock, windows_time_zone
from azml_tasks.recurrence import fire_times


@dataclass(frozen=True)
class Preview:
    """The next times of a schedule, in the zone whose clock Azure follows, each with a remark or none."""

    times: tuple[tuple[datetime, str], ...]
    notes: tuple[str, ...]


def preview(schedule: Schedule, now: datetime, count: int) -> Preview:
    """Return the next `count` times of a recurrence after `now`, which carries a tzinfo; of a blob schedule, none."""
    if schedule.on_blob_change:
        return Preview((), tuple(_notes(schedule, now)))
    times = fire_times(schedule, after=now, count=count)
    return Preview(tuple((moment, _remark(schedule, moment)) for moment in times), tuple(_notes(schedule, now)))


def in_words(schedule: Schedule) -> str:
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


def blob_limits(schedule: Schedule | None) -> list[str]:
    """Return what a blob schedule of Azure ML v1 does not do (Schedule, azureml-pipeline-core), a sentence each."""
    blob = schedule.on_blob_change if schedule else None
    if blob is None:
        return []
    folder = f"'{blob.path_on_datastore}'" if blob.path_on_datastore else "the container's top"
    return [
        "each blob that is added or changed starts a run of its own: ten blobs, ten runs",
        f"only blobs right in {folder} are seen, none in subfolders",
        f"the datastore '{blob.datastore_name}' needs an account key, and must not lie in a virtual network",
    ]


def is_start_skipped(schedule: Schedule) -> bool:
    """Say whether Azure leaves out the run at the stated start, because it matches what else is stated."""
    start = schedule.start
    if start is None or not (schedule.times or schedule.week_days):
        return False
    on_the_day = not schedule.week_days or WEEK_DAYS[start.weekday()] in schedule.week_days
    return on_the_day and (not schedule.times or start.time() in schedule.times)


def _blob_in_words(blob: BlobChange) -> str:
    place = f"{blob.datastore_name}/{blob.path_on_datastore}" if blob.path_on_datastore else blob.datastore_name
    minutes = "minute" if blob.polling_interval == 1 else f"{blob.polling_interval} minutes"
    return f"when a blob in {place} is added or changed, looked for every {minutes}"


def _times_of_day(schedule: Schedule) -> tuple[time, ...]:
    """Return the times by the clock at which it runs; none where elapsed time counts, or where they are not known."""
    if schedule.frequency not in ("Day", "Week", "Month"):
        return ()
    return schedule.times or ((schedule.start.time(),) if schedule.start else ())


def _remark(schedule: Schedule, moment: datetime) -> str:
    """Say what a change of the clocks has done to a time."""
    times = _times_of_day(schedule)
    if times and moment.time() not in times:
        return "the clocks go forward, so it runs as much later"
    # A time that comes twice has another offset the second time round.
    if times and moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset():
        return "the clocks go back; it runs the first time round"
    return ""


def _notes(schedule: Schedule, now: datetime) -> Iterator[str]:
    if not schedule.enabled:
        yield "`enabled: false` keeps it switched off"
    if schedule.on_blob_change:
        yield from blob_limits(schedule)
        return
    windows = windows_time_zone(schedule.time_zone)
    if windows != schedule.time_zone:
        yield f"to Azure ML, {schedule.time_zone} is '{windows}'"
    if schedule.start is None:
        yield "no start_time is stated: the times are those of a schedule created now; one that exists keeps its start"
    elif is_start_skipped(schedule) and schedule.start.replace(tzinfo=clock(schedule.time_zone)) > now:
        yield f"the start, {schedule.start:%Y-%m-%d %H:%M}, matches what is stated: Azure ML leaves out that run"
