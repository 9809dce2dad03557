"""When schedules fire, with the whole list beside each.

Microsoft's examples are on the page "Schedules for recurring triggers in Azure Logic Apps workflows".
"""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from azml_tasks.model.schedule import Schedule
from azml_tasks.schedule.recurrence import fire_times


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def fires(after: str, count: int, **keys: object) -> list[str]:
    """The times by the schedule's clock; `after` is in UTC."""
    return [str(time) for time in fire_times(Schedule(**keys), after=moment(after), count=count)]


def fires_utc(after: str, count: int, **keys: object) -> list[str]:
    times = fire_times(Schedule(**keys), after=moment(after), count=count)
    return [f"{time.astimezone(timezone.utc):%Y-%m-%d %H:%M}" for time in times]


def test_a_start_in_the_future_is_the_first_time() -> None:
    assert fires("2026-01-07", 3, frequency="Day", interval=2, start_time="2026-01-10T06:00:00") == [
        "2026-01-10 06:00:00+00:00",
        "2026-01-12 06:00:00+00:00",
        "2026-01-14 06:00:00+00:00",
    ]


def test_a_start_in_the_past_gives_the_next_of_its_series_as_in_microsofts_example() -> None:
    assert fires("2017-09-08T13:00", 4, frequency="Day", interval=2, start_time="2017-09-07T14:00:00") == [
        "2017-09-09 14:00:00+00:00",
        "2017-09-11 14:00:00+00:00",
        "2017-09-13 14:00:00+00:00",
        "2017-09-15 14:00:00+00:00",
    ]


def test_a_time_that_is_now_has_gone() -> None:
    assert fires("2026-01-10T06:00", 1, frequency="Day", start_time="2026-01-10T06:00:00") == [
        "2026-01-11 06:00:00+00:00"
    ]


def test_every_hour_keeps_the_minute_of_the_start_as_in_the_sdks_example() -> None:
    assert fires("2026-01-07T12:56", 2, frequency="Hour", start_time="2020-01-13T12:55:00") == [
        "2026-01-07 13:55:00+00:00",
        "2026-01-07 14:55:00+00:00",
    ]


def test_a_weekly_schedule_without_week_days_takes_the_day_and_the_time_of_its_start() -> None:
    assert fires("2026-01-07", 3, frequency="Week", interval=2, start_time="2026-01-07T09:30:00") == [
        "2026-01-07 09:30:00+00:00",
        "2026-01-21 09:30:00+00:00",
        "2026-02-04 09:30:00+00:00",
    ]


def test_two_weeks_count_from_the_monday_of_the_starts_week() -> None:
    # The start is a Wednesday: its own week's Monday has gone, so Monday comes in the third week.
    assert fires(
        "2026-01-07",
        4,
        frequency="Week",
        interval=2,
        start_time="2026-01-07T00:00:00",
        week_days=["Sunday", "Monday"],
        time_of_day="18:30",
    ) == [
        "2026-01-11 18:30:00+00:00",
        "2026-01-19 18:30:00+00:00",
        "2026-01-25 18:30:00+00:00",
        "2026-02-02 18:30:00+00:00",
    ]


def test_hours_and_minutes_fire_at_each_pair_in_the_order_of_the_day() -> None:
    assert fires(
        "2026-01-07", 5, frequency="Day", start_time="2026-01-01T00:00:00", hours=[16, 8], minutes=[45, 30]
    ) == [
        "2026-01-07 08:30:00+00:00",
        "2026-01-07 08:45:00+00:00",
        "2026-01-07 16:30:00+00:00",
        "2026-01-07 16:45:00+00:00",
        "2026-01-08 08:30:00+00:00",
    ]


def test_a_month_takes_its_day_from_the_start() -> None:
    assert fires("2026-01-07", 3, frequency="Month", interval=5, start_time="2025-06-28T09:00:00") == [
        "2026-04-28 09:00:00+00:00",
        "2026-09-28 09:00:00+00:00",
        "2027-02-28 09:00:00+00:00",
    ]


@pytest.mark.parametrize(
    "keys",
    [
        {"time_of_day": "09:00"},
        {"hours": [9], "minutes": [0]},
        {"frequency": "Week", "week_days": ["Monday"], "time_of_day": "09:00"},
        {"frequency": "Week", "week_days": ["Monday"]},
    ],
)
def test_a_start_that_matches_what_is_stated_is_skipped(keys: dict[str, object]) -> None:
    monday = "2026-01-12T09:00:00"
    schedule = Schedule(**{"frequency": "Day", "interval": 2, "start_time": monday, **keys})

    (first,) = fire_times(schedule, after=moment("2026-01-01"), count=1)

    assert str(first) == f"2026-01-{14 if schedule.frequency == 'Day' else 26} 09:00:00+00:00"


def test_a_start_in_the_minute_that_is_stated_is_skipped_whatever_its_seconds() -> None:
    assert fires("2026-01-01", 1, frequency="Day", start_time="2026-01-12T09:00:40", time_of_day="09:00") == [
        "2026-01-13 09:00:00+00:00"
    ]


def test_a_start_without_stated_days_or_times_is_not_skipped() -> None:
    assert fires("2026-01-01", 1, frequency="Week", start_time="2026-01-12T09:00:00") == ["2026-01-12 09:00:00+00:00"]


def test_a_daily_time_stays_put_when_clocks_go_forward_as_in_microsofts_example() -> None:
    keys = {"frequency": "Day", "start_time": "2019-03-01T01:30:00", "time_zone": "Central Standard Time"}

    assert fires_utc("2019-03-09", 3, **keys) == ["2019-03-09 07:30", "2019-03-10 07:30", "2019-03-11 06:30"]


def test_a_skipped_time_runs_an_hour_later_as_in_microsofts_example() -> None:
    keys = {"frequency": "Day", "start_time": "2019-03-01T02:30:00", "time_zone": "Central Standard Time"}

    assert fires_utc("2019-03-09", 3, **keys) == ["2019-03-09 08:30", "2019-03-10 08:30", "2019-03-11 07:30"]
    assert fires("2019-03-09", 3, **keys) == [
        "2019-03-09 02:30:00-06:00",
        "2019-03-10 03:30:00-05:00",
        "2019-03-11 02:30:00-05:00",
    ]


def test_a_repeated_time_runs_the_first_time_round_as_in_microsofts_example() -> None:
    keys = {"frequency": "Day", "start_time": "2019-10-01T01:30:00", "time_zone": "Central Standard Time"}

    assert fires_utc("2019-11-02", 3, **keys) == ["2019-11-02 06:30", "2019-11-03 06:30", "2019-11-04 07:30"]


def test_the_time_after_a_repeated_hour_stays_put_as_in_microsofts_example() -> None:
    keys = {"frequency": "Day", "start_time": "2019-10-01T02:30:00", "time_zone": "Central Standard Time"}

    assert fires_utc("2019-11-02", 3, **keys) == ["2019-11-02 07:30", "2019-11-03 08:30", "2019-11-04 08:30"]


def test_a_skipped_time_that_meets_another_runs_once_and_in_order() -> None:
    # On 29 March 2026 Paris goes from 02:00 to 03:00: 02:20 meets 03:20, and 02:40 comes after 03:00.
    assert fires(
        "2026-03-28T23:00",
        6,
        frequency="Day",
        start_time="2026-01-01T12:00:00",
        time_zone="Europe/Paris",
        hours=[1, 2, 3],
        minutes=[0, 20, 40],
    ) == [
        "2026-03-29 01:00:00+01:00",
        "2026-03-29 01:20:00+01:00",
        "2026-03-29 01:40:00+01:00",
        "2026-03-29 03:00:00+02:00",
        "2026-03-29 03:20:00+02:00",
        "2026-03-29 03:40:00+02:00",
    ]
    assert fires(
        "2026-03-28T23:00",
        3,
        frequency="Day",
        start_time="2026-01-01T12:00:00",
        time_zone="Europe/Paris",
        hours=[2, 3],
        minutes=[10, 40],
    ) == ["2026-03-29 03:10:00+02:00", "2026-03-29 03:40:00+02:00", "2026-03-30 02:10:00+02:00"]


def test_a_time_skipped_before_midnight_runs_on_the_next_day() -> None:
    # On 28 March 2026 Nuuk goes from 23:00 to midnight.
    keys: dict[str, object] = {
        "frequency": "Day",
        "start_time": "2026-01-01T12:00:00",
        "time_zone": "Greenland Standard Time",
        "hours": [0, 23],
        "minutes": [15, 30],
    }
    expected = [
        "2026-03-29 00:15:00-01:00",
        "2026-03-29 00:30:00-01:00",
        "2026-03-29 23:15:00-01:00",
        "2026-03-29 23:30:00-01:00",
    ]

    assert fires("2026-03-29T01:00", 4, **keys) == expected
    assert fires("2026-03-29T01:20", 3, **{**keys, "hours": [23]}) == expected[1:]


def test_every_hour_goes_on_through_both_changes_of_the_clocks() -> None:
    keys = {"frequency": "Hour", "start_time": "2026-01-01T00:30:00", "time_zone": "Europe/Paris"}

    assert fires("2026-03-28T23:45", 3, **keys) == [
        "2026-03-29 01:30:00+01:00",
        "2026-03-29 03:30:00+02:00",
        "2026-03-29 04:30:00+02:00",
    ]
    assert fires("2026-10-24T23:45", 3, **keys) == [
        "2026-10-25 02:30:00+02:00",
        "2026-10-25 02:30:00+01:00",
        "2026-10-25 03:30:00+01:00",
    ]


def test_half_an_hour_is_skipped_on_lord_howe_island() -> None:
    assert fires(
        "2026-10-03",
        3,
        frequency="Day",
        start_time="2026-01-01T00:00:00",
        time_zone="Australia/Lord_Howe",
        time_of_day="02:15",
    ) == ["2026-10-04 02:45:00+11:00", "2026-10-05 02:15:00+11:00", "2026-10-06 02:15:00+11:00"]


def test_a_monthly_schedule_meets_a_skipped_time_once() -> None:
    assert fires("2027-02-27", 3, frequency="Month", start_time="2026-01-28T02:30:00", time_zone="Europe/Paris") == [
        "2027-02-28 02:30:00+01:00",
        "2027-03-28 03:30:00+02:00",
        "2027-04-28 02:30:00+02:00",
    ]


def test_zones_that_azure_cannot_tell_apart_are_shown_by_their_main_one() -> None:
    (time,) = fire_times(
        Schedule(frequency="Day", start_time="2026-07-01T09:00:00", time_zone="Europe/Brussels"),
        after=moment("2026-07-01"),
        count=1,
    )

    assert (str(time), str(time.tzinfo)) == ("2026-07-01 09:00:00+02:00", "Europe/Paris")


def test_a_start_of_long_ago_costs_no_steps() -> None:
    # Counted one by one, the times up to here would be 66 million.
    assert fires("2026-01-07T10:07", 2, frequency="Minute", start_time="1900-01-01T00:00:00") == [
        "2026-01-07 10:08:00+00:00",
        "2026-01-07 10:09:00+00:00",
    ]
    assert fires("8000-01-07T10:07", 1, frequency="Day", start_time="1900-01-01T00:00:00", time_of_day="11:00") == [
        "8000-01-07 11:00:00+00:00"
    ]


def test_an_interval_past_the_calendar_gives_the_times_before_its_end() -> None:
    for frequency in ("Minute", "Hour", "Day", "Week", "Month"):
        assert fires("2026-01-01", 5, frequency=frequency, interval=10**20, start_time="2026-02-01T00:00:00") == [
            "2026-02-01 00:00:00+00:00"
        ]


def test_no_times_are_no_times() -> None:
    assert fires("2026-01-01", 0, frequency="Day", start_time="2026-01-07T00:00:00") == []


def test_a_blob_schedule_has_no_times() -> None:
    schedule = Schedule(on_blob_change={"datastore_name": "churn_blob"})

    with pytest.raises(ValueError, match=r"^a schedule on blob changes has no fixed times$"):
        fire_times(schedule, after=moment("2026-01-01"), count=1)
