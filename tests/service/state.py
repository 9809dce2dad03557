"""What the service holds: subscriptions, storage, and workspaces with all that lies in them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from .identifiers import Identifiers, now, stable_id
from .storage import Storage

if TYPE_CHECKING:
    from .pipeline_state import Endpoint, Graph, Module, PipelineRun, Published, Schedule
    from .run_state import Run

Document = dict[str, Any]


@dataclass
class Datastore:
    """A registered blob store."""

    name: str
    document: Document
    """As the service sends it, credentials included."""
    system: bool = False

    @property
    def account(self) -> str:
        return str(self.document["azureStorageSection"]["accountName"])

    @property
    def container(self) -> str:
        return str(self.document["azureStorageSection"]["containerName"])

    @property
    def credential(self) -> str | None:
        """The account's key or token, None for identity."""
        value = self.document["azureStorageSection"].get("credential")
        return None if value is None else str(value)


@dataclass
class SavedDataset:
    """A definition without a name, as a pipeline's graph refers to it."""

    id: str
    kind: str
    """'tabular' or 'file'."""
    dataflow: str
    """As the client sent it: JSON that holds YAML."""
    properties: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The YAML in the dataflow."""
        return str(json.loads(self.dataflow)["meta"]["RsDataflow"])

    @property
    def definition(self) -> Any:
        """The dataflow read: its paths and how the files there are read.

        Columns are sorted by name where their types are set: the SDK writes them in random order.
        """
        definition = yaml.safe_load(self.text)
        for step in definition.get("transformations") or []:
            if isinstance(step, dict) and isinstance(step.get("convert_column_types"), list):
                step["convert_column_types"].sort(key=lambda types: str(types["columns"]))
        return definition


@dataclass
class DatasetVersion:
    """One version of a registered dataset."""

    version: int
    saved: SavedDataset
    tags: dict[str, str]
    description: str | None
    created: str = field(default_factory=now)

    @property
    def definition(self) -> Any:
        return self.saved.definition


@dataclass
class Dataset:
    """A registered dataset with all its versions, oldest first."""

    name: str
    id: str
    versions: list[DatasetVersion] = field(default_factory=list)

    @property
    def latest(self) -> DatasetVersion:
        return self.versions[-1]


@dataclass
class Compute:
    """A compute target; `document` is its ARM resource."""

    name: str
    document: Document

    @property
    def settings(self) -> Mapping[str, Any]:
        """Size, priority and scale, as ARM knows them (`properties.properties`)."""
        settings: Mapping[str, Any] = self.document["properties"]["properties"]
        return settings


@dataclass
class Experiment:
    """A named group of runs."""

    name: str
    id: str
    tags: dict[str, str] = field(default_factory=dict)
    created: str = field(default_factory=now)


@dataclass
class Snapshot:
    """Files that were uploaded for a step, by their path."""

    id: str
    files: Mapping[str, bytes]
    tree: Document
    """The Merkle tree that the client sent."""
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Model:
    """One version of a registered model."""

    name: str
    version: int
    document: Document


@dataclass
class Workspace:
    """A workspace and its contents; mappings keep the order in which things came."""

    subscription: str
    group: str
    name: str
    location: str
    seed: str
    """Makes the workspace's identifiers differ from those of another test's."""
    tags: dict[str, str] = field(default_factory=dict)
    friendly_name: str = ""
    environments: dict[str, dict[str, Document]] = field(default_factory=dict)
    """Name -> version -> definition."""
    datastores: dict[str, Datastore] = field(default_factory=dict)
    default_datastore: str = "workspaceblobstore"
    datasets: dict[str, Dataset] = field(default_factory=dict)
    saved_datasets: dict[str, SavedDataset] = field(default_factory=dict)
    """Definitions without a name, by their id."""
    computes: dict[str, Compute] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    modules: dict[str, Module] = field(default_factory=dict)
    graphs: dict[str, Graph] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)
    """Every run by its id: pipelines, steps, and the children that scripts make."""
    pipeline_runs: dict[str, PipelineRun] = field(default_factory=dict)
    published: dict[str, Published] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    models: list[Model] = field(default_factory=list)
    assets: dict[str, Document] = field(default_factory=dict)
    """What models are made of: artifacts by their prefix."""
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.identifiers = Identifiers(self.seed + self.scope)
        self.id = stable_id(self.seed + self.scope)

    @property
    def scope(self) -> str:
        """The ARM id."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.name}"
        )

    @property
    def key(self) -> tuple[str, str, str]:
        return workspace_key(self.subscription, self.group, self.name)

    @property
    def account(self) -> str:
        """The workspace's own storage account."""
        return ("st" + self.id.replace("-", ""))[:24]


def workspace_key(subscription: str, group: str, name: str) -> tuple[str, str, str]:
    """Make the key of a workspace, which is looked up without regard to case."""
    return subscription.lower(), group.lower(), name.lower()


@dataclass
class State:
    """All that the service holds."""

    seed: str
    subscriptions: dict[str, str] = field(default_factory=dict)
    """Id -> display name."""
    groups: dict[tuple[str, str], str] = field(default_factory=dict)
    """(subscription, name), in lower case -> location."""
    workspaces: dict[tuple[str, str, str], Workspace] = field(default_factory=dict)
    storage: Storage = field(default_factory=Storage)
    operations: dict[str, Document] = field(default_factory=dict)
    """Results of asynchronous operations by their id."""
    native: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Account that stands for a datastore -> account and container where it lies (`native`)."""

    def __post_init__(self) -> None:
        self.identifiers = Identifiers(self.seed)

    def add_workspace(self, subscription: str, group: str, name: str, location: str) -> Workspace:
        """Create a workspace with its storage account and default datastores."""
        self.subscriptions.setdefault(subscription, "Pay as you go")
        self.groups.setdefault((subscription.lower(), group.lower()), location)
        workspace = Workspace(subscription, group, name, location, self.seed, friendly_name=name)
        self.workspaces[workspace.key] = workspace
        _add_default_datastores(workspace)
        container = workspace.datastores["workspaceblobstore"].container
        self.storage.add_container(workspace.account, container)
        return workspace


def _add_default_datastores(workspace: Workspace) -> None:
    for name, kind, container in (
        ("workspaceblobstore", "AzureBlob", f"azureml-blobstore-{workspace.id}"),
        ("workspaceartifactstore", "AzureBlob", "azureml"),
        ("workspacefilestore", "AzureFile", f"azureml-filestore-{workspace.id}"),
    ):
        workspace.datastores[name] = Datastore(
            name, storage_document(name, kind, workspace.account, container, "d29ya3NwYWNla2V5"), system=True
        )


def storage_document(name: str, kind: str, account: str, container: str, key: str | None) -> Document:
    """Write a datastore as the service sends it (`azureml._restclient.models.DataStore`)."""
    return {
        "name": name,
        "dataStoreType": kind,
        "hasBeenValidated": True,
        "tags": {},
        "azureStorageSection": {
            "accountName": account,
            "containerName": container,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "credentialType": "None" if key is None else "AccountKey",
            "credential": key,
            "isSas": False,
            "accountKey": key,
            "areWorkspaceManagedIdentitiesAllowed": False,
        },
    }
