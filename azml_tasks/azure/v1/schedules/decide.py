"""Decide which schedule to keep, and what to change in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from azml_tasks.azure.v1.publish.published import PublishedVersions
from azml_tasks.azure.v1.schedules.records import BlobWatch, Recurrence, ScheduleRecord, Trigger, trigger_of
from azml_tasks.model.schedule import Schedule
from azml_tasks.runs.changes.differences import ABSENT, UNKNOWN, Difference, difference, stated_difference
from azml_tasks.schedule.describe import describe
from azml_tasks.schedule.recurrence import default_start

ENABLED = "enabled"


@dataclass(frozen=True)
class WantedSchedule:
    """The wanted schedule of an endpoint; the endpoint's id is empty if there is none yet."""

    name: str
    description: str
    experiment: str
    endpoint_id: str
    schedule: Schedule


@dataclass(frozen=True)
class Decision:
    """The steps to the wanted schedule as the only one.

    `keeper` is updated, None for a new one. `others` are active and must be disabled. `changes` are the differences of
    the keeper.
    """

    keeper: ScheduleRecord | None
    trigger: Trigger
    others: tuple[ScheduleRecord, ...] = ()
    changes: tuple[Difference, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether all is as wanted already."""
        return self.keeper is not None and not self.changes and not self.others


def own_schedules(records: Iterable[ScheduleRecord], name: str, family: PublishedVersions) -> list[ScheduleRecord]:
    """Return the schedules of a name that run any version of this pipeline, or a deleted one.

    Those of other pipelines with the same name are ignored.
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


def decide(wanted: WantedSchedule, own: Iterable[ScheduleRecord], now: datetime) -> Decision:
    """Return the decision for the schedules of the pipeline and the name, sorted by age, oldest first."""
    own = list(own)
    keeper = chosen(wanted, own)
    active = [record for record in own if record.is_active]
    others = tuple(record for record in active if record is not keeper)
    if keeper is None:
        return Decision(None, _trigger(wanted.schedule, active, now), others)
    trigger = _trigger(wanted.schedule, [keeper], now)
    return Decision(keeper, trigger, others, tuple(changes(wanted, keeper, trigger)))


def chosen(wanted: WantedSchedule, own: Iterable[ScheduleRecord]) -> ScheduleRecord | None:
    """Return the schedule to keep, if any can be updated to the wanted one.

    It is the oldest active one, so that two commands choose the same; else the last that was disabled.
    """
    fitting = [record for record in own if fits(wanted, record)]
    active = [record for record in fitting if record.is_active]
    if active:
        return active[0]
    return max(fitting, key=lambda record: record.modified, default=None)


def surviving(records: Iterable[ScheduleRecord]) -> ScheduleRecord | None:
    """Return the active schedule to keep among several, if any.

    Schedules of an endpoint come before those of a version, then the oldest: all commands that see the same schedules
    choose the same.
    """
    active = [record for record in records if record.is_active]
    return min(active, key=lambda one: (one.is_broken, not one.endpoint_id, one.created, one.id), default=None)


def fits(wanted: WantedSchedule, record: ScheduleRecord) -> bool:
    """Return whether the SDK can update a schedule to the wanted one.

    `Schedule.update` cannot change the pipeline, the experiment or the kind, or remove the folder or the parameter of a
    blob schedule.
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


def changes(wanted: WantedSchedule, keeper: ScheduleRecord, trigger: Trigger) -> Iterable[Difference]:
    """Return the differences of a schedule."""
    before = keeper.trigger
    if before != trigger:
        if isinstance(before, Recurrence) and isinstance(trigger, Recurrence) and _but_start(before, trigger):
            yield difference("schedule", "start", _time(before.start), _time(trigger.start))
        else:
            words = _in_words(before), _in_words(trigger)
            yield difference("schedule", "when it runs", words[0], words[1], label="when it runs:")
    if keeper.description != wanted.description:
        yield difference("schedule", "description", keeper.description or ABSENT, wanted.description or ABSENT)
    if not keeper.is_active:
        yield stated_difference(ENABLED, "schedule", ENABLED)


def _time(moment: datetime | None) -> Any:
    return ABSENT if moment is None else moment.isoformat(sep=" ", timespec="minutes")


def _in_words(trigger: Trigger | None) -> Any:
    """Return when a schedule runs; UNKNOWN for one that pipeline.yaml could not declare."""
    if isinstance(trigger, BlobWatch):
        place = f"{trigger.datastore}/{trigger.path}" if trigger.path else trigger.datastore
        return f"every {trigger.polling_interval} minutes if {place} changed"
    stated = trigger.schedule() if isinstance(trigger, Recurrence) else None
    return describe(stated) if stated else UNKNOWN


def _but_start(before: Recurrence, after: Recurrence) -> bool:
    return replace(before, start=None) == replace(after, start=None)
