from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK needs Python 3.11 or earlier")

from azureml.pipeline.core import Schedule, ScheduleRecurrence

from azml_tasks.azure.v1.client.retry import RetryPolicy, retrying
from azml_tasks.azure.v1.publish.publication import publish
from azml_tasks.azure.v1.schedules.manage import disable, list_schedules, pause, redundant
from azml_tasks.azure.v1.schedules.reconcile import schedule
from tests.azure.workspace import stocked

NOW = datetime(2030, 1, 1, 12, 0, 30, tzinfo=timezone.utc)
NAMED = "experiment_name: trial\npublish: {name: churn}\nschedule: {frequency: Day, time_of_day: 18:30}\n"
DAILY = "every day at 18:30, UTC"


@pytest.fixture
def ws(azure: Any) -> Any:
    azure.add_datastore("churn_blob")
    return stocked(azure)


@pytest.fixture
def project(tmp_path: Any) -> Any:
    return write_project(tmp_path, line_of_steps(1, NAMED))


def later(folder: Any) -> Any:
    return write_project(folder, line_of_steps(1, NAMED).replace("{n: 1}", "{n: 2}"))


def made(ws: Any, name: str, pipeline: str, **more: Any) -> Any:
    recurrence = None if "datastore" in more else ScheduleRecurrence("Day", 1, start_time="2030-01-01T18:30:00")
    return Schedule.create(ws, name, pipeline, "own", recurrence, **more)


def rows(ws: Any, **only: Any) -> list[tuple[Any, ...]]:
    return [
        (row.state, row.record.name, str(row.runs), row.words, row.next and row.next.isoformat())
        for row in list_schedules(ws, NOW, **only)
    ]


def test_all_are_listed_in_all_states_with_what_they_run_and_when_next(azure, ws, project, tmp_path):
    from azureml.core import Datastore

    published, _ = schedule(project, ws, now=NOW)
    made(ws, "old", published.id).disable()
    blobs = {"datastore": Datastore.get(ws, "churn_blob"), "path_on_datastore": "in", "polling_interval": 15}
    made(ws, "blobs", published.id, **blobs)
    weekly = ScheduleRecurrence(
        "Week", 2, start_time="2030-01-07T08:00:00", week_days=["Friday", "Monday"], hours=[8, 17], minutes=[0]
    )
    Schedule.create(ws, "weekly", published.id, "own", weekly)

    assert rows(ws) == [
        (
            "enabled",
            "blobs",
            f"churn {published.version}",
            "when a blob in churn_blob/in is added or changed, checked every 15 minutes",
            None,
        ),
        ("enabled", "churn", "churn", DAILY, "2030-01-01T18:30:00+00:00"),
        (
            "enabled",
            "weekly",
            f"churn {published.version}",
            "every 2 weeks on Monday and Friday at 08:00 and 17:00, UTC",
            "2030-01-07T17:00:00+00:00",
        ),
        ("disabled", "old", f"churn {published.version}", "every day at 18:30, UTC", None),
    ]


def test_what_the_sdk_cannot_read_does_not_break_the_list(azure, ws, project):
    schedule(project, ws, now=NOW)
    (entity,) = azure.schedules.values()
    entity.recurrence["TimeZone"] = "Yukon Standard Time"
    with pytest.raises(ValueError, match="is not a valid TimeZone"):
        Schedule.list(ws)

    assert rows(ws) == [("enabled", "churn", "churn", "every day, Yukon Standard Time", None)]
    assert len(pause(project, ws)) == 1
    assert rows(ws) == [("disabled", "churn", "churn", "every day, Yukon Standard Time", None)]


def test_one_that_azure_could_not_set_up_is_broken_and_replaced(azure, ws, project):
    schedule(project, ws, now=NOW)
    (entity,) = azure.schedules.values()
    entity.provisioning = "Failed"
    assert [row.state for row in list_schedules(ws, NOW)] == ["broken"]

    schedule(project, ws, now=NOW)

    assert [(item.provisioning, item.active) for item in azure.schedules.values()] == [
        ("Failed", False),
        ("Completed", True),
    ]


def test_only_those_of_the_pipeline_or_of_its_name_without_a_pipeline_are_listed(azure, ws, project, tmp_path):
    schedule(project, ws, now=NOW)
    other = write_project(tmp_path, line_of_steps(1, NAMED.replace("churn", "other")))
    schedule(other, ws, now=NOW)

    assert [row[1] for row in rows(ws)] == ["churn", "other"]
    assert [row[1] for row in rows(ws, pipeline="churn", name="churn")] == ["churn"]
    next(item for item in azure.schedules.values() if item.name == "churn").endpoint = "gone"
    assert rows(ws, pipeline="churn", name="churn") == [
        ("enabled", "churn", "a deleted pipeline", DAILY, "2030-01-01T18:30:00+00:00")
    ]


def test_doubles_orphans_and_what_runs_a_superseded_version_are_found_and_switched_off(azure, ws, project, tmp_path):
    first, _ = schedule(project, ws, now=NOW)
    double = made(ws, "churn", first.id)
    orphan = made(ws, "orphan", first.id)
    idle = made(ws, "idle", first.id)
    pinned = made(ws, "pinned", first.id)
    fine = made(ws, "fine", first.id)
    for schedule_id, target in ((orphan.id, "gone"), (idle.id, publish(named(tmp_path, "other"), ws).id)):
        azure.schedules[schedule_id].pipeline = target
    azure.published[azure.schedules[idle.id].pipeline].active = False
    assert [one.row.record.name for one in redundant(list_schedules(ws, NOW))] == ["idle", "orphan", "churn"]

    second = publish(later(tmp_path), ws)
    azure.schedules[fine.id].pipeline = second.id
    found = redundant(list_schedules(ws, NOW))

    assert [(one.row.record.id, one.reason) for one in found] == [
        (double.id, f"runs churn {first.version}, which was replaced by {second.version}"),
        (idle.id, f"its version, other {azure.published[azure.schedules[idle.id].pipeline].version}, is disabled"),
        (orphan.id, "its pipeline was deleted"),
        (pinned.id, f"runs churn {first.version}, which was replaced by {second.version}"),
    ]
    disable(ws, found)
    assert sorted(item.name for item in azure.schedules.values() if item.active) == ["churn", "fine"]
    assert redundant(list_schedules(ws, NOW)) == []


def named(folder: Any, name: str) -> Any:
    return write_project(folder, line_of_steps(1, NAMED.replace("churn", name)))


def test_of_several_of_a_name_the_oldest_that_follows_the_endpoint_stays_as_invoke_schedule_keeps_it(
    azure, ws, project
):
    published, _ = schedule(project, ws, now=NOW)
    pinned = made(ws, "churn", published.id)
    endpoint = next(iter(azure.endpoints))
    daily = ScheduleRecurrence("Day", 1, start_time="2030-01-01T18:30:00")
    last = Schedule.create_for_pipeline_endpoint(ws, "churn", endpoint, "trial", daily)

    found = redundant(list_schedules(ws, NOW))

    first = next(iter(azure.schedules.values()))
    reason = f"duplicates {first.id}, created on {first.created[:16].replace('T', ' ')}"
    assert {one.row.record.id: one.reason for one in found} == {pinned.id: reason, last.id: reason}

    azure.schedules[first.id].active = False  # by another command, after the look
    assert disable(ws, found) == []
    assert [item.active for item in azure.schedules.values()] == [False, True, True]


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 503},
        {"status": 500},
        {"status": 0},
        {"status": 500, "before_effect": False},
        {"status": 0, "before_effect": False},
    ],
    ids=["503", "500", "dropped", "500 after it took effect", "dropped after it took effect"],
)
def test_a_fault_while_pruning_leaves_one_on(azure, ws, project, fault):
    published, _ = schedule(project, ws, now=NOW)
    made(ws, "churn", published.id)
    faults = [
        azure.fail(method, path, **fault)
        for method, path in (
            ("GET", "/Schedules$"),
            ("GET", "/Pipelines$"),
            ("GET", "/PipelineEndpoints$"),
            ("GET", "/Schedules/[-0-9a-f]+$"),
            ("PUT", "/Schedules/"),
        )
    ]

    with retrying(RetryPolicy(wait=0.01)):
        disable(ws, redundant(list_schedules(ws, NOW)))

    assert [struck.times for struck in faults] == [0] * 5
    assert [item.active for item in azure.schedules.values()] == [True, False]
