"""The start that a schedule gets when it states none: in the future, with the times one would expect after it."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from azml_tasks.model.schedule import FREQUENCIES, Schedule
from azml_tasks.schedule.recurrence import default_start, fire_times


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("now", "keys", "start", "first"),
    [
        # Without stated times: one interval from the next full minute.
        ("2026-01-07T10:07:33", {"frequency": "Minute", "interval": 15}, "2026-01-07T10:23:00", "01-07 10:23"),
        ("2026-01-07T10:07:00", {"frequency": "Hour"}, "2026-01-07T11:08:00", "01-07 11:08"),
        ("2026-01-07T10:07:33", {"frequency": "Day", "interval": 3}, "2026-01-10T10:08:00", "01-10 10:08"),
        ("2026-01-07T10:07:33", {"frequency": "Week", "interval": 2}, "2026-01-21T10:08:00", "01-21 10:08"),
        ("2026-01-07T10:07:33", {"frequency": "Month"}, "2026-02-07T10:08:00", "02-07 10:08"),
        ("2026-01-31T10:07:33", {"frequency": "Month"}, "2026-02-28T10:08:00", "02-28 10:08"),
        # With stated times: the next full minute, and the run is the next stated time.
        ("2026-01-07T10:07:33", {"frequency": "Day", "time_of_day": "18:30"}, "2026-01-07T10:08:00", "01-07 18:30"),
        ("2026-01-07T20:07:33", {"frequency": "Day", "time_of_day": "18:30"}, "2026-01-07T20:08:00", "01-08 18:30"),
        # Every other day or week counts from the day or week of its first run.
        (
            "2026-01-07T20:07:33",
            {"frequency": "Day", "interval": 2, "time_of_day": "18:30"},
            "2026-01-08T00:00:00",
            "01-08 18:30",
        ),
        (
            "2026-01-07T20:07:33",
            {"frequency": "Week", "interval": 2, "week_days": ["Monday"], "time_of_day": "18:30"},
            "2026-01-12T00:00:00",
            "01-12 18:30",
        ),
        (
            "2026-01-07T20:07:33",
            {"frequency": "Week", "interval": 2, "week_days": ["Monday", "Friday"], "time_of_day": "18:30"},
            "2026-01-07T20:08:00",
            "01-09 18:30",
        ),
        # A midnight on Monday would match its own start and be skipped, so the weeks count from this one.
        (
            "2026-01-07T20:07:33",
            {"frequency": "Week", "interval": 2, "week_days": ["Monday"], "time_of_day": "00:00"},
            "2026-01-07T20:08:00",
            "01-19 00:00",
        ),
        # By the schedule's clock.
        (
            "2026-07-07T10:07:33",
            {"frequency": "Day", "time_zone": "Europe/Paris"},
            "2026-07-08T12:08:00",
            "07-08 12:08",
        ),
    ],
)
def test_the_start_and_the_first_run_after_it(now: str, keys: dict[str, object], start: str, first: str) -> None:
    schedule = Schedule(**keys)

    assert default_start(schedule, moment(now)).isoformat() == start
    assert f"{fire_times(schedule, after=moment(now), count=1)[0]:%m-%d %H:%M}" == first


def test_the_start_is_no_time_that_clocks_skip() -> None:
    # At 00:59:30 UTC on 29 March 2026 it is 01:59:30 in Paris, and the next minute is 03:00.
    schedule = Schedule(frequency="Day", time_of_day="18:30", time_zone="Europe/Paris")

    assert default_start(schedule, moment("2026-03-29T00:59:30")) == datetime(2026, 3, 29, 3, 0)


def test_in_a_repeated_hour_the_start_is_after_it() -> None:
    # 01:10 UTC on 25 October 2026 is 02:10 in Paris for the second time; a start of 02:16 would lie an hour back.
    schedule = Schedule(frequency="Minute", interval=5, time_zone="Europe/Paris")

    assert default_start(schedule, moment("2026-10-25T01:10:00")) == datetime(2026, 10, 25, 3, 16)


def test_an_interval_past_the_calendar_starts_at_its_end() -> None:
    for frequency in FREQUENCIES:
        schedule = Schedule(frequency=frequency, interval=10**20)

        assert default_start(schedule, moment("2026-01-07")) == datetime(9998, 1, 1)


@pytest.mark.thorough
@settings(max_examples=500, deadline=None, derandomize=True, database=None)
@given(
    some.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1), timezones=some.just(timezone.utc)),
    some.sampled_from(FREQUENCIES),
    some.integers(1, 5),
    some.sampled_from(["UTC", "Europe/Paris", "Australia/Lord_Howe", "America/Santiago"]),
    some.booleans(),
)
def test_stating_the_default_start_changes_no_time_and_none_is_at_once(
    now: datetime, frequency: str, interval: int, zone: str, at_times: bool
) -> None:
    times = {"hours": [0, 12], "minutes": [0, 30]} if at_times and frequency in ("Day", "Week") else {}
    schedule = Schedule(frequency=frequency, interval=interval, time_zone=zone, **times)
    start = default_start(schedule, now)

    stated = Schedule(frequency=frequency, interval=interval, time_zone=zone, start_time=start.isoformat(), **times)

    assert fire_times(stated, after=now, count=5) == fire_times(schedule, after=now, count=5)
    every_minute = Schedule(frequency="Minute", time_zone=zone, start_time=start.isoformat())
    (first,) = fire_times(every_minute, after=now, count=1)
    assert first.replace(tzinfo=None) == start
