"""Schedules of jobs."""

from __future__ import annotations

import json
from typing import Any

from tests.service.call import Call, missing
from tests.service.message import Answer, Refusal
from tests.service_v2.contract import check
from tests.service_v2.routing import ARM, routes, state_of
from tests.service_v2.state import Document

from .jobs import begun, check_job


def _document(call: Call, name: str) -> Document:
    found = state_of(call).schedules.get(name)
    if found is None:
        raise missing(f"Schedule {name}")
    return {
        "id": f"{call.workspace.scope}/schedules/{name}",
        "name": name,
        "type": "Microsoft.MachineLearningServices/workspaces/schedules",
        "properties": found,
    }


@routes.on("PUT", ARM, "{ws}/schedules/{name}")
def put_schedule(call: Call, name: str) -> Answer:
    """Create or replace a schedule; a new one is enabled, as `isEnabled` says otherwise."""
    check("Schedule", call.json)
    sent = json.loads(json.dumps(call.json["properties"]))
    check_job(call, sent["action"]["jobDefinition"])
    schedules = state_of(call).schedules
    is_new = name not in schedules
    sent.setdefault("isEnabled", True)
    if not is_new and "replaced schedules are disabled" in call.service.quirks:
        sent["isEnabled"] = False
    sent["provisioningState"] = "Succeeded"
    schedules[name] = sent
    return begun(call, _document(call, name), 201 if is_new else 200)


@routes.on("GET", ARM, "{ws}/schedules/{name}")
def get_schedule(call: Call, name: str) -> Any:
    return _document(call, name)


@routes.on("GET", ARM, "{ws}/schedules")
def list_schedules(call: Call) -> Any:
    """List the schedules; those that are off only when asked for."""
    wanted = call.request.query.get("listViewType", "EnabledOnly")
    found = [
        _document(call, name)
        for name, schedule in state_of(call).schedules.items()
        if wanted == "All" or schedule["isEnabled"] == (wanted == "EnabledOnly")
    ]
    return {"value": found}


@routes.on("DELETE", ARM, "{ws}/schedules/{name}")
def delete_schedule(call: Call, name: str) -> Answer:
    """Delete a schedule that is off; an enabled one is refused (from memory of the documentation)."""
    schedules = state_of(call).schedules
    if name not in schedules:
        return Answer(204)
    if schedules[name]["isEnabled"] and "deletes" not in call.service.quirks:
        raise Refusal(400, "UserError", "Schedule must be disabled before it is deleted.")
    del schedules[name]
    return begun(call)
