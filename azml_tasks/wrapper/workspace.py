"""The workspace of the wrapper API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from azml_tasks import model
from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.client.connection import connect_or_create
from azml_tasks.azure.v1.resources.computes import DEFAULT_SIZE, register_compute
from azml_tasks.azure.v1.resources.datasets import register_dataset
from azml_tasks.azure.v1.resources.datastores import register_datastore, unregister_datastore
from azml_tasks.azure.v1.resources.environments import definition_of, register_environment
from azml_tasks.backend import Change
from azml_tasks.reading.environment import conda
from azml_tasks.reading.values import read_variables
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azureml.core import Workspace

Wrapper = TypeVar("Wrapper", bound="WorkspaceWrapper")


class WorkspaceWrapper:
    """A workspace by its name, opened when first needed, and created if it does not exist.

    It is opened once per process, for any number of wrappers.
    """

    MANDATORY_CONFIGS: ClassVar[list[str]] = ["ws_name", "resource_group", "subscription_id"]

    def __init__(self, ws_name: str, resource_group: str, subscription_id: str) -> None:
        self.ws_name = ws_name
        self.resource_group = resource_group
        self.subscription_id = subscription_id
        self._ws: Workspace | None = None

    @classmethod
    def from_config(cls: type[Wrapper], config: Mapping[str, Any]) -> Wrapper:
        """Create one from a dictionary; unknown keys are ignored.

        Raises TypeError if it is not a dictionary, and KeyError with missing keys.
        """
        cls.check_config(config)
        return cls(*(str(config[key]) for key in WorkspaceWrapper.MANDATORY_CONFIGS))

    @classmethod
    def check_config(cls, config: Any) -> None:
        """Check the configuration. Raises TypeError if it is not a dictionary, and KeyError for missing keys."""
        if not isinstance(config, dict):
            raise TypeError(f"config must be a dictionary, not {type(config).__name__}")
        missing = [key for key in cls.MANDATORY_CONFIGS if key not in config]
        if missing:
            raise KeyError(f"the configuration has no {listed(missing, 'or')}")

    @property
    def ws(self) -> Workspace:
        """The SDK's workspace."""
        if self._ws is None:
            self._ws = connect_or_create(
                self.ws_name, self.resource_group, self.subscription_id, variables=read_variables(Path.cwd())
            )
        return self._ws

    @ws.setter
    def ws(self, new_ws: Workspace) -> None:
        self._ws = new_ws

    def register_env(self, name: str, dependencies: list[str]) -> Change:
        """Register an environment with these pip packages, as a new version if they changed.

        Raises TypeError if dependencies is not a list.
        """
        if not isinstance(dependencies, list):
            raise TypeError(f"dependencies must be a list, not {type(dependencies).__name__}")
        declared = model.Environment(pip_packages=tuple(dependencies))
        needed = (conda.RUN, conda.FILES, conda.TABLES)
        return register_environment(self.ws, definition_of(name, declared, Path.cwd(), needed))[1]

    def register_blob_datastore(self, name: str, container_name: str, storage_name: str, storage_key: str) -> Change:
        """Register a container of a storage account as a datastore."""
        return register_datastore(self.ws, name, container_name, storage_name, storage_key)

    def unregister_blob_datastore(self, name: str) -> Change:
        """Unregister a datastore; its data is not deleted."""
        return unregister_datastore(self.ws, name)

    def register_csv(self, datastore_name: str, dataset_name: str) -> Change:
        """Register `<dataset_name>.csv` at the root of a datastore as the dataset `dataset_name`.

        Raises NameError for a datastore that is not registered.
        """
        name = dataset_name.removesuffix(".csv")
        csv = model.Dataset.model_construct(datastore_name=datastore_name, path=f"{name}.csv")
        try:
            return register_dataset(self.ws, name, csv, Path.cwd())
        except MissingError as error:
            raise NameError(str(error)) from None

    def register_compute(
        self, name: str, compute_size: str | None = None, compute_min_nodes: int = 0, compute_max_nodes: int = 1
    ) -> Change:
        """Create a cluster, or change its limits; without a size, an existing cluster keeps its own."""
        size = compute_size or DEFAULT_SIZE
        wanted = model.Compute(vm_size=size, min_nodes=compute_min_nodes, max_nodes=compute_max_nodes)
        return register_compute(self.ws, name, wanted, keeps_size=compute_size is None)
