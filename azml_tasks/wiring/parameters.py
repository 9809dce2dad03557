"""The pipeline parameters of a plan: those that the file declares, and one for each step's `--config`."""

from __future__ import annotations

from azml_tasks.model.base import Scalar
from azml_tasks.model.names import identifier
from azml_tasks.wiring.plan import Plan
from azml_tasks.wiring.tokens import ConfigValue


def config_parameters(plan: Plan) -> dict[str, str]:
    """Return the pipeline parameter that carries each step's `--config`, by step.

    As a parameter it can be given another value without a new module. Its name steps aside for the file's own.
    """
    names = {}
    for step in plan.steps:
        if step.step.step_config is not None:
            name = identifier(step.key, "config")
            while name in plan.pipeline.pipeline_parameters:
                name += "_"
            names[step.key] = name
    return names


def parameter_values(plan: Plan, changed: Plan) -> dict[str, Scalar]:
    """Return the pipeline parameters by which `changed` differs from `plan`, with the values of `changed`."""
    values: dict[str, Scalar] = {}
    for key, name in config_parameters(plan).items():
        before, after = (ConfigValue(key, one[key].step.step_config or {}) for one in (plan, changed))
        if before.text != after.text:
            values[name] = after.text
    for name, value in changed.pipeline.pipeline_parameters.items():
        if value != plan.pipeline.pipeline_parameters[name]:
            values[name] = value
    return values
