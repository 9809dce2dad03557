"""The workspace in a local run."""

from __future__ import annotations

from ..context import Context, require_context
from ..errors import UserErrorException, is_in_job, refusal, refuses
from ..names import provided
from ..reads import fact

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from ..data.catalog import Datasets
    from ..data.datastore import AzureBlobDatastore
    from ..protocols import Json, SomeRun
    from ..secrets import Keyvault
    from .experiment import Experiment
    from .model import Model


@refuses(
    "create",
    "list",
    "delete",
    "update",
    "update_dependencies",
    "sync_keys",
    "list_keys",
    "diagnose_workspace",
    "setup",
    "set_connection",
    "get_connection",
    "list_connections",
    "delete_connection",
    "add_private_endpoint",
    "delete_private_endpoint_connection",
    "get_default_compute_target",
    "set_default_datastore",
)
class Workspace:
    """The workspace of pipeline.yaml; its data, models and secrets are those of this project."""

    def __init__(
        self,
        subscription_id: str | None,
        resource_group: str | None,
        workspace_name: str,
        auth: object = None,
        _location: object = None,
        _disable_service_check: bool = False,
        _workspace_id: object = None,
        sku: str = "basic",
        tags: object = None,
        _cloud: str = "AzureCloud",
    ) -> None:
        self._context = require_context("a Workspace")
        fact("workspace")
        own = self._context.workspace.get("name")
        if own and str(workspace_name).lower() != own.lower():
            where = "" if is_in_job() else ", because a local run never connects to Azure"
            raise UserErrorException(f"this run's workspace is {own!r}; {workspace_name!r} cannot be opened{where}")
        self._name = own or workspace_name

    @staticmethod
    def _of(context: Context) -> Workspace:
        workspace = Workspace.__new__(Workspace)
        workspace._context = context
        workspace._name = context.workspace.get("name")
        return workspace

    @staticmethod
    def from_config(
        path: str | None = None, auth: object = None, _logger: object = None, _file_name: object = None
    ) -> Workspace:
        """Return the run's workspace; no config.json is read."""
        return Workspace._of(require_context("Workspace.from_config"))

    @staticmethod
    def get(
        name: str,
        auth: object = None,
        subscription_id: str | None = None,
        resource_group: str | None = None,
        location: object = None,
        cloud: str = "AzureCloud",
        id: str | None = None,  # noqa: A002
    ) -> Workspace:
        """Return the run's workspace; raises for another name."""
        return Workspace(subscription_id, resource_group, name)

    @property
    def name(self) -> str | None:
        """The workspace's name in pipeline.yaml."""
        fact("workspace")
        return self._name

    @property
    def subscription_id(self) -> str | None:
        """The subscription's id in pipeline.yaml."""
        fact("workspace")
        return self._context.workspace.get("subscription_id")

    @property
    def resource_group(self) -> str | None:
        """The resource group's name in pipeline.yaml."""
        fact("workspace")
        return self._context.workspace.get("resource_group")

    @property
    def location(self) -> str:
        """A region's name; `local`, since there is none."""
        return "local"

    @property
    def sku(self) -> str:
        """The workspace's edition."""
        return "Basic"

    @property
    def tags(self) -> dict[str, str]:
        """The workspace's tags; always empty in a local run."""
        return {}

    @property
    def datasets(self) -> Datasets:
        """The datasets by name."""
        from ..data.catalog import Datasets

        return Datasets(self)

    @property
    def datastores(self) -> dict[str, AzureBlobDatastore]:
        """The datastores by name."""
        from ..data.datastore import datastores

        return datastores(self)

    @property
    def models(self) -> dict[str, Model]:
        """The latest version of each model, by name."""
        from .model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def experiments(self) -> dict[str, Experiment]:
        """The experiment that runs, by name."""
        from .experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    @property
    def compute_targets(self) -> dict[str, object]:
        """No compute targets: a local run has none."""
        return {}

    @property
    def webservices(self) -> dict[str, object]:
        """No web services: a local run has none."""
        return {}

    @property
    def service_context(self) -> NoReturn:
        """The SDK's connection to Azure; always raises."""
        raise refusal("this call of the Azure SDK")

    _auth = _auth_object = service_context

    def get_default_datastore(self) -> AzureBlobDatastore:
        """Return the workspace's default datastore, a folder of this project."""
        from ..data.datastore import Datastore

        return Datastore.get_default(self)

    def get_default_keyvault(self) -> Keyvault:
        """Return the key vault: the environment and .env."""
        from ..secrets import Keyvault

        return Keyvault(self)

    def get_run(self, run_id: str) -> SomeRun:
        """Return a run of this project by its id."""
        run: SomeRun = provided("Run").get(self, run_id)
        return run

    def get_details(self) -> Json:
        """Return the workspace's details, like the SDK."""
        scope = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return {
            "id": f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}",
            "name": self.name,
            "location": self.location,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "tags": {},
            "sku": self.sku,
        }

    def get_mlflow_tracking_uri(self, _with_auth: bool = False) -> str:
        """Return where MLflow tracks in this run: its server, or the address that the user has set."""
        import os
        from pathlib import Path

        from .. import tracking

        uri = tracking.address() or os.environ.get("MLFLOW_TRACKING_URI")
        if uri:
            return uri
        return Path(os.path.join(self._context.state_dir, "mlruns")).absolute().as_uri()

    def write_config(self, path: str | None = None, file_name: str | None = None) -> None:
        """Write the workspace's config.json, as scripts for notebooks do."""
        import json
        import os

        folder = os.path.join(path or ".", ".azureml")
        os.makedirs(folder, exist_ok=True)
        described = {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.name,
        }
        with open(os.path.join(folder, file_name or "config.json"), "w", encoding="utf-8") as file:
            json.dump(described, file, indent=4)

    def __repr__(self) -> str:
        return (
            f"Workspace.create(name={self.name!r}, subscription_id={self.subscription_id!r}, "
            f"resource_group={self.resource_group!r})"
        )
