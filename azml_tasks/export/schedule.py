"""The schedule of the pipeline ("CLI (v2) schedule YAML schema").

The page calls two keys of a recurrence `pattern` and `timezone`; what the CLI reads are `schedule` and `time_zone`
(azure-ai-ml, `RecurrenceTriggerSchema`), and with the first both `hours` and `minutes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azml_tasks.export.document import document, or_placeholder, schedule_name
from azml_tasks.model import Pipeline, Schedule
from azml_tasks.model.base import is_unresolved
from azml_tasks.model.schedule import WEEK_DAYS
from azml_tasks.model.time_zone import windows_time_zone
from azml_tasks.plan import Plan
from azml_tasks.plan.plan import reuse_in_a_run, reuse_when_published


def stated_name(pipeline: Pipeline) -> str:
    """Return the name of the schedule: its own, else that of the published pipeline."""
    named = (pipeline.schedule.name if pipeline.schedule else None) or (pipeline.publish and pipeline.publish.name)
    return named or pipeline.experiment


def schedule_file(plan: Plan, schedule: Schedule) -> bytes:
    """Return the file of a recurrence."""
    stated = stated_name(plan.pipeline)
    job: dict[str, Any] = {"type": "pipeline", "job": "../pipeline.yml"}
    if must_rerun(plan):
        job["settings"] = {"force_rerun": True}
    keys = {
        "name": or_placeholder(stated, schedule_name(stated)),
        "display_name": stated,
        "description": schedule.description,
        "trigger": trigger_keys(schedule),
        "create_job": job,
    }
    return document("schedule", keys)


def must_rerun(plan: Plan) -> bool:
    """Return whether a scheduled run must rerun steps that could otherwise be reused.

    v2, like v1, compares the location of data, not its content.
    """
    return reuse_when_published(plan) != reuse_in_a_run(plan)


def schedule_remarks(plan: Plan, schedule: Schedule) -> Iterator[tuple[str, str]]:
    """Yield what v2 does differently, each with the key of the schedule that it is about."""
    if not schedule.enabled:
        name = schedule_name(stated_name(plan.pipeline))
        yield (
            "enabled",
            f"v2 creates every schedule enabled; disable it after you create it: az ml schedule disable --name {name}",
        )
    yield (
        "frequency",
        "a schedule of v2 keeps the versions of environments and data that are the latest when it is created; create "
        "it again for newer ones",
    )
    if schedule.start_time is None:
        yield "frequency", "v2 starts the first run immediately if a schedule has no start_time; set one"
    kept = [step.key for step in plan.steps if step.step.allow_reuse is True]
    if kept and must_rerun(plan):
        yield (
            "frequency",
            f"a scheduled run in v2 reruns all steps (force_rerun), including '{kept[0]}' with allow_reuse: true",
        )


def trigger_keys(schedule: Schedule) -> dict[str, Any]:
    """Return the keys of a recurrence."""
    pattern: dict[str, Any] | None = None
    times, zone = schedule.times, schedule.time_zone
    if schedule.week_days and not times:
        assert schedule.start  # the model requires one with week_days if no times are set
        times = (schedule.start.time(),)
    if times:
        pattern = {
            "hours": sorted({moment.hour for moment in times}),
            "minutes": sorted({moment.minute for moment in times}),
            "week_days": [day.lower() for day in sorted(schedule.week_days or (), key=WEEK_DAYS.index)] or None,
        }
    return {
        "type": "recurrence",
        "frequency": str(schedule.frequency).lower(),
        "interval": schedule.interval,
        "schedule": pattern,
        "start_time": schedule.start_time,
        "time_zone": zone if is_unresolved(zone) else windows_time_zone(zone),
    }
