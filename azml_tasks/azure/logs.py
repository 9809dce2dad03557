"""What a step printed on the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from azureml.core import Run

from azml_tasks.azure.failures import translated
from azml_tasks.azure.records import StepRecord, error_message
from azml_tasks.errors import LoginError, ServiceError
from azml_tasks.model import Pipeline, Step
from azml_tasks.runs.ending import step_failure
from azml_tasks.snapshot import Snapshot, missing_module, module_hint, package_hint

# The first that a step has is what its script printed; the others tell of the machine that ran it.
_SCRIPTS_OWN = ("user_logs/std_log.txt", "user_logs/std_log_0.txt", "azureml-logs/70_driver_log.txt")
_LAST_LINES = 30
_SECONDS = 60


def failure_of(
    experiment: Any, step: StepRecord, pipeline: Pipeline, snapshot: Snapshot | None, directory: Path
) -> str:
    """Return why a step failed, as Azure says it and as its log ends, and what may fix it."""
    message, ending = step.message, ""
    if step.run_id:
        try:
            with translated("reading its log"):
                details = Run(experiment, step.run_id).get_details()
                message = message or error_message(details)
                ending = "\n".join(_text(details["logFiles"])[1].splitlines()[-_LAST_LINES:])
        except (LoginError, ServiceError) as error:
            ending = str(error)
    planned = pipeline.steps.get(step.key)
    hint = _hint(ending, planned, pipeline, snapshot, directory) if planned and snapshot else None
    return "\n".join(filter(None, [step_failure(step, message, ending or "it left no log"), hint]))


def _hint(ending: str, step: Step, pipeline: Pipeline, snapshot: Snapshot, directory: Path) -> str | None:
    def lacking(module: str, meant: str | None) -> str | None:
        return package_hint(module, pipeline, step, "cluster", meant)

    module = missing_module(ending)
    return module_hint(module[1], snapshot, directory, step.script_directory, lacking) if module else None


def read_log(experiment: Any, run_id: str) -> tuple[str, str]:
    """Return the name and the text of the log that tells most of a step; both empty when it has none."""
    with translated("reading the log"):
        return _text(Run(experiment, run_id).get_details()["logFiles"])


def _text(files: Mapping[str, str]) -> tuple[str, str]:
    name = _telling(files)
    if name is None:
        return "", ""
    response = requests.get(files[name], timeout=_SECONDS)
    response.raise_for_status()
    return name, response.content.decode("utf-8", "replace")


def _telling(files: Mapping[str, str]) -> str | None:
    own = [name for name in _SCRIPTS_OWN if name in files]
    return next(iter(own), max(files, default=None))
