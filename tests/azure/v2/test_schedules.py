"""Schedules on Azure ML v2: one of a name, pinned, none while it is disabled."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.azure.v2.schedules import list_schedules
from azml_tasks.errors import AzmlError, ProjectError, ServiceError
from tests.azure.v2.projects import TWO_STEPS, stocked, v2_project

PUBLISHED = TWO_STEPS + "publish: {name: churn}\n"
WEEKLY = PUBLISHED + 'schedule: {frequency: Week, week_days: [Monday], time_of_day: "06:00", time_zone: Europe/Paris}\n'


def backend(folder, text=WEEKLY):
    return AzureV2Backend(v2_project(folder, text))


def schedule(folder, text=WEEKLY, **options):
    return backend(folder, text).schedule(**{"run_now": False, "dry": False, **options})


def test_a_schedule_is_created_once(azure_v2, tmp_path):
    stocked(azure_v2)

    published, done = schedule(tmp_path)
    _, again = schedule(tmp_path)

    assert published.outcome == "created"
    assert str(done) == "schedule churn: created"
    assert done.notes == ("it keeps these versions until `invoke schedule` is run again: env:1",)
    assert str(again) == "schedule churn: unchanged"
    sent = azure_v2.schedules_v2["churn"]
    assert sent["isEnabled"] is True
    trigger = sent["trigger"]
    assert (trigger["frequency"], trigger["interval"], trigger["timeZone"]) == ("week", 1, "Romance Standard Time")
    assert trigger["schedule"]["hours"] == [6]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:00", trigger["startTime"])
    job = sent["action"]["jobDefinition"]
    assert list(job["jobs"]) == ["prepare", "train"]
    assert job["inputs"]["prepare_config"]["value"] == '{"rows": 3}'


def test_doctor_says_whether_the_schedule_is_enabled(azure_v2, tmp_path):
    stocked(azure_v2)
    yearly = WEEKLY.replace("schedule: {", "schedule: {start_time: 2090-01-01T06:00:00, ")

    def about(text=yearly):
        found = backend(tmp_path, text).examine()
        return [(one.verdict, one.message, one.remedy) for one in found if "the schedule" in one.message]

    off = ("note", "the schedule 'churn' is not enabled", "invoke schedule")
    assert about() == [off]
    schedule(tmp_path, yearly)
    assert about() == [("good", "the schedule 'churn' is enabled, next on Mon 2090-01-02 06:00 CET", "")]
    assert about(yearly.replace("schedule: {", "schedule: {enabled: false, ")) == [
        ("note", "the schedule 'churn' is enabled, but the file has `enabled: false`", "invoke schedule")
    ]
    backend(tmp_path, yearly).schedules.pause("", dry=False)
    assert about() == [off]
    assert about(PUBLISHED) == []


def test_dry_changes_nothing(azure_v2, tmp_path):
    stocked(azure_v2)

    published, done = schedule(tmp_path, dry=True)

    assert "would be published" in str(published)
    assert str(done) == "schedule churn: would be created"
    assert azure_v2.schedules_v2 == {}
    assert [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []


def test_the_intervals_of_a_schedule_go_on_when_it_is_changed(azure_v2, tmp_path):
    stocked(azure_v2)
    often = WEEKLY.replace("frequency: Week", "frequency: Week, interval: 2")
    schedule(tmp_path, often)
    trigger = azure_v2.schedules_v2["churn"]["trigger"]
    # As the service may return it.
    trigger["startTime"] = "2026-01-05T06:00:00.0000000+01:00"
    later = often.replace("06:00", "07:00").replace("rows: 3", "rows: 4")

    _, done = schedule(tmp_path, later)

    assert azure_v2.schedules_v2["churn"]["trigger"]["startTime"] == "2026-01-05 06:00:00"
    now = datetime(2026, 3, 1, tzinfo=timezone.utc)
    assert f"{done.next_time(now):%Y-%m-%d %H:%M}" == "2026-03-02 07:00"
    listed = list_schedules(connect(v2_project(tmp_path, later)), v2_project(tmp_path, later), now)
    assert [f"{row.next:%Y-%m-%d %H:%M}" for row in listed] == ["2026-03-02 07:00"]
    _, monthly = schedule(tmp_path, PUBLISHED + "schedule: {frequency: Month, start_time: 2026-01-28T06:00:00}\n")
    assert monthly.outcome == "updated"
    assert azure_v2.schedules_v2["churn"]["trigger"]["startTime"] == "2026-01-28 06:00:00"


@pytest.mark.parametrize(
    "before", ["frequency: Month, interval: 14", "frequency: Day, interval: 2, start_time: 2099-01-01T06:00:00"]
)
def test_a_start_in_the_future_is_not_kept_if_it_delays_the_runs(azure_v2, tmp_path, before):
    stocked(azure_v2)
    schedule(tmp_path, PUBLISHED + f"schedule: {{{before}}}\n")
    now = datetime.now(timezone.utc)

    _, daily = schedule(tmp_path, PUBLISHED + "schedule: {frequency: Day}\n")
    start = azure_v2.schedules_v2["churn"]["trigger"]["startTime"]
    _, seldom = schedule(tmp_path, PUBLISHED + "schedule: {frequency: Day, interval: 3}\n")

    assert daily.outcome == seldom.outcome == "updated"
    assert timedelta(hours=23) < daily.next_time(now) - now < timedelta(hours=25)
    # The first run is not put off with each change.
    assert azure_v2.schedules_v2["churn"]["trigger"]["startTime"] == start
    assert seldom.next_time(now) == daily.next_time(now)


def test_a_change_replaces_the_schedule_and_says_what_changed(azure_v2, tmp_path):
    stocked(azure_v2)
    schedule(tmp_path)

    _, later = schedule(tmp_path, WEEKLY.replace("06:00", "07:00"))
    published, newer = schedule(tmp_path, WEEKLY.replace("06:00", "07:00").replace("rows: 3", "rows: 4"))

    assert str(later) == (
        "schedule churn: updated: when every week on Monday at 06:00, Europe/Paris -> every week on Monday at 07:00, "
        "Europe/Paris"
    )
    assert str(newer).startswith("schedule churn: updated: version ")
    assert str(newer).endswith(f" -> {published.version}")
    assert list(azure_v2.schedules_v2) == ["churn"]
    assert (
        azure_v2.schedules_v2["churn"]["action"]["jobDefinition"]["inputs"]["prepare_config"]["value"] == '{"rows": 4}'
    )


def test_plan_shows_that_pinned_versions_are_old_and_the_next_schedule_pins_anew(azure_v2, tmp_path):
    text = WEEKLY.replace("environments:\n  env: {pip_packages: [pandas]}\n", "")
    stocked(azure_v2).add_environment_v2("env")
    schedule(tmp_path, text)
    azure_v2.add_environment_v2("env")

    _, drift = schedule(tmp_path, text, dry=True)
    _, done = schedule(tmp_path, text)

    assert str(drift) == "schedule churn: would be updated: environments env:1 -> env:2"
    assert str(done) == "schedule churn: updated: environments env:1 -> env:2"
    nodes = azure_v2.schedules_v2["churn"]["action"]["jobDefinition"]["jobs"]
    _, _, _, version = nodes["train"]["componentId"].rsplit("/", 3)
    spec = azure_v2.assets["components"]["azureml_anonymous"][version]["properties"]["componentSpec"]
    assert spec["environment"].endswith("/env/versions/2")


def test_no_schedule_is_kept_while_it_is_disabled(azure_v2, tmp_path):
    stocked(azure_v2)
    off = WEEKLY.replace("frequency", "enabled: false, frequency")

    _, first = schedule(tmp_path, off)
    schedule(tmp_path)
    _, done = schedule(tmp_path, off)

    assert str(first).startswith("schedule churn: already disabled")
    assert str(done).startswith("schedule churn: removed")
    assert azure_v2.schedules_v2 == {}
    with pytest.raises(AzmlError, match="--run-now: the schedule is disabled"):
        schedule(tmp_path, off, run_now=True)


def test_a_schedule_is_paused_and_resumed(azure_v2, tmp_path):
    stocked(azure_v2)
    schedule(tmp_path)
    before = dict(azure_v2.schedules_v2["churn"])
    schedules = backend(tmp_path).schedules

    paused = [str(change) for change in schedules.pause("", dry=False)]
    again = [str(change) for change in schedules.pause("", dry=False)]
    rows = schedules.list()
    resumed = [str(change) for change in schedules.resume("", dry=False)]

    assert paused == ["schedule churn: disabled"]
    assert again == ["schedule churn: already disabled"]
    assert [(row.name, row.state, row.next) for row in rows] == [("churn", "disabled", None)]
    assert resumed == ["schedule churn: enabled"]
    assert azure_v2.schedules_v2["churn"] == before


def test_scheduling_enables_a_paused_schedule(azure_v2, tmp_path):
    stocked(azure_v2)
    schedule(tmp_path)
    backend(tmp_path).schedules.pause("", dry=False)

    _, done = schedule(tmp_path)

    assert str(done) == "schedule churn: enabled"
    assert azure_v2.schedules_v2["churn"]["isEnabled"] is True


def test_schedules_are_listed_with_the_next_time(azure_v2, tmp_path):
    stocked(azure_v2)
    published, _ = schedule(tmp_path)

    (row,) = backend(tmp_path).schedules.list()

    assert (row.state, row.words) == ("enabled", "every week on Monday at 06:00, Europe/Paris")
    assert row.runs == f"churn {published.version}"
    assert row.next.weekday() == 0


def test_a_schedule_of_an_earlier_name_is_redundant(azure_v2, tmp_path):
    stocked(azure_v2)
    schedule(tmp_path, WEEKLY.replace("frequency", "name: old, frequency"))
    schedule(tmp_path)
    schedules = backend(tmp_path).schedules

    found = schedules.redundant()
    schedules.disable(found)

    assert [(one.row.name, one.reason) for one in found] == [("old", "duplicates churn, the schedule of pipeline.yaml")]
    assert {name: one["isEnabled"] for name, one in azure_v2.schedules_v2.items()} == {"old": False, "churn": True}
    assert schedules.redundant() == []


def test_what_is_not_there_cannot_be_paused(azure_v2, tmp_path):
    with pytest.raises(ServiceError, match="has no schedule 'churn'; create it with `invoke schedule`"):
        backend(tmp_path).schedules.pause("", dry=False)


def test_a_schedule_on_blob_changes_is_refused_with_its_line(azure_v2, tmp_path):
    text = PUBLISHED + "schedule: {on_blob_change: {datastore_name: raw}}\n"

    with pytest.raises(ProjectError, match=r"pipeline.yaml:\d+: Azure ML v2 has no schedules on blob changes"):
        schedule(tmp_path, text)

    assert len(azure_v2.requests) == 0


@pytest.mark.parametrize("before_effect", [True, False])
@pytest.mark.parametrize("status", [0, 500])
def test_a_lost_answer_makes_no_second_schedule(azure_v2, tmp_path, status, before_effect):
    stocked(azure_v2)
    azure_v2.fail("PUT", "/schedules/churn$", status=status, before_effect=before_effect)

    _, done = schedule(tmp_path)

    assert done.outcome == "created"
    assert list(azure_v2.schedules_v2) == ["churn"]
