"""Runs in the run history, with what they record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .identifiers import now

Document = dict[str, Any]

NOT_STARTED, QUEUED, RUNNING = "NotStarted", "Queued", "Running"
COMPLETED, FAILED, CANCELED = "Completed", "Failed", "Canceled"
ENDED = (COMPLETED, FAILED, CANCELED)


@dataclass
class Metric:
    """What `run.log` and its kin sent: every row of one name, in order."""

    name: str
    kind: str
    """The service's type, 'azureml.v1.scalar' and so on."""
    columns: dict[str, str]
    rows: list[Document] = field(default_factory=list)
    steps: list[int | None] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    """In milliseconds, of those that MLflow logged."""

    @property
    def values(self) -> list[Any]:
        """The values of a scalar or list metric; whole rows of a table."""
        if set(self.columns) == {self.name}:
            return [row[self.name] for row in self.rows]
        return list(self.rows)


@dataclass
class Run:
    """A run: of a pipeline, of one of its steps, or one that a script made."""

    id: str
    experiment: str
    kind: str
    """'azureml.PipelineRun', 'azureml.StepRun' or what the client said."""
    parent: str | None = None
    root: str = ""
    name: str = ""
    number: int = 1
    status: str = NOT_STARTED
    script: str | None = None
    target: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    properties: dict[str, str] = field(default_factory=dict)
    input_datasets: list[Document] = field(default_factory=list)
    output_datasets: list[Document] = field(default_factory=list)
    definition: Document | None = None
    metrics: dict[str, Metric] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    """What MLflow logged, and the datasets below."""
    mlflow_inputs: list[Document] = field(default_factory=list)
    error: Document | None = None
    display_name: str | None = None
    description: str | None = None
    hidden: bool = False
    created: str = field(default_factory=now)
    started: str | None = None
    ended: str | None = None

    @property
    def container(self) -> str:
        """Where its artifacts are."""
        return f"dcid.{self.id}"

    def begin(self) -> None:
        self.status, self.started = RUNNING, self.started or now()

    def end(self, status: str, message: str | None = None) -> None:
        """Set the final status; a message makes the run's error."""
        self.status, self.ended = status, now()
        if message is not None:
            self.error = {"error": {"code": "UserError", "message": message}}
