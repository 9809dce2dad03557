"""Schedule the pipeline: one schedule of a name, never two, since its name is its place in Azure.

A schedule of v2 holds the whole job, with the versions of environments of the day when it was made. A tag says what it
was made of, because Azure returns it in another form. It cannot be made switched off, so none is kept while the file
says `enabled: false`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from azml_tasks import backend
from azml_tasks.azure.published import schedule_name as stated_schedule_name
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.data import data_versions
from azml_tasks.azure.v2.documents import PIPELINE, Documents
from azml_tasks.azure.v2.jobs import check_computes, environment_versions
from azml_tasks.azure.v2.publish import ENVIRONMENTS, Publication, pinned_text
from azml_tasks.backend import Change, RedundantSchedule, Replaced, ScheduleRow
from azml_tasks.errors import ServiceError
from azml_tasks.export.document import schedule_name as valid_name
from azml_tasks.export.jobs import published_component
from azml_tasks.export.schedule import trigger_keys
from azml_tasks.model.schedule import Schedule
from azml_tasks.model.time_zone import clock
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import Difference, difference, stated_difference
from azml_tasks.schedule.checks import declared_schedule
from azml_tasks.schedule.describe import describe
from azml_tasks.schedule.recurrence import default_start, fire_times

# Tags of a schedule: which pipeline and version it runs, what its trigger is made of, and in words; and the target with
# the schedule that it replaces, until that one is disabled.
_PIPELINE = "azml_tasks.pipeline"
_VERSION = "azml_tasks.version"
_TRIGGER = "azml_tasks.trigger"
_WORDS = "azml_tasks.words"
# With which versions of data assets it runs.
_DATA = "azml_tasks.data"
_REPLACES = "azml_tasks.replaces"
# As the client itself sends a time that it reads from a file.
_TIME = "%Y-%m-%d %H:%M:%S"


@dataclass(frozen=True, kw_only=True)
class ScheduleChange(backend.ScheduleChange):
    """The change to a schedule; not made with `dry`. `asked` is the schedule of the file."""

    asked: Schedule | None = None

    def next_time(self, now: datetime) -> datetime | None:
        times = fire_times(self.asked, after=now, count=1) if self.asked and self.asked.enabled else []
        return times[0] if times else None


def schedule_name(project: Project) -> str:
    """Return the name of the project's schedule in Azure."""
    return valid_name(stated_schedule_name(project))


def reconcile(
    client: Client, found: Documents, publication: Publication, dry: bool = False, replaced: Replaced | None = None
) -> ScheduleChange:
    """Make the schedule that of the file, and return what changed; `replaced` is noted with it."""
    asked, name = declared_schedule(found.project), schedule_name(found.project)
    doing = f"scheduling '{name}'"
    there = _existing(client, doing, name)
    if not asked.enabled:
        return _removed(client, name, there, dry)
    pins = environment_versions(client, found, dry=dry)
    # What the file declares may be registered before.
    data = data_versions(client, found, found.made.assets.values() if dry else ())
    if not dry:
        check_computes(client, found.project.plan)
    tags: dict[str, str] = {
        _PIPELINE: published_component(found.project),
        _VERSION: publication.content,
        _TRIGGER: _digest(asked),
        _WORDS: describe(asked),
        ENVIRONMENTS: pinned_text(pins),
        _DATA: pinned_text(data),
    }
    before = (there.tags or {}).get(_REPLACES) if there is not None else None
    target = replaced.target if replaced else before
    if target:
        tags[_REPLACES] = target
    notes = [_pinned_note({**pins, **data})] if pins or data else []
    if before and not replaced:
        notes.append(f"it replaces the schedule of the target '{before}', which may still be enabled, too")
    kept = _with_start(asked, there, replaced)
    asked = kept if replaced else _sooner(asked, kept)
    differences = [] if there is None else list(_differences(there, tags))
    if there is not None and there.is_enabled and not differences:
        return ScheduleChange(name=name, outcome="unchanged", asked=asked, notes=tuple(notes), dry=dry)
    if not dry:
        found.pin(pins)
        found.pin_data(data)
        _write(client, found, (name, asked), tags)
    outcome = "created" if there is None else "updated" if differences else "enabled"
    return ScheduleChange(
        name=name, outcome=outcome, asked=asked, notes=tuple(notes), dry=dry, differences=tuple(differences)
    )


def _with_start(asked: Schedule, there: Any, replaced: Replaced | None = None) -> Schedule:
    """Return the schedule with the start of the one that it replaces, or of itself in Azure, if the file has none.

    So its intervals go on: every second week stays the same weeks.
    """
    start = replaced.start if replaced else None
    if start is None and there is not None:
        start = _stored_start(there.trigger)
    is_usable = start is not None and (asked.frequency != "Month" or start.day <= 28)
    return (
        asked.model_copy(update={"start_time": start.isoformat()}) if start and is_usable and not asked.start else asked
    )


def _sooner(asked: Schedule, kept: Schedule) -> Schedule:
    """Return the schedule with the kept start, unless that is in the future and runs begin earlier without it."""
    now = datetime.now(timezone.utc)
    own, before = (fire_times(one, after=now, count=1) for one in (asked, kept))
    is_begun = kept.start is None or kept.start.replace(tzinfo=clock(kept.time_zone)) <= now
    return asked if not is_begun and own and (not before or own < before) else kept


def _stored_start(trigger: Any) -> datetime | None:
    """Return the start of a trigger, to the second, as the clock of its time zone shows it."""
    try:
        return datetime.fromisoformat(str(trigger.start_time)[:19])
    except ValueError:
        return None


def _pinned_note(pins: Mapping[str, str]) -> str:
    return f"it keeps these versions until `invoke schedule` is run again: {pinned_text(pins)}"


def _digest(asked: Schedule) -> str:
    described = {"trigger": trigger_keys(asked), "description": asked.description}
    return hashlib.sha256(json.dumps(described, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _differences(there: Any, tags: Mapping[str, str]) -> Iterator[Difference]:
    before = there.tags or {}
    if before.get(_TRIGGER) != tags[_TRIGGER]:
        words = before.get(_WORDS, "")
        if words and words != tags[_WORDS]:
            yield difference("schedule", "when", words, tags[_WORDS])
        else:
            yield stated_difference("when it runs changed", "schedule", "when")
    if before.get(_VERSION) != tags[_VERSION]:
        yield difference("version", "version", before.get(_VERSION) or "unknown", tags[_VERSION])
    if before.get(ENVIRONMENTS) != tags[ENVIRONMENTS]:
        yield difference("environment", "environments", before.get(ENVIRONMENTS) or "none", tags[ENVIRONMENTS])
    if (before.get(_DATA) or "") != tags[_DATA]:
        yield difference("dataset", "datasets", before.get(_DATA) or "none", tags[_DATA] or "none")
    if before.get(_REPLACES) != tags.get(_REPLACES):
        yield stated_difference(f"replaces the schedule of the target '{tags[_REPLACES]}'", "schedule", "replaces")


def _write(client: Client, found: Documents, wanted: tuple[str, Schedule], tags: dict[str, str]) -> None:
    from azure.ai.ml import load_job
    from azure.ai.ml.entities import JobSchedule

    name, asked = wanted
    start = asked.start or default_start(asked, datetime.now(timezone.utc))

    def put() -> Any:
        schedule = JobSchedule(
            name=name,
            trigger=_trigger(asked, start.strftime(_TIME)),
            # Read again: with a job that was sent, the client fails.
            create_job=load_job(found.folder / PIPELINE),
            display_name=stated_schedule_name(found.project),
            description=asked.description,
            tags=tags,
        )
        made = client.ml.schedules.begin_create_or_update(schedule).result()
        if not made.is_enabled:
            client.ml.schedules.begin_enable(name).result()

    client.call(f"scheduling '{name}'", put)


def _trigger(asked: Schedule, start: str) -> Any:
    """Return the client's trigger, of the keys that the export writes."""
    from azure.ai.ml.entities import RecurrencePattern, RecurrenceTrigger

    keys = trigger_keys(asked)
    pattern = keys["schedule"]
    return RecurrenceTrigger(
        frequency=keys["frequency"],
        interval=keys["interval"],
        schedule=RecurrencePattern(**{name: value for name, value in pattern.items() if value}) if pattern else None,
        start_time=start,
        time_zone=keys["time_zone"],
    )


def _removed(client: Client, name: str, there: Any, dry: bool) -> ScheduleChange:
    detail = "`enabled: false`: Azure ML v2 cannot create a schedule that is disabled, so none is kept"
    if there is None:
        return ScheduleChange(name=name, outcome="already disabled", detail=detail, dry=dry)
    if not dry:
        client.call(f"removing the schedule '{name}'", lambda: _delete(client, name))
    return ScheduleChange(name=name, outcome="removed", detail=detail, dry=dry)


def _delete(client: Client, name: str) -> None:
    """Disable a schedule, as Azure demands, and delete it; one that is gone is fine."""
    there = _get(client, name)
    if there is None:
        return
    if there.is_enabled:
        client.ml.schedules.begin_disable(name).result()
    client.ml.schedules.begin_delete(name).result()


def _get(client: Client, name: str) -> Any | None:
    return found_or_none(lambda: client.ml.schedules.get(name))


def _existing(client: Client, doing: str, name: str) -> Any | None:
    return client.call(doing, lambda: _get(client, name))


def list_schedules(client: Client, project: Project, now: datetime, *, everything: bool = False) -> list[ScheduleRow]:
    """Return the schedules of the pipeline, or all of the workspace, those that are on first."""
    view: Any = "All"  # the client's enumeration has no public name
    found = client.call("listing the schedules", lambda: list(client.ml.schedules.list(list_view_type=view)))
    pipeline, name = published_component(_named(project)), schedule_name(project)
    own = [one for one in found if everything or one.name == name or (one.tags or {}).get(_PIPELINE) == pipeline]
    asked = project.pipeline.schedule
    rows = [_row(one, now, asked if one.name == name else None) for one in own]
    return sorted(rows, key=lambda row: (row.state != "enabled", row.name))


def _named(project: Project) -> Project:
    from azml_tasks.azure.v2.publish import to_publish

    return to_publish(project)


def _row(found: Any, now: datetime, asked: Schedule | None) -> ScheduleRow:
    tags = found.tags or {}
    is_as_stated = asked is not None and tags.get(_TRIGGER) == _digest(asked) and found.is_enabled
    times = fire_times(_with_start(asked, found), after=now, count=1) if asked is not None and is_as_stated else []
    runs = " ".join(filter(None, [tags.get(_PIPELINE, ""), tags.get(_VERSION, "")]))
    return ScheduleRow(
        name=str(found.name),
        id=str(found.name),
        state="enabled" if found.is_enabled else "disabled",
        words=tags.get(_WORDS) or _trigger_words(found.trigger),
        runs=runs or "a job of its own",
        next=times[0] if times else None,
        start=_stored_start(found.trigger),
    )


def _trigger_words(trigger: Any) -> str:
    expression = getattr(trigger, "expression", None)
    if expression:
        return f"by the expression '{expression}'"
    frequency, interval = str(getattr(trigger, "frequency", "")).lower(), getattr(trigger, "interval", 1)
    return f"every {frequency}" if interval == 1 else f"every {interval} {frequency}s"


def redundant(client: Client, project: Project, *, everything: bool = False) -> list[RedundantSchedule]:
    """Return the active schedules of the pipeline under another name than that of the file."""
    rows = list_schedules(client, project, datetime.now(timezone.utc), everything=everything)
    name, pipeline = schedule_name(project), published_component(_named(project))
    on = [row for row in rows if row.state == "enabled"]
    kept = next((row.id for row in on if row.name == name), "")
    if not kept:
        return []
    return [
        RedundantSchedule(row, f"duplicates {kept}, the schedule of pipeline.yaml", kept)
        for row in on
        if row.name != name and row.runs.split(" ")[0] == pipeline
    ]


def disable(client: Client, found: Iterable[RedundantSchedule]) -> list[RedundantSchedule]:
    """Disable schedules, and return those that were."""
    return [one for one in found if switch(client, one.row.name, on=False, dry=False)]


def switch(client: Client, name: str, *, on: bool, dry: bool) -> bool:
    """Enable or disable a schedule, and return whether that changed anything. Raises ServiceError if there is none."""
    doing = f"{'enabling' if on else 'disabling'} the schedule '{name}'"
    there = _existing(client, doing, name)
    if there is None:
        text = f"the workspace '{client.workspace}' has no schedule '{name}'"
        raise ServiceError(f"{text}; create it with `invoke schedule`")
    if there.is_enabled == on:
        return False
    if not dry:
        change = client.ml.schedules.begin_enable if on else client.ml.schedules.begin_disable
        client.call(doing, lambda: change(name).result())
    return True


def switched(client: Client, project: Project, name: str, *, on: bool, dry: bool) -> Change:
    """Enable or disable the pipeline's schedule, or that of the name."""
    name = name or schedule_name(project)
    word = "enabled" if on else "disabled"
    return Change("schedule", name, word if switch(client, name, on=on, dry=dry) else f"already {word}", dry=dry)


def own_schedule(client: Client, project: Project, now: datetime) -> tuple[ScheduleRow | None, str]:
    """Return the project's schedule, None if there is none, and the target whose schedule it replaces.

    There is no such target if it replaces none, or if that is done.
    """
    name = schedule_name(project)
    there = _existing(client, f"looking up the schedule '{name}'", name)
    if there is None:
        return None, ""
    return _row(there, now, project.pipeline.schedule), str((there.tags or {}).get(_REPLACES, ""))


def end_replacement(client: Client, project: Project) -> None:
    """Remove the note of which schedule the project's replaces; all else stays."""
    name = schedule_name(project)

    def put() -> None:
        there = _get(client, name)
        if there is not None and (there.tags or {}).pop(_REPLACES, None):
            client.ml.schedules.begin_create_or_update(there).result()

    client.call(f"updating the schedule '{name}'", put)


def versions_in_use(client: Client, pipeline: str) -> set[str]:
    """Return the contents that active schedules of a published pipeline run."""
    found = client.call("listing the schedules", lambda: list(client.ml.schedules.list()))
    return {str((one.tags or {}).get(_VERSION)) for one in found if (one.tags or {}).get(_PIPELINE) == pipeline}
