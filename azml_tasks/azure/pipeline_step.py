"""One step of the wrapper API."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.failures import MissingError
from azml_tasks.azure.workspace_wrapper import WorkspaceWrapper
from azml_tasks.model import Pipeline
from azml_tasks.wiring.tokens import config_text


class PipelineStep(WorkspaceWrapper):
    """A Python script, its hyperparameters and the datasets that it reads.

    `arguments` is what the script gets, as the SDK takes it. It may be changed; a PipelineWrapper adds the folders
    through which its steps hand on data. `include` names further files of the script's directory to send, by patterns.

    Datasets are looked up when the step is made; without any, nothing is opened. Raises NameError for one that is not
    registered.
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
        """Make one from a dictionary; keys that it does not know are ignored.

        Raises TypeError for what is no dictionary, and KeyError with the keys that are missing.
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
        """What the script gets."""
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
            from azml_tasks.azure.resources import dataset_to_read

            try:
                return dataset_to_read(self.ws, Pipeline.model_construct(steps={}), dataset)
            except MissingError as error:
                raise NameError(f"{error}; register_csv registers one") from None
