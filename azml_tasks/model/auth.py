"""How to log in to Azure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from azml_tasks.model.base import Model


class Auth(Model):
    """The way of logging in; by default the first that this machine has."""

    method: Literal["automatic", "service_principal", "cli", "managed_identity", "interactive"] = Field(
        "automatic", description="The way of logging in."
    )
    tenant_id: str | None = Field(None, description="The Azure tenant, where the account has several.")

    @model_validator(mode="before")
    @classmethod
    def _a_method_alone(cls, value: object) -> object:
        return {"method": value} if isinstance(value, str) else value
