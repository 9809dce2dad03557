"""Which of the schedules there are is to stay, and what of it is to change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from azml_tasks.azure.published import Family
from azml_tasks.azure.schedule_records import ScheduleRecord
from azml_tasks.azure.triggers import BlobWatch, Recurrence, Trigger, trigger_of
from azml_tasks.model.schedule import Schedule
from azml_tasks.recurrence import default_start


@dataclass(frozen=True)
class Wanted:
    """The one schedule that is to be, of an endpoint; its id is empty as long as there is none."""

    name: str
    description: str
    experiment: str
    endpoint_id: str
    schedule: Schedule


@dataclass(frozen=True)
class Decision:
    """What makes the wanted schedule the only one.

    `keeper` is changed in place, None for a new one. `others` are active and have to go. `changes` names what of the
    keeper is not as wanted.
    """

    keeper: ScheduleRecord | None
    trigger: Trigger
    others: tuple[ScheduleRecord, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether all is as wanted already."""
        return self.keeper is not None and not self.changes and not self.others


def own_schedules(records: Iterable[ScheduleRecord], name: str, family: Family) -> list[ScheduleRecord]:
    """Return the schedules of a name that run this pipeline, in any version, or nothing any more.

    Those that run somebody else's pipeline under the same name are left alone.
    """
    endpoint_id = family.endpoint.id if family.endpoint else None
    known = family.ids | family.elsewhere
    return [
        record
        for record in records
        if record.name == name
        and (
            record.runs_any_of(family.ids, endpoint_id)
            or (record.pipeline_id is not None and record.pipeline_id not in known)
        )
    ]


def decide(wanted: Wanted, own: Iterable[ScheduleRecord], now: datetime) -> Decision:
    """Return what to do, given the schedules of the pipeline and the name, the oldest first."""
    own = list(own)
    keeper = chosen(wanted, own)
    active = [record for record in own if record.is_active]
    others = tuple(record for record in active if record is not keeper)
    if keeper is None:
        return Decision(None, _trigger(wanted.schedule, active, now), others)
    trigger = _trigger(wanted.schedule, [keeper], now)
    return Decision(keeper, trigger, others, tuple(changes(wanted, keeper, trigger)))


def chosen(wanted: Wanted, own: Iterable[ScheduleRecord]) -> ScheduleRecord | None:
    """Return the schedule to keep, if any can be changed into the wanted one.

    The oldest active one, so that two who look at the same time choose the same; else the last that was switched off.
    """
    fitting = [record for record in own if fits(wanted, record)]
    active = [record for record in fitting if record.is_active]
    if active:
        return active[0]
    return max(fitting, key=lambda record: record.modified, default=None)


def surviving(records: Iterable[ScheduleRecord]) -> ScheduleRecord | None:
    """Return the active schedule that stays when there are several, if one is active.

    One that follows its endpoint before one that is tied to a version, and of these the oldest: all who look at the
    same schedules choose the same, whatever they want.
    """
    active = [record for record in records if record.is_active]
    return min(active, key=lambda one: (one.is_broken, not one.endpoint_id, one.created, one.id), default=None)


def fits(wanted: Wanted, record: ScheduleRecord) -> bool:
    """Say whether the SDK can change a schedule into the wanted one.

    `Schedule.update` changes neither what is run nor the experiment nor the kind, and takes neither the folder nor the
    parameter away from one that watches blobs.
    """
    if record.is_broken or record.endpoint_id != wanted.endpoint_id or record.experiment != wanted.experiment:
        return False
    trigger = trigger_of(wanted.schedule, None)
    if isinstance(trigger, Recurrence):
        return isinstance(record.trigger, Recurrence) and record.trigger.is_known
    if not isinstance(record.trigger, BlobWatch):
        return False
    drops_path = record.trigger.path is not None and trigger.path is None
    drops_parameter = record.trigger.parameter is not None and trigger.parameter is None
    return not drops_path and not drops_parameter


def _trigger(schedule: Schedule, before: Iterable[ScheduleRecord], now: datetime) -> Trigger:
    """Return the wanted trigger; a start that the file leaves open is that of the schedule before, else a new one."""
    if schedule.on_blob_change or schedule.start:
        return trigger_of(schedule, schedule.start)
    starts = (record.trigger.start for record in before if isinstance(record.trigger, Recurrence))
    kept = next((start for start in starts if start and _may_start(schedule, start)), None)
    return trigger_of(schedule, kept or default_start(schedule, now))


def _may_start(schedule: Schedule, start: datetime) -> bool:
    return schedule.frequency != "Month" or start.day <= 28


def changes(wanted: Wanted, keeper: ScheduleRecord, trigger: Trigger) -> Iterable[str]:
    """Name what of a schedule is not as wanted."""
    before = keeper.trigger
    if before != trigger:
        if isinstance(before, Recurrence) and isinstance(trigger, Recurrence) and _but_start(before, trigger):
            yield "the start"
        else:
            yield "when it runs"
    if keeper.description != wanted.description:
        yield "the description"
    if not keeper.is_active:
        yield "switched on"


def _but_start(before: Recurrence, after: Recurrence) -> bool:
    return replace(before, start=None) == replace(after, start=None)
