"""Publishing by the real SDK: pipelines, endpoints, schedules, and runs started by their URL."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from .example import build_pipeline, open_workspace, prepare_workspace
from .service import Service


@pytest.fixture
def ws(azure: Service) -> Any:
    prepare_workspace(azure)
    ws = open_workspace()
    azure.requests.clear()
    return ws


@pytest.fixture
def published(ws: Any, tmp_path: Path) -> Any:
    return build_pipeline(ws, tmp_path, shared=True).publish("churn", "Weekly churn scores", version="1")


def test_a_pipeline_is_published_listed_and_disabled(azure: Service, ws: Any, published: Any) -> None:
    from azureml.pipeline.core import PublishedPipeline

    stored = azure.published[published.id]
    assert (stored.name, stored.description, stored.version) == ("churn", "Weekly churn scores", "1")
    assert list(azure.steps(published.id)) == ["prepare", "train", "evaluate"]
    assert [item.id for item in PublishedPipeline.list(ws)] == [published.id]
    published.disable()
    assert PublishedPipeline.list(ws) == []
    assert [item.id for item in PublishedPipeline.list(ws, active_only=False)] == [published.id]
    assert PublishedPipeline.get(ws, published.id).status == "Disabled"


def test_a_published_pipeline_runs_with_other_parameters(azure: Service, ws: Any, published: Any) -> None:
    run = published.submit(ws, "churn", pipeline_parameters={"alpha": 0.9})
    assert run.wait_for_completion(show_output=False) == "Finished"
    assert azure.submitted[-1].parameters == {"alpha": "0.9"}
    assert azure.submitted[-1].published == published.id


def test_a_published_pipeline_is_run_by_its_url(azure: Service, ws: Any, published: Any) -> None:
    import requests

    body = {"ExperimentName": "by-url", "ParameterAssignments": {"alpha": 0.1}}
    assert requests.post(published.endpoint, json=body).status_code == 401
    answer = requests.post(published.endpoint, json=body, headers=ws._auth.get_authentication_header())
    assert answer.status_code == 200
    assert azure.pipeline_runs[answer.json()["Id"]].experiment == "by-url"
    body["ParameterAssignments"] = {"beta": 1}
    answer = requests.post(published.endpoint, json=body, headers=ws._auth.get_authentication_header())
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "The pipeline has no parameter beta.")


def test_a_pipeline_is_published_from_its_run(azure: Service, ws: Any, tmp_path: Path) -> None:
    from azureml.core import Experiment

    run = Experiment(ws, "churn").submit(build_pipeline(ws, tmp_path, shared=True))
    published = run.publish_pipeline(name="churn", description="", version="0")
    assert list(azure.steps(published.id)) == ["prepare", "train", "evaluate"]


def test_an_endpoint_follows_its_default_version(azure: Service, ws: Any, published: Any, tmp_path: Path) -> None:
    from azureml.pipeline.core import PipelineEndpoint

    endpoint = PipelineEndpoint.publish(ws, "churn", "The scores", published)
    second = build_pipeline(ws, tmp_path, shared=True).publish("churn", "Weekly churn scores", version="2")
    endpoint.add_default(second)
    endpoint = PipelineEndpoint.get(ws, name="churn")
    assert [(item.version, item.pipeline_id) for item in endpoint.pipeline_version_list] == [
        ("0", published.id),
        ("1", second.id),
    ]
    endpoint.submit("churn")
    assert azure.submitted[-1].published == second.id
    endpoint.submit("churn", pipeline_version="0")
    assert azure.submitted[-1].published == published.id
    assert [item.name for item in PipelineEndpoint.list(ws)] == ["churn"]


def test_a_schedule_by_time_is_made_changed_and_disabled(azure: Service, ws: Any, published: Any) -> None:
    from azureml.pipeline.core import Schedule, ScheduleRecurrence
    from azureml.pipeline.core.schedule import TimeZone

    recurrence = ScheduleRecurrence(
        "Week",
        2,
        start_time=datetime(2030, 1, 7, 8),
        time_zone=TimeZone.RomanceStandardTime,
        week_days=["Monday"],
        time_of_day="18:30",
    )
    schedule = Schedule.create(
        ws, "churn", published.id, "churn", recurrence, "Every other Monday", wait_for_provisioning=True
    )
    stored = azure.schedules[schedule.id]
    assert (stored.kind, stored.experiment, stored.pipeline, stored.runs) == (
        "Recurrence",
        "churn",
        published.id,
        [],
    )
    assert stored.recurrence == {
        "Frequency": "Week",
        "Interval": 2,
        "StartTime": "2030-01-07T08:00:00",
        "TimeZone": "Romance Standard Time",
        "Schedule": {"Hours": [18], "Minutes": [30], "WeekDays": ["Monday"]},
    }
    schedule.update(recurrence=ScheduleRecurrence("Day", 1, start_time="2030-01-07T08:00:00"))
    assert azure.schedules[schedule.id].recurrence["Frequency"] == "Day"
    schedule.disable()
    assert Schedule.list(ws) == []
    assert [item.status for item in Schedule.list(ws, active_only=False)] == ["Disabled"]
    assert [item.id for item in Schedule.list(ws, pipeline_id=published.id)] == [schedule.id]


def test_a_schedule_without_a_start_runs_at_once(azure: Service, ws: Any, published: Any) -> None:
    from azureml.pipeline.core import Schedule, ScheduleRecurrence

    schedule = Schedule.create(ws, "churn", published.id, "churn", ScheduleRecurrence("Hour", 1))
    assert schedule.get_last_pipeline_run().id == azure.submitted[-1].id
    assert azure.submitted[-1].schedule == schedule.id


def test_a_schedule_by_blob_runs_on_request(azure: Service, ws: Any, published: Any) -> None:
    from azureml.core import Datastore
    from azureml.pipeline.core import Schedule

    schedule = Schedule.create(
        ws,
        "churn",
        published.id,
        "churn",
        datastore=Datastore.get(ws, "churn_blob"),
        polling_interval=15,
        path_on_datastore="incoming",
    )
    stored = azure.schedules[schedule.id]
    assert (stored.kind, stored.runs) == ("DataStore", [])
    assert stored.trigger == {
        "DataStoreName": "churn_blob",
        "PollingInterval": 15,
        "PathOnDataStore": "incoming",
    }
    fired = azure.fire(stored, "incoming/new.csv")
    assert [run.id for run in schedule.get_pipeline_runs()] == [fired]
