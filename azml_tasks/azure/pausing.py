"""Switch a schedule off for a while, and on again as it was."""

from __future__ import annotations

from typing import Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.publish import published_name
from azml_tasks.azure.published import Family, find_family
from azml_tasks.azure.schedule_decision import Wanted, fits, own_schedules, surviving
from azml_tasks.azure.schedule_records import ScheduleRecord, read_schedules, switch
from azml_tasks.azure.schedules import leave_none_on, leave_one_on, schedule_name
from azml_tasks.errors import ServiceError
from azml_tasks.reading import Project


def pause(project: Project, ws: Any, name: str = "", dry: bool = False) -> list[ScheduleRecord]:
    """Switch the project's schedule off, or another of its pipeline by name, and return what was on.

    Raises ServiceError when there is none of that name.
    """
    with service_calls("switching the schedule off"):
        own, family = _own(project, ws, name)
        return [one for one in own if one.is_active] if dry else leave_none_on(ws, own[0].name, family, own)


def resume(project: Project, ws: Any, name: str = "", dry: bool = False) -> tuple[ScheduleRecord, bool]:
    """Switch the project's schedule on again, as it was, and return it; and whether it was off.

    Of several it is the one that is as the file says, else the last that was on. Raises ServiceError when there is
    none of that name, or none that is as the file says.
    """
    with service_calls("switching the schedule on"):
        own, family = _own(project, ws, name)
        kept = surviving(own)
        if kept is not None:
            is_alone = sum(record.is_active for record in own) == 1
            return kept if dry or is_alone else leave_one_on(ws, kept.name, family, kept.id), False
        record = max(_like_the_file(project, own, family), key=lambda record: record.modified, default=None)
        if record is None:
            raise ServiceError(
                f"none of the schedules '{own[0].name}' that are switched off is as {project.file.name} says; "
                "`invoke schedule` makes one that is"
            )
        if not dry:
            switch(ws, record.id, on=True)
            record = leave_one_on(ws, record.name, family, record.id)
        return record, True


def _own(project: Project, ws: Any, name: str) -> tuple[list[ScheduleRecord], Family]:
    wanted = name or schedule_name(project)
    family = find_family(ws, published_name(project))
    own = own_schedules(read_schedules(ws), wanted, family)
    if not own:
        raise ServiceError(
            f"the workspace '{ws.name}' has no schedule '{wanted}' of this pipeline; "
            "`invoke schedules.list` shows those there are"
        )
    return own, family


def _like_the_file(project: Project, own: list[ScheduleRecord], family: Family) -> list[ScheduleRecord]:
    asked = project.pipeline.schedule
    if asked is None or own[0].name != schedule_name(project):
        return own
    endpoint_id = family.endpoint.id if family.endpoint else ""
    wanted = Wanted(own[0].name, "", project.pipeline.experiment, endpoint_id, asked)
    return [record for record in own if fits(wanted, record)]
