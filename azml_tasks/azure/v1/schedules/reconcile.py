"""Schedule a published pipeline: one schedule per name, without duplicates.

Several commands may do so at once, and others pause, resume and prune. Each checks again after a change, until one
schedule is enabled: all disable the same ones, and a command that finds none enabled enables its own.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Literal

from azml_tasks import backend
from azml_tasks.azure.published import published_name, schedule_name
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.publication import Publication, publish
from azml_tasks.azure.v1.publish.published import PublishedVersions, find_published
from azml_tasks.azure.v1.resources.datastores import find_datastore
from azml_tasks.azure.v1.schedules.decide import (
    ENABLED,
    Decision,
    WantedSchedule,
    changes,
    decide,
    fits,
    own_schedules,
    surviving,
)
from azml_tasks.azure.v1.schedules.records import (
    Recurrence,
    ScheduleRecord,
    Trigger,
    read_schedule,
    read_schedules,
    switch,
)
from azml_tasks.errors import AzmlError, Interrupted, ServiceError
from azml_tasks.model.schedule import BlobChange
from azml_tasks.reading import Project
from azml_tasks.schedule.checks import declared_schedule
from azml_tasks.schedule.describe import blob_limits
from azml_tasks.schedule.recurrence import fire_times
from azml_tasks.text import listed

Outcome = Literal["created", "updated", "unchanged", "disabled", "already disabled"]

# The seconds to wait before each look after a change, as long as others change the same or no change shows.
_LOOKS = (0, 0, 0.2, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True, kw_only=True)
class ScheduleChange(backend.ScheduleChange):
    """The change to a schedule; not made with `dry`.

    `id` is Azure's, empty for one that would be created. `replaced` is the number of other active schedules of the name
    and pipeline that were disabled.
    """

    trigger: Trigger | None = None
    id: str = ""
    replaced: int = 0

    def next_time(self, now: datetime) -> datetime | None:
        stated = self.trigger.schedule() if isinstance(self.trigger, Recurrence) else None
        times = fire_times(stated, after=now, count=1) if stated else []
        return times[0] if times else None

    @property
    def headline(self) -> str:
        """Its text without the differences."""
        text = f"schedule {self.name}: {self.done}"
        if self.replaced:
            others = "another enabled schedule" if self.replaced == 1 else f"{self.replaced} other enabled schedules"
            verb = "would be" if self.dry else "is" if self.replaced == 1 else "are"
            text += f"; {others} {verb} disabled"
        return text


def schedule(
    project: Project, ws: Any, *, dry: bool = False, now: datetime | None = None
) -> tuple[Publication | None, ScheduleChange]:
    """Make the file's schedule the only active one of its name, publishing the pipeline first if it changed.

    It runs the default of the pipeline's endpoint, so that it follows new versions: a schedule cannot be changed to
    another published pipeline, only replaced. With `enabled: false` it is disabled, and nothing is published. Raises
    ProjectError and ServiceError.
    """
    asked = declared_schedule(project)
    name = published_name(project)
    if asked.enabled and asked.on_blob_change:
        watched_datastore(ws, asked.on_blob_change)
    publication = publish(project, ws, dry) if asked.enabled else None
    family = find_published(ws, name)
    said = project.pipeline.publish
    wanted = WantedSchedule(
        name=schedule_name(project),
        description=asked.description or (said.description if said else None) or project.pipeline.description or "",
        experiment=project.pipeline.experiment,
        endpoint_id=family.endpoint.id if family.endpoint else "",
        schedule=asked,
    )
    return publication, reconcile(ws, wanted, family, dry=dry, now=now)


def reconcile(
    ws: Any, wanted: WantedSchedule, family: PublishedVersions, *, dry: bool = False, now: datetime | None = None
) -> ScheduleChange:
    """Make the wanted schedule the only active one of its name and pipeline.

    Active ones are disabled first, so that there are never two; if the second part fails, the first is undone. Raises
    ServiceError, with the enabled schedule if it is not the earlier one.
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
            keeper, notes = _apply(ws, wanted, family, decision, now)
            trigger = keeper.trigger
        outcome: Outcome = "unchanged" if decision.is_done else "updated" if decision.keeper else "created"
        return ScheduleChange(
            name=wanted.name,
            outcome=outcome,
            trigger=trigger,
            id=keeper.id if keeper else "",
            differences=decision.changes,
            replaced=len(decision.others),
            notes=(*notes, *_notes(wanted, decision, family, records)),
            dry=dry,
        )


def watched_datastore(ws: Any, blob: BlobChange) -> Any:
    """Return the datastore that a blob schedule watches.

    Raises ServiceError for one that Azure cannot watch.
    """
    found = find_datastore(ws, blob.datastore_name)
    if found.datastore_type != "AzureBlob":
        raise ServiceError(f"a schedule can only watch a blob datastore, but '{found.name}' is {found.datastore_type}")
    if found.credential_type != "AccountKey":
        raise ServiceError(
            f"a schedule can only watch a datastore with an account key, but '{found.name}' has none: set "
            f"`account_key: ${{SOME_VARIABLE}}` in the file and register it again"
        )
    return found


def leave_one_on(ws: Any, name: str, family: PublishedVersions, identifier: str) -> ScheduleRecord:
    """Keep one schedule of the name and pipeline enabled, and return it: the schedule of that id if none is.

    Raises ServiceError if Azure could not create that one.
    """
    for seconds in _LOOKS:
        time.sleep(seconds)
        own = own_schedules(read_schedules(ws), name, family)
        if identifier not in {record.id for record in own}:
            own.append(read_schedule(ws, identifier))
        if any(record.id == identifier and record.is_broken for record in own):
            switch(ws, identifier, on=False)
            raise ServiceError(f"Azure ML could not create the schedule '{name}'; no reason was returned")
        kept = surviving(own)
        others = [record for record in own if record.is_active and record is not kept]
        if kept is not None and not others:
            return kept
        if kept is None:
            switch(ws, identifier, on=True)
        for record in others:
            switch(ws, record.id, on=False)
    raise ServiceError(_keeps_changing(name))


def leave_none_on(ws: Any, name: str, family: PublishedVersions, own: list[ScheduleRecord]) -> list[ScheduleRecord]:
    """Disable the schedules of the name and pipeline, and return those that were enabled; `own` is their current
    state."""
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
    return f"other commands keep changing the schedule '{name}'; run this command again when they have finished"


def _switched_off(
    ws: Any, wanted: WantedSchedule, own: list[ScheduleRecord], family: PublishedVersions, dry: bool
) -> ScheduleChange:
    was_on = any(record.is_active for record in own)
    if not dry:
        leave_none_on(ws, wanted.name, family, own)
    outcome: Outcome = "disabled" if was_on else "already disabled"
    return ScheduleChange(name=wanted.name, outcome=outcome, notes=("the file has `enabled: false`",), dry=dry)


def _apply(
    ws: Any, wanted: WantedSchedule, family: PublishedVersions, decision: Decision, now: datetime
) -> tuple[ScheduleRecord, list[str]]:
    """Apply a decision and return the enabled schedule, with notes on changes by other commands."""
    try:
        with service_calls(f"scheduling '{wanted.name}'"):
            for record in decision.others:
                switch(ws, record.id, on=False)
            return _agreed(ws, wanted, family, _create_or_update(ws, wanted, decision), now)
    except (AzmlError, KeyboardInterrupt) as error:
        if not decision.others:
            raise
        state = _rollback(ws, wanted, family, decision.others[0])
        if isinstance(error, KeyboardInterrupt):
            raise Interrupted(f"interrupted\n{state}") from error
        raise ServiceError(f"{error}\n{state}") from error


def _agreed(
    ws: Any, wanted: WantedSchedule, family: PublishedVersions, identifier: str, now: datetime
) -> tuple[ScheduleRecord, list[str]]:
    """Return the enabled schedule after resolving conflicts with other commands, with notes.

    One that another command created is updated to the wanted one if possible. Raises ServiceError otherwise.
    """
    kept = leave_one_on(ws, wanted.name, family, identifier)
    if kept.id == identifier:
        return kept, list(_changed_by_others(wanted, kept, now))
    if not fits(wanted, kept):
        raise ServiceError(
            f"another command created a different schedule '{wanted.name}' at the same time, and that one is "
            "enabled; run `invoke schedule` again to replace it"
        )
    again = decide(wanted, [kept], now)
    if again.changes:
        _create_or_update(ws, wanted, again)
        kept = leave_one_on(ws, wanted.name, family, kept.id)
    note = "another command created this schedule at the same time; only one of them is enabled"
    return kept, [note, *_changed_by_others(wanted, kept, now)]


def _changed_by_others(wanted: WantedSchedule, kept: ScheduleRecord, now: datetime) -> Iterator[str]:
    """Yield a note if the schedule was changed by others."""
    if not fits(wanted, kept):
        changed = ["its pipeline"]
    else:
        found = changes(wanted, kept, decide(wanted, [kept], now).trigger)
        changed = [f"the {one.name}" if one.name in ("start", "description") else one.name for one in found]
    if changed:
        yield (
            f"another command changed {listed(changed)} at the same time; run `invoke schedule` again to apply the file"
        )


def _create_or_update(ws: Any, wanted: WantedSchedule, decision: Decision) -> str:
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
        if [one.name for one in decision.changes] == [ENABLED]:
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


def _rollback(ws: Any, wanted: WantedSchedule, family: PublishedVersions, before: ScheduleRecord) -> str:
    """Enable the earlier schedule, unless one is enabled, and describe the state."""
    try:
        with service_calls(f"scheduling '{wanted.name}'"):
            if leave_one_on(ws, wanted.name, family, before.id).id != before.id:
                return f"One schedule '{wanted.name}' is enabled; run `invoke schedule` again to finish."
    except AzmlError:
        return f"Possibly no schedule '{wanted.name}' is enabled now; run `invoke schedule` to fix it."
    return f"The earlier schedule '{wanted.name}' is enabled again."


@contextlib.contextmanager
def _set_up(name: str) -> Iterator[None]:
    """Translate the SDK's error for a schedule that the service could not create."""
    try:
        yield
    except SystemError as error:
        said = " ".join(map(str, error.args))
        raise ServiceError(f"Azure ML could not create the schedule '{name}': {said}") from None


def _notes(
    wanted: WantedSchedule, decision: Decision, family: PublishedVersions, records: list[ScheduleRecord]
) -> Iterator[str]:
    if not decision.is_done:
        yield from blob_limits(wanted.schedule)
    others = {
        record.name
        for record in records
        if record.is_active and record.name != wanted.name and record.runs_any_of(family.ids, wanted.endpoint_id)
    }
    for name in sorted(others):
        yield f"the schedule '{name}' also runs this pipeline; disable it with `invoke schedules.pause --name {name}`"
