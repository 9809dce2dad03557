"""How to log in to Azure."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from azml_tasks.model.base import Model

Method = Literal["automatic", "service_principal", "cli", "managed_identity", "interactive"]


class Auth(Model):
    """The way of logging in; by default the first that this machine has."""

    method: Method = Field("automatic", description="The way of logging in.")
    tenant_id: str | None = Field(None, description="The Azure tenant, where the account has several.")
