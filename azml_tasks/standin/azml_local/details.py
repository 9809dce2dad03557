"""What the SDK tells of a run, in the SDK's shapes."""

from __future__ import annotations

import getpass
import sys
import traceback

from .context import here
from .errors import UserErrorException
from .reads import fact

_MOST_CHILDREN = 100
_BATCH_TAG = "azureml.batch_child_number"


def details(run) -> dict:
    """Return a run's details; what only Azure knows is empty."""
    context = here("run.get_details")
    from . import records
    from .lineage import InputDatasets

    fact("compute_name")
    fact("environment_name")
    ended = records.load(run._folder.file("status.json"))
    known = run._folder.known
    told = {
        "runId": run.id,
        "target": context.compute_name,
        "status": run.status,
        "properties": run.get_properties(),
        "inputDatasets": InputDatasets(run),
        "outputDatasets": [],
        "runDefinition": {
            "script": sys.argv[0],
            "arguments": sys.argv[1:],
            "framework": "Python",
            "target": context.compute_name,
            "environment": {"name": context.environment_name, "version": None},
        },
        "logFiles": {},
        "submittedBy": _user(),
    }
    if "started" in known:
        told["startTimeUtc"] = records.as_text(known["started"])
    if "time" in ended:
        told["endTimeUtc"] = ended["time"]
    if "error" in ended:
        told["error"] = {"error": ended["error"]}
    return told


def own_properties(run) -> dict[str, str]:
    """Return the properties that Azure gives a run by itself."""
    if run.type != "azureml.StepRun":
        return {"azureml.runsource": run.type}
    return {
        "azureml.runsource": run.type,
        "azureml.pipelinerunid": here("run.properties").run_id,
        "StepType": "PythonScriptStep",
    }


def error(error_details, error_code) -> dict:
    """Return why a run failed, from a text or an exception."""
    found: dict = {"code": "UserError" if error_code is None else error_code}
    if error_details is None:
        return found
    if isinstance(error_details, str):
        return {**found, "message": error_details}
    if not isinstance(error_details, BaseException):
        raise TypeError("error_details is a text or an exception")
    kind = type(error_details).__name__
    return {
        **found,
        "message": f"User program failed with {kind}: {error_details}",
        "debug_type": kind,
        "debug_message": str(error_details),
        "debug_stack_trace": "".join(traceback.format_tb(error_details.__traceback__)),
    }


def children_tags(count, tag_key, tag_values) -> list[dict]:
    """Return the tags of the children to make: numbered, or one value each. Raises as the SDK does."""
    if count is None and tag_key is None and tag_values is None:
        raise UserErrorException("run.create_children takes a count, or tag_key and tag_values")
    if (tag_key is None) != (tag_values is None):
        raise UserErrorException("run.create_children takes tag_key and tag_values together")
    if count is not None and tag_key is not None:
        raise UserErrorException("run.create_children takes a count, or tag_key and tag_values, not both")
    key, values = (_BATCH_TAG, list(range(count))) if count is not None else (tag_key, list(tag_values))
    if len(values) > _MOST_CHILDREN:
        raise UserErrorException(f"run.create_children makes {_MOST_CHILDREN} runs at most")
    return [{key: value} for value in values]


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, in a container
        return None
