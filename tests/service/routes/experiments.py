"""Experiments in the run history (`azureml/_restclient/operations/experiment_operations.py`)."""

from __future__ import annotations

import re
from typing import Any

from tests.service.call import Call, missing, page
from tests.service.contract import RUN_HISTORY, check
from tests.service.message import Refusal
from tests.service.routing import REGION, routes
from tests.service.state import Document, Experiment, Workspace

BASE = "/history/v1.0{ws}"


@routes.on("GET", REGION, BASE + "/experiments/{name}")
def get_experiment(call: Call, name: str) -> Any:
    if name not in call.workspace.experiments:
        raise missing(f"Experiment {name}")
    return _document(call.workspace.experiments[name])


@routes.on("POST", REGION, BASE + "/experiments/{name}")
def create_experiment(call: Call, name: str) -> Any:
    return _document(ensure_experiment(call.workspace, name))


@routes.on("GET", REGION, BASE + "/experimentids/{identifier}")
def get_experiment_by_id(call: Call, identifier: str) -> Any:
    return _document(experiment_by_id(call.workspace, identifier))


@routes.on("PATCH", REGION, BASE + "/experimentids/{identifier}")
def update_experiment(call: Call, identifier: str) -> Any:
    check(RUN_HISTORY, "ModifyExperimentDto", call.json)
    experiment = experiment_by_id(call.workspace, identifier)
    experiment.tags.update(call.json.get("tags") or {})
    return _document(experiment)


@routes.on("POST", REGION, BASE + "/experiments:query")
def list_experiments(call: Call) -> Any:
    return page(call, [_document(experiment) for experiment in call.workspace.experiments.values()])


def ensure_experiment(workspace: Workspace, name: str) -> Experiment:
    """Give the experiment of this name, made when there is none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,254}", name):
        raise Refusal(400, "UserError", f"The experiment's name is invalid: {name}")
    if name not in workspace.experiments:
        workspace.experiments[name] = Experiment(name, workspace.identifiers.new("experiment"))
    return workspace.experiments[name]


def experiment_by_id(workspace: Workspace, identifier: str) -> Experiment:
    """Find an experiment by its id."""
    for experiment in workspace.experiments.values():
        if experiment.id == identifier:
            return experiment
    raise missing(f"Experiment {identifier}")


def _document(experiment: Experiment) -> Document:
    return {
        "experimentId": experiment.id,
        "name": experiment.name,
        "description": None,
        "createdUtc": experiment.created,
        "tags": experiment.tags,
    }
