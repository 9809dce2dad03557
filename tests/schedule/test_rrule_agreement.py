"""Random schedules against an independent library: dateutil's rrule, and its rule for times that clocks skip."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dateutil import rrule
from dateutil.tz import resolve_imaginary
from hypothesis import given, settings
from hypothesis import strategies as some

from azml_tasks.model.schedule import WEEK_DAYS, Schedule
from azml_tasks.schedule.recurrence import fire_times

UTC = timezone.utc
FREQUENCIES = {
    "Minute": rrule.MINUTELY,
    "Hour": rrule.HOURLY,
    "Day": rrule.DAILY,
    "Week": rrule.WEEKLY,
    "Month": rrule.MONTHLY,
}
# Each is the main zone of a Windows name. Between them: both hemispheres, shifts of half an hour, at midnight and an
# hour before it, in winter, over Ramadan, and none.
ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Godthab",
    "America/Los_Angeles",
    "America/Santiago",
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Calcutta",
    "Asia/Tehran",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Europe/Paris",
    "Pacific/Auckland",
)


def shifts(zone: str) -> list[datetime]:
    """The days of 2015 to 2034 on which the zone's clocks change."""
    days = [datetime(2015, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(20 * 365)]
    offsets = [day.astimezone(ZoneInfo(zone)).utcoffset() for day in days]
    return [day for day, (before, at) in zip(days[1:], pairwise(offsets), strict=True) if before != at] or days[:1]


SHIFTS = {zone: shifts(zone) for zone in ZONES}


def some_list(values: range, often: tuple[int, ...]) -> some.SearchStrategy[list[int]]:
    return some.lists(some.sampled_from(often) | some.sampled_from(values), min_size=1, max_size=6, unique=True)


@some.composite
def schedules(draw: some.DrawFn) -> tuple[Schedule, datetime]:
    """A schedule, and a moment a few runs from its start and often close to a change of the clocks."""
    zone = draw(some.sampled_from(ZONES))
    after = draw(some.sampled_from(SHIFTS[zone])) + timedelta(seconds=draw(some.integers(-200_000, 50_000)))
    keys: dict[str, object] = {
        "frequency": draw(some.sampled_from(list(FREQUENCIES))),
        "interval": draw(some.just(1) | some.integers(2, 6) | some.integers(7, 100)),
        "time_zone": zone,
    }
    if keys["frequency"] in ("Day", "Week") and draw(some.booleans()):
        # The clocks change around midnight and in the small hours, and mostly by an hour or a half.
        keys["hours"] = draw(some_list(range(24), (0, 1, 2, 3, 23)))
        keys["minutes"] = draw(some_list(range(60), (0, 30)))
    if keys["frequency"] == "Week" and draw(some.booleans()):
        keys["week_days"] = draw(some.lists(some.sampled_from(WEEK_DAYS), min_size=1, unique=True))
    reach = 3 if keys["frequency"] in ("Minute", "Hour") else 700
    start = after.replace(tzinfo=None) - timedelta(
        days=draw(some.integers(-reach, reach)), minutes=draw(some.integers(0, 1440))
    )
    # Half of the time on a full minute, where a start can match the stated times.
    start = start.replace(second=0) if draw(some.booleans()) else start
    if keys["frequency"] == "Month":
        start = start.replace(day=min(start.day, 28))
    return Schedule(**keys, start_time=start.isoformat()), after


def instant(wall: datetime, zone: str) -> datetime:
    return resolve_imaginary(wall.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)


def rrule_times(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    zone = schedule.time_zone
    start = datetime.fromisoformat(str(schedule.start_time))
    frequency = FREQUENCIES[str(schedule.frequency)]
    if schedule.frequency in ("Minute", "Hour"):
        elapsed = rrule.rrule(frequency, interval=schedule.interval, dtstart=instant(start, zone))
        return list(elapsed.xafter(after, count))
    rule = rrule.rrule(
        frequency,
        interval=schedule.interval,
        dtstart=start.replace(second=0) if schedule.hours else start,
        byweekday=schedule.week_days and [WEEK_DAYS.index(day) for day in schedule.week_days],
        byhour=schedule.hours,
        byminute=schedule.minutes,
    )
    matching_start_is_skipped = schedule.hours or schedule.week_days
    times: set[datetime] = set()
    for wall in rule:
        if wall < start or (wall == start and matching_start_is_skipped):
            continue
        at = instant(wall, zone)
        if len(times) >= count and at > max(times) + timedelta(days=2):
            break
        if at > after:
            times.add(at)
            times = set(sorted(times)[:count])
    return sorted(times)


@pytest.mark.thorough
@settings(max_examples=1000, deadline=None, derandomize=True, database=None)
@given(schedules())
def test_any_schedule_fires_when_rrule_says(case: tuple[Schedule, datetime]) -> None:
    schedule, after = case

    times = fire_times(schedule, after=after, count=20)

    assert [time.astimezone(UTC) for time in times] == rrule_times(schedule, after, 20)
    assert {str(time.tzinfo) for time in times} == {schedule.time_zone}


@pytest.mark.many
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(schedules())
def test_any_schedule_of_ours_is_one_that_the_sdk_takes(case: tuple[Schedule, datetime]) -> None:
    sdk = pytest.importorskip("azureml.pipeline.core.schedule")
    from azml_tasks.model.time_zone import windows_time_zone

    schedule, _ = case

    recurrence = sdk.ScheduleRecurrence(
        frequency=schedule.frequency,
        interval=schedule.interval,
        start_time=schedule.start_time,
        time_zone=sdk.TimeZone(windows_time_zone(schedule.time_zone)),
        hours=schedule.hours and list(schedule.hours),
        minutes=schedule.minutes and list(schedule.minutes),
        week_days=schedule.week_days and list(schedule.week_days),
    )

    recurrence.validate()
