"""A schedule in the foreground, by a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import islice
from pathlib import Path

from azml_tasks.backend import DueRun
from azml_tasks.local.schedule import due_runs
from azml_tasks.model.schedule import Schedule
from azml_tasks.schedule.recurrence import Clock, SystemClock, fire_times


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


class MovedClock:
    """Time passes only while somebody waits; `events` happen when it comes to them."""

    def __init__(self, now: str, events: dict[str, Callable[[], object]] | None = None) -> None:
        self._now = moment(now)
        self._events = sorted((moment(at), event) for at, event in (events or {}).items())

    def now(self) -> datetime:
        return self._now

    def wait(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        while self._events and self._events[0][0] <= self._now:
            self._events.pop(0)[1]()


def dues(schedule: Schedule, clock: Clock, count: int, datastores: Path = Path()) -> list[tuple[DueRun, str]]:
    """The runs that are due, each with what the clock says then."""
    return [(run, f"{clock.now():%d %H:%M:%S}") for run in islice(due_runs(schedule, datastores, clock), count)]


def blobs(schedule: Schedule, clock: Clock, count: int, datastores: Path) -> list[tuple[str | None, str]]:
    return [(run.blob, at) for run, at in dues(schedule, clock, count, datastores)]


def watching(folder: str | None = None) -> Schedule:
    return Schedule(on_blob_change={"datastore_name": "churn_blob", "path_on_datastore": folder})


def test_a_run_is_due_at_each_fire_time() -> None:
    schedule = Schedule(frequency="Day", time_of_day="18:30", time_zone="Europe/Paris")
    first, second = fire_times(schedule, after=moment("2026-01-07T10:07:33"), count=2)

    assert dues(schedule, MovedClock("2026-01-07T10:07:33"), 2) == [
        (DueRun(first), "07 17:30:00"),
        (DueRun(second), "08 17:30:00"),
    ]
    assert str(first) == "2026-01-07 18:30:00+01:00"


def test_a_schedule_without_a_start_counts_from_when_it_was_asked() -> None:
    assert dues(Schedule(frequency="Hour", interval=2), MovedClock("2026-01-07T10:07:33"), 2) == [
        (DueRun(moment("2026-01-07T12:08")), "07 12:08:00"),
        (DueRun(moment("2026-01-07T14:08")), "07 14:08:00"),
    ]


def test_times_that_go_by_during_a_run_are_left_out_and_the_next_reports_it() -> None:
    clock = MovedClock("2026-01-07T10:00:30")
    runs = due_runs(Schedule(frequency="Minute", interval=10, start_time="2026-01-07T10:10:00"), Path(), clock)

    assert next(runs) == DueRun(moment("2026-01-07T10:10"))
    clock.wait(25 * 60)
    assert next(runs) == DueRun(moment("2026-01-07T10:40"), missed=moment("2026-01-07T10:20"))
    assert next(runs) == DueRun(moment("2026-01-07T10:50"))


def test_a_machine_that_slept_through_a_time_runs_it_once_when_it_wakes() -> None:
    class Sleeper(MovedClock):
        def wait(self, seconds: float) -> None:
            super().wait(seconds + 3 * 3600)

    schedule = Schedule(frequency="Hour", start_time="2026-01-07T10:00:00")

    assert dues(schedule, Sleeper("2026-01-07T09:59:45"), 2) == [
        (DueRun(moment("2026-01-07T10:00")), "07 13:00:00"),
        (DueRun(moment("2026-01-07T14:00"), missed=moment("2026-01-07T11:00")), "07 16:00:30"),
    ]


def test_a_run_is_due_for_each_file_that_is_new_or_changed(tmp_path: Path) -> None:
    folder = tmp_path / "churn_blob" / "incoming"
    folder.mkdir(parents=True)
    for name in ("same.csv", "changed.csv", "gone.csv"):
        (folder / name).write_text("a,b\n")

    def change() -> None:
        (folder / "changed.csv").write_text("a,b\n1,2\n")
        (folder / "new.csv").write_text("a,b\n")
        (folder / "gone.csv").unlink()

    clock = MovedClock(
        "2026-01-07T10:00:00",
        {"2026-01-07T10:07:00": change, "2026-01-07T10:21:00": lambda: (folder / "gone.csv").write_text("a\n")},
    )

    assert blobs(watching("incoming"), clock, 3, tmp_path) == [
        ("incoming/changed.csv", "07 10:10:01"),
        ("incoming/new.csv", "07 10:10:01"),
        ("incoming/gone.csv", "07 10:25:02"),
    ]


def test_subfolders_and_hidden_files_make_no_run_due(tmp_path: Path) -> None:
    root = tmp_path / "churn_blob"

    def fill() -> None:
        (root / "incoming").mkdir(parents=True)
        for name in ("incoming/a.csv", ".b.csv.swp", "c.csv"):
            (root / name).write_text("a\n")

    clock = MovedClock(
        "2026-01-07T10:00:00",
        {"2026-01-07T10:02:00": fill, "2026-01-07T10:12:00": lambda: (root / "d.csv").write_text("a\n")},
    )

    assert blobs(watching(), clock, 2, tmp_path) == [("c.csv", "07 10:05:01"), ("d.csv", "07 10:15:02")]


def test_a_file_that_is_still_being_written_waits_for_the_next_look(tmp_path: Path) -> None:
    file = tmp_path / "churn_blob" / "big.csv"
    file.parent.mkdir()

    clock = MovedClock(
        "2026-01-07T10:00:00",
        {
            "2026-01-07T10:04:59": lambda: file.write_text("a,b\n"),
            "2026-01-07T10:05:01": lambda: file.write_text("a,b\n1,2\n"),
        },
    )

    assert blobs(watching(), clock, 1, tmp_path) == [("big.csv", "07 10:10:02")]


def test_the_polling_interval_is_in_minutes(tmp_path: Path) -> None:
    (tmp_path / "churn_blob").mkdir()
    schedule = Schedule(on_blob_change={"datastore_name": "churn_blob", "polling_interval": 60})
    clock = MovedClock(
        "2026-01-07T10:00:00",
        {"2026-01-07T10:01:00": lambda: (tmp_path / "churn_blob" / "a.csv").write_text("a\n")},
    )

    assert blobs(schedule, clock, 1, tmp_path) == [("a.csv", "07 11:00:01")]


def test_the_clock_of_this_machine_goes_forward() -> None:
    clock = SystemClock()
    before = clock.now()

    clock.wait(0.001)

    assert clock.now() > before
