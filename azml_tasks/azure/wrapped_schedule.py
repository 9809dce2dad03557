"""A schedule in the words of the wrapper API."""

from __future__ import annotations

import re
from typing import Any

from azml_tasks.azure.failures import MissingError
from azml_tasks.azure.publish import Publication, Publishable, publish_pipeline
from azml_tasks.azure.published import find_family
from azml_tasks.azure.schedule_decision import Wanted
from azml_tasks.azure.schedules import keep_schedule, watched_datastore
from azml_tasks.model import Schedule
from azml_tasks.model.schedule import FREQUENCIES

ON_BLOB_CHANGE = "On_blob_change"
POSSIBLE_SCHEDULES = [ON_BLOB_CHANGE, *FREQUENCIES]


def schedule_of(schedule: str | None, interval: int | None, datastore_name: str | None) -> Schedule | None:
    """Return the schedule that is asked for, if one is.

    Raises ValueError for one that is not possible, or not wholly stated.
    """
    if not schedule:
        return None
    if schedule == ON_BLOB_CHANGE:
        if not datastore_name:
            raise ValueError(f"the schedule {schedule} needs the datastore_name of the blobs")
        return Schedule.model_validate({"on_blob_change": {"datastore_name": datastore_name}})
    if schedule not in POSSIBLE_SCHEDULES:
        raise ValueError(f"the possible schedules are {POSSIBLE_SCHEDULES}, not {schedule!r}")
    if type(interval) is not int or interval < 1:
        raise ValueError(f"the schedule {schedule} needs an interval, a whole number from 1, not {interval!r}")
    return Schedule.model_validate({"frequency": schedule, "interval": interval})


def publish_and_schedule(ws: Any, wanted: Publishable, asked: Schedule | None, experiment: str) -> Publication:
    """Publish a pipeline, and make what is asked the only active schedule of `<its name>Schedule`.

    Raises NameError for a datastore that is not registered.
    """
    if asked and asked.on_blob_change:
        try:
            watched_datastore(ws, asked.on_blob_change)
        except MissingError as error:
            raise NameError(f"{error}; register_blob_datastore registers one") from None
    publication = publish_pipeline(ws, wanted)
    if asked:
        name, description = f"{wanted.name}Schedule", wanted.description or ""
        keep = Wanted(name, description, experiment, publication.endpoint_id, asked)
        keep_schedule(ws, keep, find_family(ws, wanted.name))
    return publication


def experiment_name(name: str) -> str:
    """Return a name as experiments take it."""
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-_") or "pipeline"
