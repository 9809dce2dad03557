"""A blob datastore, and the secret that opens it."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from azml_tasks.model.base import MisfitError, Model
from azml_tasks.model.names import ContainerName, StorageAccountName

_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


def _only_a_variable(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_REFERENCE, value):
        # The value itself is not repeated: it may be the secret.
        raise ValueError(
            "a secret never stands in the file: write ${SOME_VARIABLE} and set it in the environment or .env"
        )
    return value


SecretReference = Annotated[
    str,
    BeforeValidator(_only_a_variable),
    WithJsonSchema({"type": "string", "pattern": f"^{_REFERENCE}$"}),
]


class Datastore(Model):
    """A container of a storage account; without key or token the workspace's identity opens it."""

    container_name: ContainerName = Field(description="The blob container.")
    account_name: StorageAccountName = Field(description="The storage account.")
    account_key: SecretReference | None = Field(None, description="`${VARIABLE}` that holds the account's key.")
    sas_token: SecretReference | None = Field(None, description="`${VARIABLE}` that holds a SAS token.")

    @property
    def secret_variables(self) -> dict[str, str]:
        """The variable that each key with a secret names."""
        references = {"account_key": self.account_key, "sas_token": self.sas_token}
        return {key: reference[2:-1] for key, reference in references.items() if reference}

    @model_validator(mode="after")
    def _one_secret(self) -> Datastore:
        if self.account_key and self.sas_token:
            raise MisfitError("sas_token", "give account_key or sas_token, not both")
        return self
