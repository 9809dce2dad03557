"""What becomes of a schedule."""

from __future__ import annotations

import pytest

from tests.export.projects import documents, project

STEP = "steps: {a: {script_name: a.py}}\n"


@pytest.mark.parametrize(
    ("schedule", "trigger"),
    [
        ("frequency: Minute, interval: 15", {"frequency": "minute", "interval": 15, "time_zone": "UTC"}),
        ("frequency: Month", {"frequency": "month", "interval": 1, "time_zone": "UTC"}),
        (
            "frequency: Day, hours: [18, 6], minutes: [30, 0], time_zone: Europe/Paris",
            {
                "frequency": "day",
                "interval": 1,
                "schedule": {"hours": [6, 18], "minutes": [0, 30]},
                "time_zone": "Romance Standard Time",
            },
        ),
        (
            "frequency: Week, interval: 2, week_days: [Sunday, Monday], time_of_day: '06:05'",
            {
                "frequency": "week",
                "interval": 2,
                "schedule": {"hours": [6], "minutes": [5], "week_days": ["monday", "sunday"]},
                "time_zone": "UTC",
            },
        ),
        (
            "frequency: Week, week_days: [Friday], start_time: 2031-03-24 02:30",
            {
                "frequency": "week",
                "interval": 1,
                "schedule": {"hours": [2], "minutes": [30], "week_days": ["friday"]},
                "start_time": "2031-03-24T02:30:00",
                "time_zone": "UTC",
            },
        ),
    ],
)
def test_a_recurrence(schedule, trigger, tmp_path):
    files = documents(project(tmp_path, f"{STEP}experiment_name: churn\nschedule: {{{schedule}}}\n"))

    assert files["schedules/churn.yml"] == {
        "$schema": "https://azuremlschemas.azureedge.net/latest/schedule.schema.json",
        "name": "churn",
        "display_name": "churn",
        "trigger": {"type": "recurrence", **trigger},
        "create_job": {"type": "pipeline", "job": "../pipeline.yml"},
    }


@pytest.mark.parametrize(
    ("text", "name", "file"),
    [
        ("schedule: {frequency: Day, name: At night!}", "At night!", "At-night"),
        ("schedule: {frequency: Day}\npublish: {name: Churn scores}", "Churn scores", "Churn-scores"),
        ("schedule: {frequency: Day}", "pipeline", "pipeline"),
        ("schedule: {frequency: Day, name: 每日}", "每日", "schedule"),
    ],
)
def test_a_schedule_has_a_name_that_v2_takes(text, name, file, tmp_path):
    schedule = documents(project(tmp_path, f"{STEP}{text}\n"))[f"schedules/{file}.yml"]

    assert (schedule["name"], schedule["display_name"]) == (file, name)


@pytest.mark.parametrize(
    ("step", "settings"),
    [
        ("", None),
        (", input_datasets: {--data: d}", {"force_rerun": True}),
        (", input_datasets: {--data: d}, allow_reuse: true", None),
        (", input_datasets: {--data: d}, allow_reuse: false", None),
    ],
)
def test_a_scheduled_run_takes_no_earlier_result_where_v1_would_publish_without_reuse(step, settings, tmp_path):
    text = f"steps: {{a: {{script_name: a.py{step}}}}}\nschedule: {{frequency: Day}}\n"

    job = documents(project(tmp_path, text))["schedules/pipeline.yml"]["create_job"]

    assert job.get("settings") == settings


def test_a_schedule_on_blob_change_has_no_file(tmp_path):
    files = documents(project(tmp_path, f"{STEP}schedule: {{on_blob_change: {{datastore_name: s}}}}\n"))

    assert [path for path in files if path.startswith("schedules/")] == []
