"""What v2 keeps of a workspace besides what v1 has: assets by kind, name and version, jobs and schedules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
KINDS = ("environments", "data", "codes", "components", "models")


@dataclass
class Job:
    """A submitted pipeline job; `body` is what the client sent, `runs` its steps' runs by their names in the job."""

    name: str
    body: Document
    runs: dict[str, str] = field(default_factory=dict)
    schedule: str = ""

    @property
    def properties(self) -> Document:
        return self.body["properties"]

    @property
    def steps(self) -> dict[str, Document]:
        """The nodes, by name."""
        return self.properties["jobs"]


@dataclass
class V2State:
    """Assets: kind -> name -> version -> body; jobs and schedules by name."""

    assets: dict[str, dict[str, dict[str, Document]]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    jobs: dict[str, Job] = field(default_factory=dict)
    schedules: dict[str, Document] = field(default_factory=dict)
    pending: dict[str, str] = field(default_factory=dict)
    """Containers that were handed out for code: container -> code's name."""

    def versions(self, kind: str, name: str) -> dict[str, Document]:
        """Return the versions of an asset, oldest first."""
        return self.assets[kind].get(name, {})
