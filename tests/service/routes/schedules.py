"""Schedules, by time and by blob (`azureml/pipeline/core/schedule.py`)."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call, missing
from tests.service.contract import PIPELINES, check
from tests.service.identifiers import now
from tests.service.message import Answer, Refusal
from tests.service.pipeline_state import Schedule
from tests.service.routing import REGION, routes
from tests.service.state import Document, Workspace

from .pipeline_runs import run_entity
from .published import ACTIVE, DISABLED, find_endpoint, start

BASE = "/pipelines/v1.0{ws}"
FREQUENCIES = ("Month", "Week", "Day", "Hour", "Minute")
WEEK_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@routes.on("POST", REGION, BASE + "/Schedules/Create")
def create_schedule(call: Call) -> Any:
    """Make a schedule; one by time without a start runs its pipeline at once (the SDK's docstring)."""
    body = call.json
    check(PIPELINES, "ScheduleCreationInfo", body)
    workspace = call.workspace
    by_time = body.get("ScheduleType") in ("0", "Recurrence")
    schedule = Schedule(
        workspace.identifiers.new("schedule"),
        body["Name"],
        body.get("PipelineId"),
        body.get("PipelineEndpointId"),
        _checked_recurrence(body.get("Recurrence")) if by_time else None,
        None if by_time else _checked_trigger(workspace, body.get("DataStoreTriggerInfo")),
        body["PipelineSubmissionInfo"],
    )
    _target(workspace, schedule)
    workspace.schedules[schedule.id] = schedule
    if schedule.recurrence is not None and schedule.recurrence.get("StartTime") is None:
        fire(call, schedule)
    return _entity(schedule)


@routes.on("GET", REGION, BASE + "/Schedules")
def list_schedules(call: Call) -> Any:
    active_only = call.request.query.get("activeOnly", "true").lower() == "true"
    return [_entity(item) for item in call.workspace.schedules.values() if item.active or not active_only]


@routes.on("GET", REGION, BASE + "/Schedules/{identifier}")
def get_schedule(call: Call, identifier: str) -> Any:
    return _entity(_find(call.workspace, identifier))


@routes.on("PUT", REGION, BASE + "/Schedules/{identifier}")
def update_schedule(call: Call, identifier: str) -> Any:
    """Change a schedule in place; its kind and what it runs stay."""
    body = call.json
    check(PIPELINES, "PipelineScheduleEntity", body)
    schedule = _find(call.workspace, identifier)
    if schedule.kind == "Recurrence":
        schedule.recurrence = _checked_recurrence(body.get("Recurrence"))
    else:
        schedule.trigger = _checked_trigger(call.workspace, body.get("DataStoreTriggerInfo"))
    schedule.name, schedule.submission = body["Name"], body["PipelineSubmissionInfo"]
    schedule.active = body.get("EntityStatus") in (ACTIVE, "0")
    schedule.modified = now()
    return _entity(schedule)


@routes.on("GET", REGION, BASE + "/Schedules/Pipeline/{identifier}")
def list_schedules_of_pipeline(call: Call, identifier: str) -> Any:
    """List all schedules of a published pipeline, disabled ones too."""
    return [_entity(item) for item in call.workspace.schedules.values() if item.pipeline == identifier]


@routes.on("GET", REGION, BASE + "/Schedules/PipelineEndpoint/{identifier}")
def list_schedules_of_endpoint(call: Call, identifier: str) -> Any:
    return [_entity(item) for item in call.workspace.schedules.values() if item.endpoint == identifier]


@routes.on("GET", REGION, BASE + "/PipelineRuns/Schedule/{identifier}")
def list_runs_of_schedule(call: Call, identifier: str) -> Any:
    runs = reversed(_find(call.workspace, identifier).runs)
    return [run_entity(call.workspace, call.workspace.pipeline_runs[run]) for run in runs]


@routes.on("GET", REGION, BASE + "/PipelineRuns/Schedule/{identifier}/Last")
def get_last_run(call: Call, identifier: str) -> Any:
    runs = _find(call.workspace, identifier).runs
    return run_entity(call.workspace, call.workspace.pipeline_runs[runs[-1]]) if runs else Answer(204)


def fire(call: Call, schedule: Schedule, path: str | None = None) -> str:
    """Start the run that the schedule is for, `path` being the blob that changed; gives the run's id."""
    published = _target(call.workspace, schedule)
    submission = {**schedule.submission, "RunSource": "Schedule", "ContinueRunOnStepFailure": None}
    name = (schedule.trigger or {}).get("DataPathParameterName")
    if name and path is not None:
        given = submission.get("ParameterAssignments") or {}
        submission["ParameterAssignments"] = {**given, name: path}
    run = start(call, published, submission, endpoint=schedule.endpoint, schedule=schedule.id)
    schedule.runs.append(run.id)
    return run.id


def _target(workspace: Workspace, schedule: Schedule) -> Any:
    identifier = schedule.pipeline
    if schedule.endpoint:
        endpoint = find_endpoint(workspace, schedule.endpoint)
        identifier = endpoint.versions[endpoint.default]
    if identifier not in workspace.published:
        raise missing(f"Published pipeline {identifier}")
    return workspace.published[identifier]


def _find(workspace: Workspace, identifier: str) -> Schedule:
    if identifier not in workspace.schedules:
        raise missing(f"Schedule {identifier}")
    return workspace.schedules[identifier]


def _checked_recurrence(recurrence: Document | None) -> Document:
    if not recurrence:
        raise Refusal(400, "BadArgument", "A schedule by time needs its recurrence.")
    if recurrence.get("Frequency") not in FREQUENCIES:
        raise Refusal(400, "BadArgument", f"The frequency {recurrence.get('Frequency')} is unknown.")
    if not isinstance(recurrence.get("Interval"), int) or recurrence["Interval"] < 1:
        raise Refusal(400, "BadArgument", "The interval is a whole number from 1.")
    days = (recurrence.get("Schedule") or {}).get("WeekDays") or []
    if any(day not in WEEK_DAYS for day in days):
        raise Refusal(400, "BadArgument", f"The week days {days} are unknown.")
    return recurrence


def _checked_trigger(workspace: Workspace, trigger: Document | None) -> Document:
    if not trigger or not trigger.get("DataStoreName"):
        raise Refusal(400, "BadArgument", "A schedule by blob needs a datastore.")
    if trigger["DataStoreName"] not in workspace.datastores:
        raise Refusal(400, "UserError", f"Could not find datastore: {trigger['DataStoreName']}")
    return trigger


def _entity(schedule: Schedule) -> Document:
    return {
        "Id": schedule.id,
        "Name": schedule.name,
        "PipelineId": schedule.pipeline,
        "PipelineEndpointId": schedule.endpoint,
        "PipelineSubmissionInfo": {**schedule.submission, "ScheduleId": schedule.id},
        "Recurrence": schedule.recurrence,
        "DataStoreTriggerInfo": schedule.trigger,
        "ScheduleType": schedule.kind,
        "EntityStatus": ACTIVE if schedule.active else DISABLED,
        "ProvisioningStatus": schedule.provisioning,
        "CreatedDate": schedule.created,
        "LastModifiedDate": schedule.modified,
    }
