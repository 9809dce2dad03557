"""The schedule of the pipeline ("CLI (v2) schedule YAML schema").

The page calls two keys of a recurrence `pattern` and `timezone`; what the CLI reads are `schedule` and `time_zone`
(azure-ai-ml, `RecurrenceTriggerSchema`), and with the first both `hours` and `minutes`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from azml_tasks.export.document import document
from azml_tasks.export.names import or_placeholder, schedule_name
from azml_tasks.model import Pipeline, Schedule
from azml_tasks.model.base import is_unresolved
from azml_tasks.model.schedule import WEEK_DAYS
from azml_tasks.model.time_zone import windows_time_zone
from azml_tasks.wiring import Plan
from azml_tasks.wiring.reuse import reuse_in_a_run, reuse_when_published


def stated_name(pipeline: Pipeline) -> str:
    """Return what the file calls the schedule: its own name, else that of the published pipeline."""
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
        "trigger": _trigger(schedule),
        "create_job": job,
    }
    return document("schedule", keys)


def must_rerun(plan: Plan) -> bool:
    """Say whether a scheduled run has to run steps that a run by hand may take an earlier result for.

    v2 as v1 looks at where data lie and not at what they hold.
    """
    return reuse_when_published(plan) != reuse_in_a_run(plan)


def schedule_remarks(plan: Plan, schedule: Schedule) -> Iterator[tuple[str, str]]:
    """Yield what v2 does otherwise, each with the key of the schedule that it is about."""
    if not schedule.enabled:
        name = schedule_name(stated_name(plan.pipeline))
        yield (
            "enabled",
            f"v2 makes every schedule switched on; switch it off when it is made: az ml schedule disable --name {name}",
        )
    if schedule.start_time is None:
        yield "frequency", "v2 starts the first run as soon as a schedule without a start_time is made; state one"
    kept = [step.key for step in plan.steps if step.step.allow_reuse is True]
    if kept and must_rerun(plan):
        yield (
            "frequency",
            f"a scheduled run in v2 runs all steps anew (force_rerun), so too '{kept[0]}' with allow_reuse: true",
        )


def _trigger(schedule: Schedule) -> dict[str, Any]:
    pattern: dict[str, Any] | None = None
    times, zone = schedule.times, schedule.time_zone
    if schedule.week_days and not times:
        assert schedule.start  # the model asks for one beside week_days, where no times are stated
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
