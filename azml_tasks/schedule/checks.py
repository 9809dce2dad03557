"""Check the schedule against the rest of pipeline.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model.schedule import Schedule
from azml_tasks.reading import Project
from azml_tasks.text import did_you_mean


def declared_schedule(project: Project) -> Schedule:
    """Return the schedule of the file.

    Raises ProjectError if it has none, or one that does not match the rest of the file.
    """
    project.require("schedule")
    schedule = project.pipeline.schedule
    if schedule is None:
        message = "has no schedule: add `schedule: {frequency: Week, interval: 2}`, or on_blob_change"
        raise ProjectError([Problem(project.file.name, 0, message)])
    problems = list(schedule_problems(project))
    if problems:
        raise ProjectError(problems)
    return schedule


def schedule_problems(project: Project) -> Iterator[Problem]:
    """Find what is missing for a blob schedule: an account key, a parameter for the blob's path."""
    schedule = project.pipeline.schedule
    blob = schedule.on_blob_change if schedule else None
    if blob is None:
        return
    where = ("schedule", "on_blob_change")
    declared = project.pipeline.datastores.get(blob.datastore_name)
    if declared is not None and declared.account_key is None:
        yield project.problem(
            (*where, "datastore_name"),
            f"a schedule can only watch a datastore with an account_key, but '{blob.datastore_name}' has none",
        )
    parameter, parameters = blob.data_path_parameter_name, project.pipeline.pipeline_parameters
    if parameter is not None and parameter not in parameters:
        yield project.problem(
            (*where, "data_path_parameter_name"),
            f"'{parameter}' is not in pipeline_parameters, so the path of the changed blob cannot be passed"
            f"{did_you_mean(parameter, parameters)}",
        )
