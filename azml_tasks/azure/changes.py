"""What registering did to one thing of the workspace, or would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["created", "updated", "unchanged", "removed"]


@dataclass(frozen=True)
class Change:
    """One thing, what became of it and why; with `dry` it only would become that."""

    kind: Literal["environment", "datastore", "dataset", "compute"]
    name: str
    outcome: Outcome
    detail: str = ""
    dry: bool = False

    def __str__(self) -> str:
        done = self.outcome if self.outcome == "unchanged" or not self.dry else f"would be {self.outcome}"
        return f"{self.kind} {self.name}: {done}" + (f" ({self.detail})" if self.detail else "")
