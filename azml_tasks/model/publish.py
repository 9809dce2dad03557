"""How the pipeline is published."""

from __future__ import annotations

from pydantic import Field

from azml_tasks.model.base import Model


class Publish(Model):
    """The name under which a published pipeline is found."""

    name: str = Field(description="Name of the published pipeline and of its endpoint.", min_length=1)
    description: str | None = Field(None, description="Shown beside the name.")
