"""A step of the wrapper API, and the plan of several steps."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.model import Pipeline, Step
from azml_tasks.model.names import identifier
from azml_tasks.plan import Plan, build_plan
from azml_tasks.plan.plan import config_text
from azml_tasks.wrapper.workspace import WorkspaceWrapper

if TYPE_CHECKING:
    from azml_tasks.azure.v1.pipeline import Values
    from azml_tasks.azure.v1.resources.find import Resources


class PipelineStep(WorkspaceWrapper):
    """A Python script, its hyperparameters and the datasets that it reads.

    `arguments` are those of the script, in the form of the SDK. They can be changed; a PipelineWrapper adds the folders
    that pass data between steps. `include` are patterns of more files of the script's directory to upload. Datasets are
    looked up by the constructor; without any, nothing is opened. Raises NameError for one that is not registered.
    """

    MANDATORY_CONFIGS: ClassVar[list[str]] = [*WorkspaceWrapper.MANDATORY_CONFIGS, "step_name", "script_name"]

    def __init__(  # noqa: PLR0913, PLR0917 - in the order of the original wrapper
        self,
        ws_name: str,
        resource_group: str,
        subscription_id: str,
        step_name: str,
        script_name: str,
        step_config: dict[str, Any] | None = None,
        input_datasets: dict[str, str] | None = None,
        script_directory: str | None = None,
        include: Sequence[str] = (),
    ) -> None:
        super().__init__(ws_name, resource_group, subscription_id)
        self.key: str | None = None
        self.name = step_name
        self.script_name = script_name if script_name.endswith(".py") else f"{script_name}.py"
        self.script_directory = script_directory if script_directory is not None else "."
        self.include = tuple(include)
        self.step_config = step_config if isinstance(step_config, dict) else None
        self.input_datasets = dict(input_datasets) if isinstance(input_datasets, dict) else {}
        self.datasets = {name: self._find(name) for name in dict.fromkeys(self.input_datasets.values())}
        self.first_arguments = [] if self.step_config is None else ["--config", config_text(self.step_config)]
        for argument, name in self.input_datasets.items():
            self.first_arguments += [argument, self.datasets[name].as_named_input(name)]
        self._folders: list[Any] = []
        self.arguments = list(self.first_arguments)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> PipelineStep:
        """Create one from a dictionary; unknown keys are ignored.

        Raises TypeError if it is not a dictionary, and KeyError with missing keys.
        """
        cls.check_config(config)
        given = {key: str(config[key]) for key in cls.MANDATORY_CONFIGS}
        return cls(
            **given,
            step_config=config.get("step_config"),
            input_datasets=config.get("input_datasets"),
            script_directory=config.get("script_directory"),
            include=config.get("include") or (),
        )

    @property
    def arguments(self) -> list[Any]:
        """The arguments of the script."""
        return self._arguments

    @arguments.setter
    def arguments(self, new_arguments: list[Any]) -> None:
        if isinstance(new_arguments, list):
            self._arguments = new_arguments

    @property
    def own_arguments(self) -> list[Any]:
        """The arguments without the folders that a PipelineWrapper has added."""
        own = len(self._arguments) - len(self._folders)
        added = self._arguments[max(own, 0) :]
        is_wired = len(added) == len(self._folders) and all(map(operator.is_, added, self._folders))
        return self._arguments[:own] if is_wired else list(self._arguments)

    def wire(self, folders: list[Any]) -> None:
        """Add the folders of a pipeline to the arguments, in place of those of another pipeline."""
        self._arguments[:] = [*self.own_arguments, *folders]
        self._folders = folders

    def _find(self, dataset: str) -> Any:
        with service_calls(f"looking up the dataset '{dataset}'"):
            from azml_tasks.azure.v1.resources.find import dataset_to_read

            try:
                return dataset_to_read(self.ws, Pipeline.model_construct(steps={}), dataset)
            except MissingError as error:
                raise NameError(f"{error}; register_csv registers one") from None


def folder_of(steps: list[PipelineStep]) -> Path:
    """Return the folder to use as the project: the current one, or the nearest parent with all scripts."""
    return Path(os.path.commonpath([os.getcwd(), *(os.path.abspath(step.script_directory) for step in steps)]))


def plan_of(steps: list[PipelineStep], env_name: str, compute_name: str) -> Plan:
    """Return the plan of the steps in their order.

    The naming rules of pipeline.yaml are not checked: the wrapper API allows what the service allows.
    """
    folder = folder_of(steps)
    pipeline = Pipeline.model_construct(
        steps={key: _model_of(step, folder) for key, step in by_key(steps).items()},
        env_name=env_name,
        compute_name=compute_name,
    )
    return build_plan(pipeline)


def by_key(steps: list[PipelineStep]) -> dict[str, PipelineStep]:
    """Return the steps by their keys, or by their names, made unique where they are the same to Azure."""
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
    """Return whether the plan contains all of a step's arguments: the original ones, and texts after them."""
    return _further(step) is not None and all(name.startswith("-") for name in step.input_datasets)


def values_of(steps: list[PipelineStep], wired: Plan, resources: Resources) -> Values:
    """Return the arguments in the form of the SDK."""
    from azml_tasks.azure.v1.pipeline import OwnArguments, Values

    own = {key: step.own_arguments for key, step in by_key(steps).items() if not is_plain(step)}
    return OwnArguments(wired, resources, own) if own else Values(wired, resources)


def _model_of(step: PipelineStep, folder: Path) -> Step:
    datasets: Mapping[str, str] = step.input_datasets
    return Step.model_construct(
        script_name=step.script_name,
        script_directory=os.path.relpath(step.script_directory, folder),
        step_name=step.name,
        step_config=step.step_config,
        # A name without dashes would not be one of the arguments.
        input_datasets={name if name.startswith("-") else f"--{name}": dataset for name, dataset in datasets.items()},
        arguments=tuple(_further(step) or ()),
        include=step.include,
    )


def _further(step: PipelineStep) -> list[Any] | None:
    """Return what was appended to a step's arguments, None if they were changed otherwise."""
    first, own = step.first_arguments, step.own_arguments
    rest = own[len(first) :]
    unchanged = len(own) >= len(first) and all(a is b or a == b for a, b in zip(first, own, strict=False))
    return rest if unchanged and all(isinstance(item, (str, int, float, bool)) for item in rest) else None
