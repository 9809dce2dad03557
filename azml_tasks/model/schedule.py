"""The schedule of the pipeline: at recurring times, or when a blob changes.

The rules are those of `ScheduleRecurrence` and `Schedule.create` (azureml-pipeline-core, schedule.py); values that the
SDK accepts but misinterprets are rejected here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence as AnySequence
from datetime import datetime, time
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from azml_tasks.model.base import MisfitError, Model, Sequence, is_unresolved
from azml_tasks.model.names import DatastoreName
from azml_tasks.model.time_zone import windows_time_zone
from azml_tasks.text import did_you_mean, listed

Frequency = Literal["Minute", "Hour", "Day", "Week", "Month"]
WeekDay = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]

FREQUENCIES: tuple[Frequency, ...] = ("Minute", "Hour", "Day", "Week", "Month")
WEEK_DAYS: tuple[WeekDay, ...] = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)

# Years 1900 to 8999, so that no arithmetic on a start can leave the calendar.
_START_TIME = r"(?a)(19|[2-8]\d)\d\d-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?"
_OFFSET = r"(?a).*\d\d:\d\d(:\d\d(\.\d+)?)? ?(Z|z|[-+]\d\d(:?\d\d)?)"
_TIME_OF_DAY = r"(?a)([01]?\d|2[0-3]):([0-5]\d)"


class BlobChange(Model):
    """Starts a run for each blob that was added or changed.

    The service watches one folder and not its subfolders, of a blob datastore with an account key, outside any
    virtual network.
    """

    datastore_name: DatastoreName = Field(description="The blob datastore to watch; it needs an account key.")
    path_on_datastore: str | None = Field(
        None, description="The folder to watch, without subfolders; default: the root of the container."
    )
    polling_interval: int = Field(5, description="Minutes between checks.", ge=1)
    data_path_parameter_name: str | None = Field(
        None, description="The pipeline parameter that receives the path of the changed blob.", min_length=1
    )

    @field_validator("polling_interval", mode="before")
    @classmethod
    def _whole_minutes(cls, value: object) -> object:
        return _whole_number("polling_interval", 5 if value is None else value)

    @field_validator("path_on_datastore")
    @classmethod
    def _one_folder(cls, value: str | None) -> str | None:
        if value is None or is_unresolved(value):
            return value
        if not value.strip("/"):
            raise ValueError("path_on_datastore must be a folder; remove it to watch the root of the container")
        if value.startswith("/"):
            folder = value.lstrip("/")
            raise ValueError(f"path_on_datastore is relative to the container: write '{folder}', not '{value}'")
        if "*" in value:
            raise ValueError(f"path_on_datastore must be a single folder; '{value}' is a pattern")
        return value


class Schedule(Model):
    """A recurrence (`frequency` and what goes with it) or `on_blob_change`."""

    frequency: Frequency | None = Field(None, description="The unit of time between two runs.")
    interval: int = Field(1, description="The number of units between two runs.", ge=1)
    start_time: str | None = Field(
        None,
        description="Date and time of the first run in time_zone, such as 2026-01-05T09:00:00. Skipped if it "
        "matches week_days and the other times. Default: the next scheduled time.",
        examples=["2026-01-05T09:00:00"],
    )
    time_zone: str = Field(
        "UTC",
        description="Windows or IANA name of the time zone of these times.",
        examples=["Europe/Paris", "Romance Standard Time"],
    )
    week_days: Sequence[WeekDay] | None = Field(None, description="Days of the week, with frequency Week.")
    hours: Sequence[Annotated[int, Field(ge=0, le=23)]] | None = Field(
        None, description="Hours of the day, with frequency Day or Week; runs at each of the minutes."
    )
    minutes: Sequence[Annotated[int, Field(ge=0, le=59)]] | None = Field(None, description="Minutes of these hours.")
    time_of_day: str | None = Field(None, description="hh:mm, instead of hours and minutes.", examples=["18:30"])
    on_blob_change: BlobChange | None = Field(None, description="Run when a blob changes, instead of at fixed times.")
    enabled: bool = Field(True, description="false keeps the schedule disabled.")
    name: str | None = Field(None, description="The schedule's name; default: the pipeline's name.", min_length=1)
    description: str | None = Field(None, description="Shown with the name.")

    @field_validator("frequency", mode="before")
    @classmethod
    def _one_of_five(cls, value: object) -> object:
        if value is None or value in FREQUENCIES:
            return value
        message = f"frequency must be {listed(FREQUENCIES, 'or')}, not {_shown(value)}"
        if isinstance(value, str) and value.lower() == "on_blob_change":
            raise ValueError(f"{message}; use on_blob_change: {{datastore_name: ...}} instead")
        raise ValueError(message + _meant(value, FREQUENCIES))

    @field_validator("interval", mode="before")
    @classmethod
    def _whole_interval(cls, value: object) -> object:
        return _whole_number("interval", 1 if value is None else value)

    @field_validator("start_time", mode="before")
    @classmethod
    def _local_date_and_time(cls, value: object, info: ValidationInfo) -> object:
        if value is None or (isinstance(value, str) and is_unresolved(value)):
            return value
        start = _start(value)
        if info.data.get("frequency") == "Month" and start.day > 28:
            raise ValueError(
                f"a monthly schedule runs on the day of start_time, but not every month has day {start.day}; choose "
                "a day from 1 to 28"
            )
        return start.isoformat()

    @field_validator("time_zone", mode="before")
    @classmethod
    def _known_zone(cls, value: object) -> object:
        if value is None:
            return "UTC"
        if isinstance(value, str) and not is_unresolved(value):
            windows_time_zone(value)
        return value

    @field_validator("week_days", mode="before")
    @classmethod
    def _full_day_names(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            return None
        days = _items("week_days", value, "full English day names, Monday to Sunday, such as [Monday, Friday]")
        for day in days:
            if day not in WEEK_DAYS:
                meant = _meant(day, WEEK_DAYS)
                raise ValueError(f"week_days must be full English day names, not {_shown(day)}{meant}")
        return _goes_with("week_days", days, info, ("Week",))

    @field_validator("hours", "minutes", mode="before")
    @classmethod
    def _clock_numbers(cls, value: object, info: ValidationInfo) -> object:
        if value is None:
            return None
        name = str(info.field_name)
        last, example = (23, "[9, 17]") if name == "hours" else (59, "[0, 30]")
        numbers = _items(name, value, f"whole numbers from 0 to {last}, such as {example}")
        for number in numbers:
            if type(number) is not int or not 0 <= number <= last:
                raise ValueError(f"{name} must be whole numbers from 0 to {last}, not {_shown(number)}")
        return _goes_with(name, numbers, info, ("Day", "Week"))

    @field_validator("time_of_day", mode="before")
    @classmethod
    def _hours_and_minutes(cls, value: object, info: ValidationInfo) -> object:
        if value is None or (isinstance(value, str) and is_unresolved(value)):
            return value
        if not isinstance(value, str) or not re.fullmatch(_TIME_OF_DAY, value):
            raise ValueError(f"time_of_day must be a time from 00:00 to 23:59, such as 18:30, not {_shown(value)}")
        if info.data.get("hours") or info.data.get("minutes"):
            raise ValueError("use either time_of_day, or hours and minutes")
        return _goes_with("time_of_day", value, info, ("Day", "Week"))

    @model_validator(mode="after")
    def _a_clock_or_a_blob(self) -> Schedule:
        if self.on_blob_change is None:
            if self.frequency is None:
                raise ValueError(f"a schedule needs a frequency ({listed(FREQUENCIES, 'or')}) or on_blob_change")
            return self
        if self.frequency is not None:
            raise MisfitError("on_blob_change", "a schedule has a frequency or on_blob_change, not both")
        stray = [name for name in ("start_time", "week_days", "hours", "minutes", "time_of_day") if getattr(self, name)]
        if self.interval != 1:
            stray.insert(0, "interval")
        if stray:
            verb = "goes" if len(stray) == 1 else "go"
            raise MisfitError(stray[0], f"{listed(stray)} {verb} with a frequency, not with on_blob_change")
        return self

    @model_validator(mode="after")
    def _a_whole_time(self) -> Schedule:
        if bool(self.hours) != bool(self.minutes):
            stated, missing = ("hours", "minutes") if self.hours else ("minutes", "hours")
            message = f"{stated} also needs {missing}; otherwise the service takes them from the first run"
            raise MisfitError(stated, message)
        if self.week_days and not (self.hours or self.time_of_day or self.start_time):
            message = "week_days also needs a time: time_of_day, hours and minutes, or start_time"
            raise MisfitError("week_days", message)
        return self

    @property
    def start(self) -> datetime | None:
        """The start time in `time_zone`, without a tzinfo."""
        return None if self.start_time is None else _start(self.start_time)

    @property
    def times(self) -> tuple[time, ...]:
        """The times of the day in order, without duplicates; none if they follow from the start."""
        if self.time_of_day is not None:
            hour, minute = self.time_of_day.split(":")
            return (time(int(hour), int(minute)),)
        return tuple(sorted({time(hour, minute) for hour in self.hours or () for minute in self.minutes or ()}))


def _start(value: object) -> datetime:
    if isinstance(value, str):
        if re.fullmatch(_OFFSET, value):
            raise ValueError(f"start_time '{value}' has an offset; remove it and set time_zone")
        if re.fullmatch(_START_TIME, value):
            try:
                return datetime.fromisoformat(value)
            except ValueError:
                pass
    raise ValueError(f"start_time must be a date and time such as 2026-01-05T09:00:00, not {_shown(value)}")


def _whole_number(name: str, value: object) -> object:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, not {_shown(value)}")
    return value


def _items(name: str, value: object, what: str) -> AnySequence[object]:
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{name} must be a list of {what}, not {_shown(value)}")
    if not value:
        # The SDK sends an empty list, which the service treats as not set.
        raise ValueError(f"{name} is empty, which the service treats as not set; add a value or remove it")
    # More items than minutes contain a duplicate or an invalid one.
    for item in value[:61]:
        if value[:61].count(item) > 1:
            raise ValueError(f"{name} lists {_shown(item)} twice")
    return value


def _goes_with(name: str, value: object, info: ValidationInfo, frequencies: tuple[str, ...]) -> object:
    frequency = info.data.get("frequency")
    if frequency is not None and frequency not in frequencies:
        raise ValueError(f"{name} is only for frequency {listed(frequencies, 'or')}, not {frequency}")
    return value


def _meant(value: object, known: tuple[str, ...]) -> str:
    return did_you_mean(value.capitalize(), known) if isinstance(value, str) else ""


def _shown(value: object) -> str:
    """Return a value as written in the file."""
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value)
