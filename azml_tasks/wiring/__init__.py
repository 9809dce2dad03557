"""Pipeline -> Plan: what both backends share is computed once, here."""

from azml_tasks.wiring.order import in_order
from azml_tasks.wiring.plan import Plan, StepPlan
from azml_tasks.wiring.tokens import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    TableInput,
    Token,
)
from azml_tasks.wiring.wire import Finding, WiringError, plan

__all__ = [
    "ConfigValue",
    "DatasetInput",
    "Finding",
    "FolderInput",
    "Input",
    "OptionValue",
    "Output",
    "ParameterValue",
    "Plan",
    "StepPlan",
    "TableInput",
    "Token",
    "WiringError",
    "in_order",
    "plan",
]
