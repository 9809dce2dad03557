"""What the pipelines service holds: modules, published pipelines, endpoints, schedules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .identifiers import now

Document = dict[str, Any]


@dataclass
class Module:
    """A step's definition, which steps of later graphs with the same hash share."""

    id: str
    document: Document
    """As it was sent (`ModuleCreationInfo`)."""
    created: str = field(default_factory=now)

    @property
    def name(self) -> str:
        return str(self.document["Name"])

    @property
    def hash(self) -> str | None:
        value = self.document.get("IdentifierHash")
        return None if value is None else str(value)

    @property
    def snapshot_id(self) -> str | None:
        value = self.document.get("StorageId")
        return None if value is None else str(value)

    @property
    def allow_reuse(self) -> bool:
        return bool(self.document.get("IsDeterministic"))


@dataclass
class Graph:
    """The nodes of a pipeline and what connects them."""

    id: str
    document: Document
    """As it was sent (`GraphEntity`)."""
    interface: Document
    """The parameters with their defaults (`EntityInterface`)."""

    @property
    def defaults(self) -> dict[str, str]:
        """Parameter -> default."""
        return {item["Name"]: item.get("DefaultValue") for item in self.interface.get("Parameters") or []}


@dataclass
class PipelineRun:
    """A run of a graph; its status is that of the run of the same id in the run history."""

    id: str
    graph: str
    experiment: str
    parameters: dict[str, str]
    """What was assigned; parameters that keep their default are not here."""
    continue_on_failure: bool = False
    description: str = ""
    source: str = "SDK"
    published: str | None = None
    endpoint: str | None = None
    schedule: str | None = None
    submitted: bool = False
    steps: dict[str, str] = field(default_factory=dict)
    """Node -> id of its run."""
    created: str = field(default_factory=now)


@dataclass
class Published:
    """A published pipeline."""

    id: str
    graph: str
    name: str
    description: str
    version: str | None
    continue_on_failure: bool = False
    active: bool = True
    created: str = field(default_factory=now)


@dataclass
class Endpoint:
    """A name for a published pipeline that stays while its versions change."""

    id: str
    name: str
    description: str
    versions: dict[str, str]
    """Version -> published pipeline."""
    default: str
    active: bool = True
    created: str = field(default_factory=now)


@dataclass
class Schedule:
    """When a published pipeline or an endpoint is run; by time, or when blobs change."""

    id: str
    name: str
    pipeline: str | None
    endpoint: str | None
    recurrence: Document | None
    """Frequency, Interval, StartTime, TimeZone, Schedule; None for one that watches blobs."""
    trigger: Document | None
    """DataStoreName, PollingInterval, PathOnDataStore, DataPathParameterName."""
    submission: Document
    """What each run is started with (`PipelineSubmissionInfo`)."""
    active: bool = True
    created: str = field(default_factory=now)
    modified: str = field(default_factory=now)
    provisioning: str = "Completed"
    runs: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return "Recurrence" if self.trigger is None else "DataStore"

    @property
    def experiment(self) -> str:
        return str(self.submission["ExperimentName"])

    @property
    def description(self) -> str | None:
        value = self.submission.get("Description")
        return None if value is None else str(value)
