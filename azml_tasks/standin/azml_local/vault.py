"""Secrets in a job of Azure ML v2: those of a key vault, read by the managed identity of the compute.

v2 has no `get_secret`. The environment needs azure-identity and azure-keyvault-secrets, and the step a variable with
the address of the vault.
"""

from __future__ import annotations

import os

from . import records
from .errors import UserErrorException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

VARIABLE = "AZML_KEY_VAULT_URL"
_IDENTITY = "DEFAULT_IDENTITY_CLIENT_ID"


def read_secret(name: str) -> str:
    """Return a secret. Raises UserErrorException with what is missing."""
    value = read_secrets([name])[name]
    if value is None:
        raise UserErrorException(f"no secret {name!r} in the key vault {_address()}")
    return value


def read_secrets(names: Iterable[str]) -> dict[str, str | None]:
    """Return secrets by name, None for one that is not in the vault. Raises UserErrorException."""
    address = _address()
    try:
        from azure.core.exceptions import (
            AzureError,
            ClientAuthenticationError,
            HttpResponseError,
            ResourceNotFoundError,
        )
        from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
        from azure.keyvault.secrets import SecretClient
    except ImportError:
        raise UserErrorException(
            "reading secrets in a job on Azure ML v2 requires the packages azure-identity and azure-keyvault-secrets; "
            "add them to the environment"
        ) from None
    client_id = os.environ.get(_IDENTITY)
    credential: Any = ManagedIdentityCredential(client_id=client_id) if client_id else DefaultAzureCredential()
    found: dict[str, str | None] = {}
    with credential, SecretClient(address, credential) as client:
        for name in names:
            try:
                found[name] = client.get_secret(name).value
            except ResourceNotFoundError:
                found[name] = None
            except ClientAuthenticationError:
                raise UserErrorException(
                    f"could not log in to the key vault {address}; the compute target needs a managed identity"
                ) from None
            except HttpResponseError as error:
                raise UserErrorException(
                    f"could not read the secret {name!r} of the key vault {address} ({error.status_code}); the managed "
                    "identity of the compute target needs the role Key Vault Secrets User"
                ) from None
            except AzureError as error:
                raise UserErrorException(f"could not reach the key vault {address}: {error.message}") from None
            records.hide(found[name] or "")
    return found


def _address() -> str:
    address = os.environ.get(VARIABLE, "")
    if not address:
        raise UserErrorException(
            f"reading secrets in a job on Azure ML v2 requires the address of the key vault; set {VARIABLE}, such as "
            "https://NAME.vault.azure.net, in the step's environment_variables"
        )
    return address
