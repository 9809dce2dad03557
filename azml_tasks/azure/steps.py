"""Plan -> the SDK's steps: objects built by value, without a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azureml.core import Environment
from azureml.core.runconfig import DockerConfiguration, RunConfiguration
from azureml.data import OutputFileDatasetConfig
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.pipeline.core import PipelineParameter
from azureml.pipeline.steps import PythonScriptStep

from azml_tasks.wiring import (
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
from azml_tasks.wiring.parameters import config_parameters


@dataclass(frozen=True)
class Resources:
    """What the steps need of a workspace, by the names that the file uses.

    A compute is a ComputeTarget, or its name and type, with which the SDK need not look it up. Datastores are those
    of the outputs' destinations.
    """

    environments: Mapping[str, Environment]
    computes: Mapping[str, Any]
    datasets: Mapping[str, Any]
    datastores: Mapping[str, Any]


def build_steps(
    plan: Plan,
    resources: Resources,
    folders: Mapping[str, Path],
    reuse: Mapping[str, bool],
    values: Values | None = None,
) -> dict[str, PythonScriptStep]:
    """Return the SDK's step for each step of the plan.

    `folders` holds each step's staged snapshot, `reuse` whether an earlier result may stand in for it, and `values`
    gives the steps their arguments, by default the plan's.
    """
    values = values or Values(plan, resources)
    steps: dict[str, PythonScriptStep] = {}
    for step in plan.steps:
        compute = resources.computes[str(plan.pipeline.compute_of(step.step))]
        steps[step.key] = PythonScriptStep(
            name=step.label,
            script_name=step.step.script_name,
            source_directory=str(folders[step.key]),
            arguments=values.arguments(step),
            inputs=[values.value(item) for item in step.inputs if item.argument is None],
            compute_target=compute,
            runconfig=_configuration_of(plan, step, resources),
            allow_reuse=reuse[step.key],
        )
        for key in step.sequenced:
            steps[step.key].run_after(steps[key])
    return steps


def _configuration_of(plan: Plan, step: StepPlan, resources: Resources) -> RunConfiguration:
    environment = resources.environments[str(plan.pipeline.env_of(step.step))]
    configuration = run_configuration(environment, str(plan.pipeline.compute_of(step.step)))
    configuration.environment_variables = dict(step.step.environment_variables)
    configuration.max_run_duration_seconds = step.step.max_run_duration_seconds
    return configuration


def run_configuration(environment: Environment, compute_name: str) -> RunConfiguration:
    """Return what every step of that environment runs with on that compute."""
    configuration = RunConfiguration()
    configuration.target = compute_name
    configuration.environment = environment
    # What the SDK itself takes for a cluster when it is given no configuration (_python_script_step_base.py).
    configuration.docker = DockerConfiguration(use_docker=True)
    return configuration


class Values:
    """The SDK's objects that stand for the tokens of a plan; one object for one thing, whoever refers to it."""

    def __init__(self, plan: Plan, resources: Resources) -> None:
        self._datasets = resources.datasets
        self._names = config_parameters(plan)
        self._parameters: dict[str, PipelineParameter] = {}
        written = [output for step in plan.steps for output in step.outputs]
        self._outputs = {output.name: _output(output) for output in written}
        self._tables = {
            (item.output.name, item.name): self._table(item)
            for step in plan.steps
            for item in step.inputs
            if isinstance(item, TableInput)
        }
        # Last, because the SDK deep-copies whatever an output holds, and a datastore holds the whole connection.
        for output in written:
            if output.destination:
                datastore = resources.datastores[output.destination.datastore_name]
                self._outputs[output.name].destination = (datastore, output.destination.folder)

    def arguments(self, step: StepPlan) -> list[Any]:
        """Return the arguments of the step as PythonScriptStep takes them, in a list of its own."""
        return [self.value(token) for token in step.argv]

    def folders(self, step: StepPlan) -> list[Any]:
        """Return those of the step's arguments that give it folders."""
        folders = [item for item in (*step.inputs, *step.outputs) if isinstance(item, (FolderInput, Output))]
        return [part for item in folders for part in (item.argument, self.value(item))]

    def value(self, token: Token) -> Any:
        """Return what stands for the token."""
        if isinstance(token, str):
            return token
        if isinstance(token, OptionValue):
            return token.joined
        if isinstance(token, ConfigValue):
            return self._parameter(self._names[token.step], token.text)
        if isinstance(token, ParameterValue):
            return self._parameter(token.name, token.default)
        if isinstance(token, Output):
            return self._outputs[token.name]
        return self._input(token)

    def _input(self, token: Input) -> DatasetConsumptionConfig:
        if isinstance(token, FolderInput):
            return self._outputs[token.output.name].as_input(token.name)
        if isinstance(token, TableInput):
            return self._tables[token.output.name, token.name]
        return consumption(token, self._datasets[token.dataset])

    def _table(self, token: TableInput) -> DatasetConsumptionConfig:
        folder = self._outputs[token.output.name]
        table = folder.read_parquet_files() if token.format == "parquet" else folder.read_delimited_files()
        return table.as_input(token.name)

    def _parameter(self, name: str, default: Any) -> PipelineParameter:
        return self._parameters.setdefault(name, PipelineParameter(name, default))


def consumption(token: DatasetInput, dataset: Any) -> DatasetConsumptionConfig:
    """Return how a step reads a dataset."""
    return DatasetConsumptionConfig(token.name, dataset, token.mode)


def _output(output: Output) -> OutputFileDatasetConfig:
    folder = OutputFileDatasetConfig(name=output.name)
    if output.register_on_complete:
        return folder.register_on_complete(output.register_on_complete)
    return folder
