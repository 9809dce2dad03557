"""The steps of the wrapper API as a plan, so that they take the way of a pipeline.yaml."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.pipeline_step import PipelineStep
from azml_tasks.model import Pipeline, Step
from azml_tasks.model.names import identifier
from azml_tasks.wiring import Plan, plan

if TYPE_CHECKING:
    from azml_tasks.azure.steps import Resources, Values


def folder_of(steps: list[PipelineStep]) -> Path:
    """Return the folder that stands for the project's: the current one, or the nearest above that holds all scripts."""
    return Path(os.path.commonpath([os.getcwd(), *(os.path.abspath(step.script_directory) for step in steps)]))


def plan_of(steps: list[PipelineStep], env_name: str, compute_name: str) -> Plan:
    """Wire the steps in their order.

    The names that pipeline.yaml is held to are not checked: the wrapper API takes what the service takes.
    """
    folder = folder_of(steps)
    pipeline = Pipeline.model_construct(
        steps={key: _model_of(step, folder) for key, step in by_key(steps).items()},
        env_name=env_name,
        compute_name=compute_name,
    )
    return plan(pipeline)


def by_key(steps: list[PipelineStep]) -> dict[str, PipelineStep]:
    """Return the steps by their keys, or else their names, told apart where they are the same to Azure."""
    keyed: dict[str, PipelineStep] = {}
    for step in steps:
        key = wanted = step.key or step.name
        number = 1
        while identifier(key).casefold() in {identifier(other).casefold() for other in keyed}:
            number += 1
            key = f"{wanted} {number}"
        keyed[key] = step
    return keyed


def is_plain(step: PipelineStep) -> bool:
    """Say whether the plan tells all of a step's arguments: those it was made with, and texts after them."""
    return _further(step) is not None and all(name.startswith("-") for name in step.input_datasets)


def values_of(steps: list[PipelineStep], wired: Plan, resources: Resources) -> Values:
    """Return what stands for the arguments in the SDK."""
    from azml_tasks.azure.own_arguments import OwnArguments
    from azml_tasks.azure.steps import Values

    own = {key: step.own_arguments for key, step in by_key(steps).items() if not is_plain(step)}
    return OwnArguments(wired, resources, own) if own else Values(wired, resources)


def _model_of(step: PipelineStep, folder: Path) -> Step:
    datasets: Mapping[str, str] = step.input_datasets
    return Step.model_construct(
        script_name=step.script_name,
        script_directory=os.path.relpath(step.script_directory, folder),
        step_name=step.name,
        step_config=step.step_config,
        # A name without dashes would be none of the arguments.
        input_datasets={name if name.startswith("-") else f"--{name}": dataset for name, dataset in datasets.items()},
        arguments=tuple(_further(step) or ()),
        include=step.include,
    )


def _further(step: PipelineStep) -> list[Any] | None:
    """Return what was added to a step's arguments, None when that is not all that has changed."""
    first, own = step.first_arguments, step.own_arguments
    rest = own[len(first) :]
    unchanged = len(own) >= len(first) and all(a is b or a == b for a, b in zip(first, own, strict=False))
    return rest if unchanged and all(isinstance(item, (str, int, float, bool)) for item in rest) else None
