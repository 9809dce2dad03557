"""When a schedule fires, computed without Azure.

The rules and their sources:

- `ScheduleRecurrence` (azureml-pipeline-core, schedule.py): runs are `interval` units apart, counted from start_time;
  a start in the past gives the next run of the same series; a start that matches week_days and the stated times is
  skipped.
- "Schedules for recurring triggers in Azure Logic Apps workflows" (Microsoft Learn), whose recurrence this is: a time
  that the clocks skip runs as much later (02:30 at 03:30), a time that they repeat runs once, the first time round.
  Without stated times, the time of the day is the start's.
- Minute and Hour count elapsed time, so their times of the day shift when the clocks change.
- Where nothing is written down, iCalendar's rule (RFC 5545): weeks begin on Monday, and an interval of 2 counts the
  start's week as the first.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from itertools import groupby, islice
from time import sleep
from typing import Protocol

from azml_tasks.model.schedule import WEEK_DAYS, Schedule
from azml_tasks.model.time_zone import clock

_SECONDS = {"Minute": 60, "Hour": 3600}
# Before Python's last day, so that every time exists in every zone.
_LAST_YEAR = 9998
# No clock change was ever larger; a skipped time runs at most this much later.
_LARGEST_JUMP = timedelta(days=1)


class Clock(Protocol):
    """Where the time comes from."""

    def now(self) -> datetime:
        """Return the present, with a tzinfo."""

    def wait(self, seconds: float) -> None:
        """Let about so much time pass."""


class SystemClock:
    """This machine's clock."""

    def now(self) -> datetime:
        """Return the present, in UTC."""
        return datetime.now(timezone.utc)

    def wait(self, seconds: float) -> None:
        """Sleep."""
        sleep(seconds)


def fire_times(schedule: Schedule, *, after: datetime, count: int) -> list[datetime]:
    """Return the first `count` times later than `after`, in the zone that Azure ML uses.

    A schedule without a start_time counts as created at `after` (see default_start). The list is shorter than `count`
    only if the interval goes past the year 9998. `after` has a tzinfo. Raises ValueError for a schedule on blob
    changes.
    """
    zone = clock(schedule.time_zone)
    start = schedule.start or default_start(schedule, after)
    later = (instant for instant in _instants(schedule, start, zone, after) if instant > after)
    return [instant.astimezone(zone) for instant in islice(later, count)]


def default_start(schedule: Schedule, now: datetime) -> datetime:
    """Return a start_time for a schedule without one, so that creating it does not start a run immediately.

    That is the next full minute if times of the day are set (or the next day or week, if the first run is earlier that
    way), else one interval later: the times of Azure ML without a start_time, except the immediate run. The result is
    in the schedule's time zone, without a tzinfo, and for a monthly schedule at most day 28.
    """
    zone = clock(schedule.time_zone)
    minute = now.astimezone(timezone.utc).replace(second=0, microsecond=0) + timedelta(minutes=1)
    soon = minute.astimezone(zone).replace(tzinfo=None)
    if schedule.times:
        start = min(soon, _next_period(schedule, soon), key=lambda start: _first_wall_time(schedule, start))
    else:
        if schedule.frequency == "Month":
            soon = soon.replace(day=min(soon.day, 28))
        # The second of the series from `soon` is one interval away, whatever the unit.
        series = islice(_instants(schedule, soon, zone, _instant(soon, zone)), 1, None)
        last = datetime(_LAST_YEAR, 1, 1, tzinfo=timezone.utc)
        start = next(series, last).astimezone(zone).replace(tzinfo=None)
    # Without the offset, a time in a repeated hour is the first of the two, which may be in the past.
    while _instant(start, zone) <= now:
        start += timedelta(hours=1)
    return start


def _next_period(schedule: Schedule, wall: datetime) -> datetime:
    """Return the midnight that begins the next day, or the next week where weeks are counted."""
    days = 7 - wall.weekday() if schedule.frequency == "Week" else 1
    return datetime.combine(wall.date() + timedelta(days=days), time())


def _first_wall_time(schedule: Schedule, start: datetime) -> datetime:
    return next(_wall_times(schedule, start, start.date()), datetime.max)


def _instants(schedule: Schedule, start: datetime, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """Yield the series in UTC, in order and each once, from a little before `after` or from the start."""
    first = _instant(start, zone)
    if schedule.frequency is None:
        raise ValueError("a schedule on blob changes has no fixed times")
    if schedule.frequency in _SECONDS:
        yield from _elapsed(first, schedule.interval * _SECONDS[schedule.frequency], after)
    else:
        since = max(first, after).astimezone(zone).date() - _LARGEST_JUMP
        yield from _in_order(_instant(wall, zone) for wall in _wall_times(schedule, start, since))


def _elapsed(first: datetime, seconds: int, after: datetime) -> Iterator[datetime]:
    passed = max(0, (after - first) // timedelta(seconds=1))
    end = (datetime(_LAST_YEAR, 1, 1, tzinfo=timezone.utc) - first) // timedelta(seconds=1)
    for elapsed in range(passed // seconds * seconds, end, seconds):
        yield first + timedelta(seconds=elapsed)


def _wall_times(schedule: Schedule, start: datetime, since: date) -> Iterator[datetime]:
    """Yield the local times, in order, starting with the period of `since`."""
    times = schedule.times or (start.time(),)
    stated = bool(schedule.times or schedule.week_days)
    for day in _days(schedule, start.date(), since):
        for time_of_day in times:
            wall = datetime.combine(day, time_of_day)
            # A start that matches the schedule is skipped (ScheduleRecurrence, start_time).
            if wall > start or (wall == start and not stated):
                yield wall


def _days(schedule: Schedule, start: date, since: date) -> Iterator[date]:
    if schedule.frequency == "Month":
        first, now = 12 * start.year + start.month - 1, 12 * since.year + since.month - 1
        passed = max(0, now - first) // schedule.interval * schedule.interval
        for month in range(first + passed, 12 * _LAST_YEAR, schedule.interval):
            yield date(month // 12, month % 12 + 1, start.day)
        return
    week_days = sorted(WEEK_DAYS.index(day) for day in schedule.week_days or ()) or [start.weekday()]
    weekly = schedule.frequency == "Week"
    step, offsets = (7 * schedule.interval, week_days) if weekly else (schedule.interval, [0])
    begin = start.toordinal() - (start.weekday() if weekly else 0)
    passed = max(0, since.toordinal() - begin) // step * step
    for ordinal in range(begin + passed, date(_LAST_YEAR, 1, 1).toordinal(), step):
        for offset in offsets:
            yield date.fromordinal(ordinal + offset)


def _instant(wall: datetime, zone: tzinfo) -> datetime:
    """Return the local time `wall` in UTC: the first of two such times, the hour after for a skipped one."""
    return wall.replace(tzinfo=zone, fold=0).astimezone(timezone.utc)


def _in_order(instants: Iterator[datetime]) -> Iterator[datetime]:
    """Restore the order after skipped times, and remove duplicates."""
    return (instant for instant, _ in groupby(_sorted(instants)))


def _sorted(instants: Iterator[datetime]) -> Iterator[datetime]:
    waiting: list[datetime] = []
    for instant in instants:
        while waiting and waiting[0] < instant - _LARGEST_JUMP:
            yield heapq.heappop(waiting)
        heapq.heappush(waiting, instant)
    while waiting:
        yield heapq.heappop(waiting)
