"""The `schedule` key: what it takes, and the whole text of every refusal with the place it is about."""

from __future__ import annotations

from datetime import datetime, time

import pytest
from pydantic import ValidationError

from azml_tasks.model.schedule import BlobChange, Schedule


def refusals(keys: dict[str, object]) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as refused:
        Schedule.model_validate(keys)
    return [
        (".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, "))
        for error in refused.value.errors()
    ]


def test_a_recurrence_with_everything() -> None:
    schedule = Schedule.model_validate(
        {
            "frequency": "Week",
            "interval": 2,
            "start_time": "2026-01-05 09:00",
            "time_zone": "Europe/Paris",
            "week_days": ["Friday", "Monday"],
            "hours": [16, 8],
            "minutes": [30, 0],
            "enabled": False,
            "name": "churn-weekly",
            "description": "Weekly scores",
        }
    )

    assert schedule.model_dump() == {
        "frequency": "Week",
        "interval": 2,
        "start_time": "2026-01-05T09:00:00",
        "time_zone": "Europe/Paris",
        "week_days": ("Friday", "Monday"),
        "hours": (16, 8),
        "minutes": (30, 0),
        "time_of_day": None,
        "on_blob_change": None,
        "enabled": False,
        "name": "churn-weekly",
        "description": "Weekly scores",
    }
    assert schedule.start == datetime(2026, 1, 5, 9)
    assert schedule.times == (time(8), time(8, 30), time(16), time(16, 30))


def test_a_frequency_is_enough() -> None:
    schedule = Schedule.model_validate({"frequency": "Month"})

    assert (schedule.interval, schedule.time_zone, schedule.start, schedule.times, schedule.enabled) == (
        1,
        "UTC",
        None,
        (),
        True,
    )


def test_a_time_of_day_is_a_time() -> None:
    assert Schedule(frequency="Day", time_of_day="9:05").times == (time(9, 5),)


def test_a_blob_schedule_with_everything() -> None:
    blob = {
        "datastore_name": "churn_blob",
        "path_on_datastore": "incoming/daily",
        "polling_interval": 15,
        "data_path_parameter_name": "changed",
    }

    schedule = Schedule.model_validate({"on_blob_change": blob})

    assert schedule.on_blob_change == BlobChange(**blob)
    assert BlobChange(datastore_name="churn_blob").polling_interval == 5


def test_null_is_not_stated_so_that_a_target_can_turn_a_recurrence_into_a_blob_schedule() -> None:
    nothing = dict.fromkeys(
        ("frequency", "interval", "start_time", "time_zone", "week_days", "hours", "minutes", "time_of_day", "name")
    )

    schedule = Schedule.model_validate({**nothing, "on_blob_change": {"datastore_name": "b", "polling_interval": None}})

    assert schedule == Schedule(on_blob_change=BlobChange(datastore_name="b"))


def test_what_a_variable_will_fill_in_is_left_for_then() -> None:
    schedule = Schedule(frequency="Day", time_zone="${ZONE}", time_of_day="${AT}", start_time="${FROM}")

    assert (schedule.time_zone, schedule.time_of_day, schedule.start_time) == ("${ZONE}", "${AT}", "${FROM}")


@pytest.mark.parametrize(
    "keys",
    [
        {"frequency": "Month", "start_time": "2026-01-28T09:00:00"},
        {"frequency": "Day", "start_time": "2026-01-31T09:00:00"},
        {"frequency": "Day", "hours": [0, 23], "minutes": [0, 59]},
        {"frequency": "Week", "week_days": ["Monday"], "time_of_day": "09:00"},
        {"frequency": "Week", "week_days": ["Monday"], "start_time": "2026-01-05T09:00:00"},
        {"frequency": "Week", "week_days": ["Monday"], "hours": [9], "minutes": [0]},
        {"on_blob_change": {"datastore_name": "b", "path_on_datastore": None}},
        {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "X"}},
        {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "/${FOLDER}"}},
    ],
)
def test_what_is_just_within_the_rules_is_accepted_unchanged(keys: dict[str, object]) -> None:
    assert Schedule.model_validate(keys).model_dump(mode="json", exclude_unset=True) == keys


@pytest.mark.parametrize(
    ("keys", "place", "refusal"),
    [
        ({}, "", "a schedule needs a frequency (Minute, Hour, Day, Week or Month) or on_blob_change"),
        (
            {"frequency": "weekly"},
            "frequency",
            "frequency must be Minute, Hour, Day, Week or Month, not 'weekly'; did you mean 'Week'?",
        ),
        (
            {"frequency": "day"},
            "frequency",
            "frequency must be Minute, Hour, Day, Week or Month, not 'day'; did you mean 'Day'?",
        ),
        ({"frequency": "Year"}, "frequency", "frequency must be Minute, Hour, Day, Week or Month, not 'Year'"),
        ({"frequency": 5}, "frequency", "frequency must be Minute, Hour, Day, Week or Month, not 5"),
        (
            {"frequency": "On_blob_change"},
            "frequency",
            "frequency must be Minute, Hour, Day, Week or Month, not 'On_blob_change'; use on_blob_change: "
            "{datastore_name: ...} instead",
        ),
        ({"frequency": "Day", "interval": 0}, "interval", "interval must be a whole number of at least 1, not 0"),
        ({"frequency": "Day", "interval": 1.5}, "interval", "interval must be a whole number of at least 1, not 1.5"),
        ({"frequency": "Day", "interval": "2"}, "interval", "interval must be a whole number of at least 1, not '2'"),
        ({"frequency": "Day", "interval": True}, "interval", "interval must be a whole number of at least 1, not true"),
        (
            {"frequency": "Day", "start_time": "5 January"},
            "start_time",
            "start_time must be a date and time such as 2026-01-05T09:00:00, not '5 January'",
        ),
        (
            {"frequency": "Day", "start_time": "2026-02-30T09:00:00"},
            "start_time",
            "start_time must be a date and time such as 2026-01-05T09:00:00, not '2026-02-30T09:00:00'",
        ),
        (
            {"frequency": "Day", "start_time": "2026-01-05"},
            "start_time",
            "start_time must be a date and time such as 2026-01-05T09:00:00, not '2026-01-05'",
        ),
        (
            {"frequency": "Day", "start_time": 20260105},
            "start_time",
            "start_time must be a date and time such as 2026-01-05T09:00:00, not 20260105",
        ),
        (
            {"frequency": "Day", "start_time": "0001-01-05T09:00:00"},
            "start_time",
            "start_time must be a date and time such as 2026-01-05T09:00:00, not '0001-01-05T09:00:00'",
        ),
        (
            {"frequency": "Day", "start_time": "2026-01-05T09:00:00Z"},
            "start_time",
            "start_time '2026-01-05T09:00:00Z' has an offset; remove it and set time_zone",
        ),
        (
            {"frequency": "Day", "start_time": "2026-01-05 09:00 +02:00"},
            "start_time",
            "start_time '2026-01-05 09:00 +02:00' has an offset; remove it and set time_zone",
        ),
        (
            {"frequency": "Month", "start_time": "2026-01-31T09:00:00"},
            "start_time",
            "a monthly schedule runs on the day of start_time, but not every month has day 31; choose a "
            "day from 1 to 28",
        ),
        (
            {"frequency": "Day", "time_zone": "Antarctica/Troll"},
            "time_zone",
            "Azure ML does not support the time zone 'Antarctica/Troll' or one with the same time; use 'UTC'",
        ),
        (
            {"frequency": "Week", "week_days": ["Mon"], "time_of_day": "09:00"},
            "week_days",
            "week_days must be full English day names, not 'Mon'; did you mean 'Monday'?",
        ),
        (
            {"frequency": "Week", "week_days": "Monday", "time_of_day": "09:00"},
            "week_days",
            "week_days must be a list of full English day names, Monday to Sunday, such as [Monday, Friday], not "
            "'Monday'",
        ),
        (
            {"frequency": "Week", "week_days": [], "time_of_day": "09:00"},
            "week_days",
            "week_days is empty, which the service treats as not set; add a value or remove it",
        ),
        (
            {"frequency": "Week", "week_days": ["Monday", "Monday"], "time_of_day": "09:00"},
            "week_days",
            "week_days lists 'Monday' twice",
        ),
        (
            {"frequency": "Day", "week_days": ["Monday"], "time_of_day": "09:00"},
            "week_days",
            "week_days is only for frequency Week, not Day",
        ),
        (
            {"frequency": "Day", "hours": [24], "minutes": [0]},
            "hours",
            "hours must be whole numbers from 0 to 23, not 24",
        ),
        (
            {"frequency": "Day", "hours": [9], "minutes": [-1]},
            "minutes",
            "minutes must be whole numbers from 0 to 59, not -1",
        ),
        (
            {"frequency": "Day", "hours": ["9"], "minutes": [0]},
            "hours",
            "hours must be whole numbers from 0 to 23, not '9'",
        ),
        (
            {"frequency": "Day", "hours": 9, "minutes": [0]},
            "hours",
            "hours must be a list of whole numbers from 0 to 23, such as [9, 17], not 9",
        ),
        (
            {"frequency": "Day", "hours": [9], "minutes": {}},
            "minutes",
            "minutes must be a list of whole numbers from 0 to 59, such as [0, 30], not {}",
        ),
        (
            {"frequency": "Day", "hours": [9], "minutes": []},
            "minutes",
            "minutes is empty, which the service treats as not set; add a value or remove it",
        ),
        ({"frequency": "Day", "hours": [9, 9], "minutes": [0]}, "hours", "hours lists 9 twice"),
        (
            {"frequency": "Hour", "minutes": [30]},
            "minutes",
            "minutes is only for frequency Day or Week, not Hour",
        ),
        (
            {"frequency": "Month", "time_of_day": "09:00"},
            "time_of_day",
            "time_of_day is only for frequency Day or Week, not Month",
        ),
        (
            {"frequency": "Day", "time_of_day": "24:00"},
            "time_of_day",
            "time_of_day must be a time from 00:00 to 23:59, such as 18:30, not '24:00'",
        ),
        (
            {"frequency": "Day", "time_of_day": 1110},
            "time_of_day",
            "time_of_day must be a time from 00:00 to 23:59, such as 18:30, not 1110",
        ),
        (
            {"frequency": "Day", "hours": [9], "minutes": [0], "time_of_day": "09:00"},
            "time_of_day",
            "use either time_of_day, or hours and minutes",
        ),
        (
            {"frequency": "Day", "hours": [9]},
            "",
            "hours also needs minutes; otherwise the service takes them from the first run",
        ),
        (
            {"frequency": "Day", "minutes": [30]},
            "",
            "minutes also needs hours; otherwise the service takes them from the first run",
        ),
        (
            {"frequency": "Week", "week_days": ["Monday"]},
            "",
            "week_days also needs a time: time_of_day, hours and minutes, or start_time",
        ),
        (
            {"frequency": "Day", "on_blob_change": {"datastore_name": "b"}},
            "",
            "a schedule has a frequency or on_blob_change, not both",
        ),
        (
            {"frequency": "Month", "start_time": "2026-01-29T09:00:00"},
            "start_time",
            "a monthly schedule runs on the day of start_time, but not every month has day 29; choose a "
            "day from 1 to 28",
        ),
        (
            {"frequency": "Day", "hours": [9], "time_of_day": "09:00"},
            "time_of_day",
            "use either time_of_day, or hours and minutes",
        ),
        (
            {"frequency": "Day", "minutes": [9], "time_of_day": "09:00"},
            "time_of_day",
            "use either time_of_day, or hours and minutes",
        ),
        (
            {"interval": 5, "start_time": "2026-01-05T09:00", "on_blob_change": {"datastore_name": "b"}},
            "",
            "interval and start_time go with a frequency, not with on_blob_change",
        ),
        (
            {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "//Xa"}},
            "on_blob_change.path_on_datastore",
            "path_on_datastore is relative to the container: write 'Xa', not '//Xa'",
        ),
        (
            {"interval": 5, "on_blob_change": {"datastore_name": "b"}},
            "",
            "interval goes with a frequency, not with on_blob_change",
        ),
        (
            {"start_time": "2026-01-05T09:00", "time_of_day": "09:00", "on_blob_change": {"datastore_name": "b"}},
            "",
            "start_time and time_of_day go with a frequency, not with on_blob_change",
        ),
        ({"on_blob_change": {}}, "on_blob_change.datastore_name", "Field required"),
        (
            {"on_blob_change": {"datastore_name": "b", "polling_interval": 0.5}},
            "on_blob_change.polling_interval",
            "polling_interval must be a whole number of at least 1, not 0.5",
        ),
        (
            {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "/incoming"}},
            "on_blob_change.path_on_datastore",
            "path_on_datastore is relative to the container: write 'incoming', not '/incoming'",
        ),
        (
            {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "/"}},
            "on_blob_change.path_on_datastore",
            "path_on_datastore must be a folder; remove it to watch the root of the container",
        ),
        (
            {"on_blob_change": {"datastore_name": "b", "path_on_datastore": "incoming/*.csv"}},
            "on_blob_change.path_on_datastore",
            "path_on_datastore must be a single folder; 'incoming/*.csv' is a pattern",
        ),
        ({"frequency": "Day", "cron": "0 9 * * *"}, "cron", "Extra inputs are not permitted"),
    ],
)
def test_what_the_sdk_refuses_or_misreads_is_refused(keys: dict[str, object], place: str, refusal: str) -> None:
    assert refusals(keys) == [(place, refusal)]


def test_every_wrong_key_is_reported() -> None:
    assert refusals({"frequency": "Fortnight", "interval": 0, "hours": [25], "time_of_day": "noon"}) == [
        ("frequency", "frequency must be Minute, Hour, Day, Week or Month, not 'Fortnight'"),
        ("interval", "interval must be a whole number of at least 1, not 0"),
        ("hours", "hours must be whole numbers from 0 to 23, not 25"),
        ("time_of_day", "time_of_day must be a time from 00:00 to 23:59, such as 18:30, not 'noon'"),
    ]


def test_a_schedule_cannot_be_changed() -> None:
    schedule = Schedule(frequency="Day")

    with pytest.raises(ValidationError, match="frozen"):
        schedule.interval = 2  # type: ignore[misc]


def test_editors_show_what_every_key_means() -> None:
    schema = Schedule.model_json_schema()
    described = {**schema["properties"], **schema["$defs"]["BlobChange"]["properties"]}

    assert [name for name, key in described.items() if not key.get("description")] == []
    assert schema["properties"]["frequency"]["anyOf"][0] == {
        "enum": ["Minute", "Hour", "Day", "Week", "Month"],
        "type": "string",
    }
