"""All scenarios."""

from __future__ import annotations

from importlib.util import find_spec

from tests.outputs import azure, bad_files, failing, local
from tests.outputs.command import Scenario

SCENARIOS = [
    Scenario("local", local.commands, answers={"project_name": "churn", "datasets": "customers", "ci": "none"}),
    Scenario("bad-files", bad_files.commands),
    Scenario("failing", failing.commands),
    Scenario("targets", local.targets),
]
if find_spec("azureml") is not None:
    SCENARIOS += [
        Scenario("azure-runs", azure.runs, needs_service=True),
        Scenario("azure-schedules", azure.schedules, needs_service=True),
    ]
