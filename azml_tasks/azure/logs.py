"""What a step printed on the cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests
from azureml.core import Run

from azml_tasks.azure.failures import translated
from azml_tasks.azure.records import StepRecord

# The first that a step has is what its script printed; the others tell of the machine that ran it.
_SCRIPTS_OWN = ("user_logs/std_log.txt", "user_logs/std_log_0.txt", "azureml-logs/70_driver_log.txt")
_LAST_LINES = 30
_SECONDS = 60


def ending_of_log(experiment: Any, step: StepRecord) -> str:
    """Return the last lines of a step's log under a heading, or what else is known of its end."""
    name, text = "", ""
    if step.run_id:
        name, text = read_log(experiment, step.run_id)
    lines = text.splitlines()[-_LAST_LINES:]
    if not lines:
        return f"step '{step.key}' left no log" + (f": {step.message}" if step.message else "")
    return "\n".join([f"The end of {name} of step '{step.key}':", *(f"    {line}" for line in lines)])


def read_log(experiment: Any, run_id: str) -> tuple[str, str]:
    """Return the name and the text of the log that tells most of a step; both empty when it has none."""
    with translated("reading the log"):
        files = Run(experiment, run_id).get_details()["logFiles"]
        name = _telling(files)
        if name is None:
            return "", ""
        response = requests.get(files[name], timeout=_SECONDS)
        response.raise_for_status()
        return name, response.content.decode("utf-8", "replace")


def _telling(files: Mapping[str, str]) -> str | None:
    own = [name for name in _SCRIPTS_OWN if name in files]
    return next(iter(own), max(files, default=None))
