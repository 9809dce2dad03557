"""Schedule a published pipeline: one schedule a name, replaced and never doubled.

Several may do so at once, and others pause, resume and prune. Whoever has changed something looks again, until one
schedule is on: all switch off the same ones, and whoever finds none on switches on the one that it has set up.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.datastores import find_datastore
from azml_tasks.azure.publish import Publication, publish, published_name
from azml_tasks.azure.published import Family, find_family
from azml_tasks.azure.schedule_decision import Decision, Wanted, changes, decide, fits, own_schedules, surviving
from azml_tasks.azure.schedule_records import ScheduleRecord, read_schedule, read_schedules, switch
from azml_tasks.azure.triggers import Recurrence, Trigger
from azml_tasks.errors import AzmlError, Interrupted, ServiceError, listed
from azml_tasks.model.schedule import BlobChange
from azml_tasks.preview import blob_limits
from azml_tasks.reading import Project
from azml_tasks.recurrence import fire_times
from azml_tasks.schedule_checks import asked_schedule

Outcome = Literal["created", "updated", "unchanged", "switched off", "off"]

# The seconds to wait before each look after a change, as long as others change the same or no change shows.
_LOOKS = (0, 0, 0.2, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class ScheduleChange:
    """What became of a schedule, or with `dry` would become of it.

    `id` is Azure's, empty for one that would be made. `changes` names what of it changed, and `replaced` how many
    other active schedules of the name and pipeline were switched off.
    """

    name: str
    outcome: Outcome
    trigger: Trigger | None = None
    id: str = ""
    changes: tuple[str, ...] = ()
    replaced: int = 0
    notes: tuple[str, ...] = ()
    dry: bool = False

    def next_time(self, now: datetime) -> datetime | None:
        """Return when it runs next, in its zone, where that can be told; `now` carries a tzinfo."""
        stated = self.trigger.schedule() if isinstance(self.trigger, Recurrence) else None
        times = fire_times(stated, after=now, count=1) if stated else []
        return times[0] if times else None

    def __str__(self) -> str:
        would = "would be " if self.dry and self.outcome not in ("unchanged", "off") else ""
        text = f"schedule {self.name}: {would}{self.outcome}"
        if self.changes:
            text += f" ({listed(self.changes)})"
        if self.replaced:
            others = "another that was on" if self.replaced == 1 else f"{self.replaced} others that were on"
            verb = "would be" if self.dry else "is" if self.replaced == 1 else "are"
            text += f"; {others} {verb} switched off"
        return text


def schedule(
    project: Project, ws: Any, *, dry: bool = False, now: datetime | None = None
) -> tuple[Publication | None, ScheduleChange]:
    """Make the file's schedule the only active one of its name, and publish the pipeline first where it has changed.

    It runs the default of the pipeline's endpoint, so that publishing moves it along: a schedule cannot be pointed at
    another published pipeline, only replaced. One with `enabled: false` is switched off, and nothing is published.
    Raises ProjectError and ServiceError.
    """
    asked = asked_schedule(project)
    name = published_name(project)
    if asked.enabled and asked.on_blob_change:
        watched_datastore(ws, asked.on_blob_change)
    publication = publish(project, ws, dry) if asked.enabled else None
    family = find_family(ws, name)
    said = project.pipeline.publish
    wanted = Wanted(
        name=schedule_name(project),
        description=asked.description or (said.description if said else None) or project.pipeline.description or "",
        experiment=project.pipeline.experiment,
        endpoint_id=family.endpoint.id if family.endpoint else "",
        schedule=asked,
    )
    return publication, keep_schedule(ws, wanted, family, dry=dry, now=now)


def schedule_name(project: Project) -> str:
    """Return the name of the project's schedule: its own, else the published pipeline's."""
    asked = project.pipeline.schedule
    return (asked.name if asked else None) or published_name(project)


def keep_schedule(
    ws: Any, wanted: Wanted, family: Family, *, dry: bool = False, now: datetime | None = None
) -> ScheduleChange:
    """Make the wanted schedule the only active one of its name and pipeline.

    What is active goes before anything else comes, so that two never are; when the second part fails, the first is
    undone. Raises ServiceError, which says what is on when that is not what was on before.
    """
    with service_calls(f"scheduling '{wanted.name}'"):
        records = read_schedules(ws)
        own = own_schedules(records, wanted.name, family)
        if not wanted.schedule.enabled:
            return _switched_off(ws, wanted, own, family, dry)
        now = now or datetime.now(timezone.utc)
        decision = decide(wanted, own, now)
        keeper, trigger, notes = decision.keeper, decision.trigger, list[str]()
        if not dry and not decision.is_done:
            keeper, notes = _carried_out(ws, wanted, family, decision, now)
            trigger = keeper.trigger
        outcome: Outcome = "unchanged" if decision.is_done else "updated" if decision.keeper else "created"
        return ScheduleChange(
            wanted.name,
            outcome,
            trigger,
            keeper.id if keeper else "",
            decision.changes,
            len(decision.others),
            (*notes, *_notes(wanted, decision, family, records)),
            dry,
        )


def watched_datastore(ws: Any, blob: BlobChange) -> Any:
    """Return the datastore that a blob schedule watches.

    Raises ServiceError for one that Azure cannot watch.
    """
    found = find_datastore(ws, blob.datastore_name)
    if found.datastore_type != "AzureBlob":
        raise ServiceError(f"a schedule watches blobs, and the datastore '{found.name}' is {found.datastore_type}")
    if found.credential_type != "AccountKey":
        raise ServiceError(
            f"a schedule can only watch a datastore that has an account key, and '{found.name}' has none: "
            "give it `account_key: ${SOME_VARIABLE}` in the file and register it again"
        )
    return found


def leave_one_on(ws: Any, name: str, family: Family, identifier: str) -> ScheduleRecord:
    """Leave one schedule of the name and pipeline on, and return it: the schedule of that id where none is.

    Raises ServiceError when Azure could not set that one up.
    """
    for seconds in _LOOKS:
        time.sleep(seconds)
        own = own_schedules(read_schedules(ws), name, family)
        if identifier not in {record.id for record in own}:
            own.append(read_schedule(ws, identifier))
        if any(record.id == identifier and record.is_broken for record in own):
            switch(ws, identifier, on=False)
            raise ServiceError(f"Azure ML could not set up the schedule '{name}'; nothing more is known of why")
        kept = surviving(own)
        others = [record for record in own if record.is_active and record is not kept]
        if kept is not None and not others:
            return kept
        if kept is None:
            switch(ws, identifier, on=True)
        for record in others:
            switch(ws, record.id, on=False)
    raise ServiceError(_keeps_changing(name))


def leave_none_on(ws: Any, name: str, family: Family, own: list[ScheduleRecord]) -> list[ScheduleRecord]:
    """Switch the schedules of the name and pipeline off, and return those that were on; `own` is how they are now."""
    switched: list[ScheduleRecord] = []
    for seconds in _LOOKS:
        active = [record for record in own if record.is_active]
        if not active:
            return switched
        for record in active:
            switch(ws, record.id, on=False)
        switched += [record for record in active if record.id not in {one.id for one in switched}]
        time.sleep(seconds)
        own = own_schedules(read_schedules(ws), name, family)
    raise ServiceError(_keeps_changing(name))


def _keeps_changing(name: str) -> str:
    return f"other commands keep changing the schedule '{name}'; run this command again when they are done"


def _switched_off(ws: Any, wanted: Wanted, own: list[ScheduleRecord], family: Family, dry: bool) -> ScheduleChange:
    was_on = any(record.is_active for record in own)
    if not dry:
        leave_none_on(ws, wanted.name, family, own)
    outcome: Outcome = "switched off" if was_on else "off"
    return ScheduleChange(wanted.name, outcome, notes=("`enabled: false` in the file keeps it off",), dry=dry)


def _carried_out(
    ws: Any, wanted: Wanted, family: Family, decision: Decision, now: datetime
) -> tuple[ScheduleRecord, list[str]]:
    """Carry out a decision and return the schedule that is on, with notes on what others did meanwhile."""
    try:
        with service_calls(f"scheduling '{wanted.name}'"):
            for record in decision.others:
                switch(ws, record.id, on=False)
            return _agreed(ws, wanted, family, _established(ws, wanted, decision), now)
    except (AzmlError, KeyboardInterrupt) as error:
        if not decision.others:
            raise
        state = _restored(ws, wanted, family, decision.others[0])
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted\n{state}") from error
        raise ServiceError(f"{error}\n{state}") from error


def _agreed(
    ws: Any, wanted: Wanted, family: Family, identifier: str, now: datetime
) -> tuple[ScheduleRecord, list[str]]:
    """Return the schedule that is on once all who schedule at the same time agree, with notes on what they did.

    One that another command has set up is changed into the wanted one where that can be done. Raises ServiceError
    where it cannot.
    """
    kept = leave_one_on(ws, wanted.name, family, identifier)
    if kept.id == identifier:
        return kept, list(_changed_by_others(wanted, kept, now))
    if not fits(wanted, kept):
        raise ServiceError(
            f"another command has set up the schedule '{wanted.name}' at the same time, in another way, and that one "
            "is on; run `invoke schedule` again to replace it"
        )
    again = decide(wanted, [kept], now)
    if again.changes:
        _established(ws, wanted, again)
        kept = leave_one_on(ws, wanted.name, family, kept.id)
    note = "another command has set up this schedule at the same time; one of the two is on"
    return kept, [note, *_changed_by_others(wanted, kept, now)]


def _changed_by_others(wanted: Wanted, kept: ScheduleRecord, now: datetime) -> Iterator[str]:
    """Say what of the schedule is not as it was set up."""
    if not fits(wanted, kept):
        changed = ["what it runs"]
    else:
        changed = list(changes(wanted, kept, decide(wanted, [kept], now).trigger))
    if changed:
        yield f"another command has changed {listed(changed)} at the same time; `invoke schedule` sets up the file's"


def _established(ws: Any, wanted: Wanted, decision: Decision) -> str:
    from azureml.pipeline.core import Schedule

    keeper = decision.keeper
    with _set_up(wanted.name):
        if keeper is None:
            made = Schedule.create_for_pipeline_endpoint(
                ws,
                wanted.name,
                wanted.endpoint_id,
                wanted.experiment,
                description=wanted.description,
                **_arguments(ws, decision.trigger),
            )
            return str(made.id)
        if decision.changes == ("switched on",):
            switch(ws, keeper.id, on=True)
        elif decision.changes:
            Schedule.get(ws, keeper.id).update(
                description=wanted.description, status="Active", **_arguments(ws, decision.trigger)
            )
        return keeper.id


def _arguments(ws: Any, trigger: Trigger) -> dict[str, Any]:
    if isinstance(trigger, Recurrence):
        return {"recurrence": trigger.for_sdk()}
    return {
        "datastore": find_datastore(ws, trigger.datastore),
        "polling_interval": trigger.polling_interval,
        "path_on_datastore": trigger.path,
        "data_path_parameter_name": trigger.parameter,
    }


def _restored(ws: Any, wanted: Wanted, family: Family, before: ScheduleRecord) -> str:
    """Switch on what was on before, unless something is on, and say what is."""
    try:
        with service_calls(f"scheduling '{wanted.name}'"):
            if leave_one_on(ws, wanted.name, family, before.id).id != before.id:
                return f"One schedule '{wanted.name}' is on; `invoke schedule` completes what was begun."
    except AzmlError:
        return f"It may be that no schedule '{wanted.name}' is on now; `invoke schedule` mends that."
    return f"The schedule '{wanted.name}' that was there before is on again."


@contextlib.contextmanager
def _set_up(name: str) -> Iterator[None]:
    """Turn the SDK's own way to say that the service could not set a schedule up into an error of ours."""
    try:
        yield
    except SystemError as error:
        said = " ".join(map(str, error.args))
        raise ServiceError(f"Azure ML could not set up the schedule '{name}': {said}") from None


def _notes(wanted: Wanted, decision: Decision, family: Family, records: list[ScheduleRecord]) -> Iterator[str]:
    if not decision.is_done:
        yield from blob_limits(wanted.schedule)
    others = {
        record.name
        for record in records
        if record.is_active and record.name != wanted.name and record.runs_any_of(family.ids, wanted.endpoint_id)
    }
    for name in sorted(others):
        yield f"the schedule '{name}' runs this pipeline too; `invoke schedules.pause --name {name}` switches it off"
