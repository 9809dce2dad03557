"""A compute cluster."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from azml_tasks.model.base import MisfitError, Model


class Compute(Model):
    """A cluster of virtual machines that grows and shrinks between two numbers of nodes."""

    vm_size: str = Field(description="Such as STANDARD_DS3_V2.", min_length=1)
    vm_priority: Literal["dedicated", "lowpriority"] = Field(
        "dedicated", description="lowpriority is cheaper and may be taken away."
    )
    min_nodes: Annotated[int, Field(ge=0)] = Field(0, description="Kept running even when idle.")
    max_nodes: Annotated[int, Field(ge=1)] = Field(1, description="The most nodes at once.")
    idle_seconds_before_scaledown: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Seconds that a node stays up without work."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Compute:
        if self.min_nodes > self.max_nodes:
            raise MisfitError("min_nodes", f"min_nodes ({self.min_nodes}) is more than max_nodes ({self.max_nodes})")
        return self
