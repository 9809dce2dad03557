"""The workspace that a local run stands in for."""

from __future__ import annotations

from .context import Context, here
from .errors import UserErrorException
from .reads import fact
from .refusals import refusal, refuses


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
        subscription_id,
        resource_group,
        workspace_name,
        auth=None,
        _location=None,
        _disable_service_check=False,
        _workspace_id=None,
        sku="basic",
        tags=None,
        _cloud="AzureCloud",
    ):
        self._context = here("a Workspace")
        fact("workspace")
        own = self._context.workspace.get("name")
        if own and str(workspace_name).lower() != own.lower():
            raise UserErrorException(
                f"this run's workspace is {own!r}; {workspace_name!r} cannot be opened, "
                "since a local run never reaches Azure"
            )
        self._name = own or workspace_name

    @staticmethod
    def _of(context: Context) -> Workspace:
        workspace = Workspace.__new__(Workspace)
        workspace._context = context
        workspace._name = context.workspace.get("name")
        return workspace

    @staticmethod
    def from_config(path=None, auth=None, _logger=None, _file_name=None):
        """Return the run's workspace; no config.json is read."""
        return Workspace._of(here("Workspace.from_config"))

    @staticmethod
    def get(name, auth=None, subscription_id=None, resource_group=None, location=None, cloud="AzureCloud", id=None):  # noqa: A002
        """Return the run's workspace; raises for another name."""
        return Workspace(subscription_id, resource_group, name)

    @property
    def name(self):
        """The workspace's name in pipeline.yaml."""
        fact("workspace")
        return self._name

    @property
    def subscription_id(self):
        """The subscription's id in pipeline.yaml."""
        fact("workspace")
        return self._context.workspace.get("subscription_id")

    @property
    def resource_group(self):
        """The resource group's name in pipeline.yaml."""
        fact("workspace")
        return self._context.workspace.get("resource_group")

    @property
    def location(self):
        """A region's name; `local`, since there is none."""
        return "local"

    @property
    def sku(self):
        """The workspace's edition."""
        return "Basic"

    @property
    def tags(self):
        """The workspace's tags; a local run knows none."""
        return {}

    @property
    def datasets(self):
        """The datasets by name."""
        from .catalog import Datasets

        return Datasets(self)

    @property
    def datastores(self):
        """The datastores by name."""
        from .datastore import datastores

        return datastores(self)

    @property
    def models(self):
        """The latest version of each model, by name."""
        from .model import Model

        return {model.name: model for model in Model.list(self, latest=True)}

    @property
    def experiments(self):
        """The experiment that runs, by name."""
        from .experiment import Experiment

        return {experiment.name: experiment for experiment in Experiment.list(self)}

    @property
    def compute_targets(self):
        """No compute targets: a local run has none."""
        return {}

    @property
    def webservices(self):
        """No web services: a local run has none."""
        return {}

    @property
    def service_context(self):
        """What the SDK asks Azure with; refused."""
        raise refusal("this call of the Azure SDK")

    _auth = _auth_object = service_context

    def get_default_datastore(self):
        """Return the workspace's default datastore, a folder of this project."""
        from .datastore import Datastore

        return Datastore.get_default(self)

    def get_default_keyvault(self):
        """Return the key vault: the environment and .env."""
        from .secrets import Keyvault

        return Keyvault(self)

    def get_run(self, run_id):
        """Return a run of this project by its id."""
        from .run import Run

        return Run.get(self, run_id)

    def get_details(self):
        """Return what is known of the workspace, in the SDK's shape."""
        scope = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return {
            "id": f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{self.name}",
            "name": self.name,
            "location": self.location,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "tags": {},
            "sku": self.sku,
        }

    def get_mlflow_tracking_uri(self, _with_auth=False):
        """Return where MLflow may track: a folder of this project."""
        import os
        from pathlib import Path

        return Path(os.path.join(self._context.state_dir, "mlruns")).absolute().as_uri()

    def write_config(self, path=None, file_name=None):
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

    def __repr__(self):
        return (
            f"Workspace.create(name={self.name!r}, subscription_id={self.subscription_id!r}, "
            f"resource_group={self.resource_group!r})"
        )
