"""The inputs of the pipeline itself: what whoever starts it may change.

They are the pipeline parameters of v1, each step's `--config` among them as SDK v1 publishes it, and the datasets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azml_tasks.export import command
from azml_tasks.export.data import DataInput, data_input
from azml_tasks.export.names import Names
from azml_tasks.model.names import identifier
from azml_tasks.model.written import argument_text
from azml_tasks.reading import Project
from azml_tasks.wiring import DatasetInput
from azml_tasks.wiring.parameters import config_parameters


@dataclass(frozen=True)
class PipelineInputs:
    """v2's names for the parameters, for the steps' configurations and for the datasets, and how the last are read."""

    parameters: Mapping[str, str]
    configs: Mapping[str, str]
    datasets: Mapping[str, str]
    data: Mapping[str, DataInput]


def pipeline_inputs(project: Project, assets: Mapping[str, str]) -> PipelineInputs:
    """Return the inputs; `assets` are v2's names for the declared datasets."""
    plan = project.plan
    names = Names()
    parameters = {name: names.give(name) for name in plan.pipeline.pipeline_parameters}
    configs = {key: names.give(name) for key, name in config_parameters(plan).items()}
    read = dict.fromkeys(item.dataset for step in plan.steps for item in step.inputs if isinstance(item, DatasetInput))
    datasets = {name: names.give(identifier(name)) for name in read}
    data = {name: data_input(project, name, assets.get(name, name)) for name in read}
    return PipelineInputs(parameters, configs, datasets, data)


def input_keys(project: Project, top: PipelineInputs) -> dict[str, Any]:
    """Return the inputs with their values.

    Every plain value is text: the script gets the characters that it gets from v1, which v2 might write otherwise
    (`True`, `2e-05`).
    """
    pipeline = project.pipeline
    keys: dict[str, Any] = {}
    for parameter, name in top.parameters.items():
        keys[name] = command.inside(argument_text(pipeline.pipeline_parameters[parameter]))
    for key, name in top.configs.items():
        keys[name] = command.json_inside(pipeline.steps[key].step_config or {})
    for dataset, name in top.datasets.items():
        keys[name] = top.data[dataset].keys
    return keys
