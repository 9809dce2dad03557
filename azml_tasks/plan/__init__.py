"""Build a plan from a pipeline: everything that all backends share."""

from azml_tasks.plan.build import PlanProblem, WiringError, build_plan, in_order
from azml_tasks.plan.plan import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    TableInput,
    Token,
)

__all__ = [
    "ConfigValue",
    "DatasetInput",
    "FolderInput",
    "Input",
    "OptionValue",
    "Output",
    "ParameterValue",
    "Plan",
    "PlanProblem",
    "StepPlan",
    "TableInput",
    "Token",
    "WiringError",
    "build_plan",
    "in_order",
]
