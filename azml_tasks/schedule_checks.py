"""Check the schedule of pipeline.yaml against the rest of the file."""

from __future__ import annotations

from collections.abc import Iterator

from azml_tasks.errors import Problem, did_you_mean
from azml_tasks.reading import Project


def schedule_problems(project: Project) -> Iterator[Problem]:
    """Find what a blob schedule needs and the file does not give: an account key, a parameter for the blob's path."""
    schedule = project.pipeline.schedule
    blob = schedule.on_blob_change if schedule else None
    if blob is None:
        return
    where = ("schedule", "on_blob_change")
    declared = project.pipeline.datastores.get(blob.datastore_name)
    if declared is not None and declared.account_key is None:
        yield project.problem(
            (*where, "datastore_name"),
            f"a schedule can only watch a datastore with an account_key, and '{blob.datastore_name}' has none",
        )
    parameter, parameters = blob.data_path_parameter_name, project.pipeline.pipeline_parameters
    if parameter is not None and parameter not in parameters:
        yield project.problem(
            (*where, "data_path_parameter_name"),
            f"'{parameter}' is not under pipeline_parameters, so nothing takes the changed blob's path"
            f"{did_you_mean(parameter, parameters)}",
        )
