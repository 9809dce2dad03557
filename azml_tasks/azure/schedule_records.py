"""The schedules that a workspace keeps, in all states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.pipeline_service import pipeline_service
from azml_tasks.azure.triggers import Trigger, stored_trigger

_ACTIVE = ("0", "Active")
_FAILED = ("2", "Failed")


@dataclass(frozen=True)
class ScheduleRecord:
    """One schedule as Azure keeps it.

    It runs a published pipeline or what a pipeline endpoint has for its default: one of the two ids is set. `created`
    and `modified` are the service's texts, which sort by time. `is_broken` says that Azure could not set it up.
    """

    id: str
    name: str
    description: str
    experiment: str
    pipeline_id: str | None
    endpoint_id: str | None
    is_active: bool
    is_broken: bool
    trigger: Trigger
    created: str
    modified: str

    def runs_any_of(self, pipelines: frozenset[str], endpoint_id: str | None) -> bool:
        """Say whether it runs the endpoint or one of the published pipelines."""
        if self.endpoint_id:
            return self.endpoint_id == endpoint_id
        return self.pipeline_id in pipelines


def read_schedules(ws: Any) -> list[ScheduleRecord]:
    """Return all schedules of the workspace, the oldest first."""
    with service_calls("listing the schedules"):
        entities = pipeline_service(ws).get_all_schedules_async(active_only=False)
        return sorted(map(_record, entities or ()), key=lambda record: (record.created, record.id))


def read_schedule(ws: Any, identifier: str) -> ScheduleRecord:
    """Return one schedule, which a list may not show yet when it has just been created."""
    with service_calls("looking at the schedule"):
        return _record(pipeline_service(ws).get_schedule_async(identifier))


def switch(ws: Any, identifier: str, on: bool) -> None:
    """Switch a schedule on or off and leave the rest of it as it is, tags too, which the SDK's Schedule drops."""
    service = pipeline_service(ws)
    entity = service.get_schedule_async(identifier)
    entity.entity_status = "Active" if on else "Disabled"
    service.update_schedule_async(identifier, entity)


def _record(entity: Any) -> ScheduleRecord:
    submission = entity.pipeline_submission_info
    return ScheduleRecord(
        id=entity.id,
        name=entity.name,
        description=(submission.description if submission else None) or "",
        experiment=(submission.experiment_name if submission else None) or "",
        pipeline_id=entity.pipeline_id,
        endpoint_id=entity.pipeline_endpoint_id,
        is_active=entity.entity_status in _ACTIVE,
        is_broken=entity.provisioning_status in _FAILED,
        trigger=stored_trigger(entity),
        created=str(entity.created_date or ""),
        modified=str(entity.last_modified_date or ""),
    )
