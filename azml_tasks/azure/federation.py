"""A service principal that proves itself by the identity of the job it runs in, without a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

_AUDIENCE = "api://AzureADTokenExchange"


def federated_credential(tenant: str | None, variables: Mapping[str, str]) -> Callable[[], TokenCredential] | str:
    """Return how the credential of this job is made, or what is not set for one."""
    pipelines = _azure_pipelines(tenant, variables)
    if pipelines:
        return pipelines
    tenant_id, client_id = tenant or variables.get("AZURE_TENANT_ID"), variables.get("AZURE_CLIENT_ID")
    file = variables.get("AZURE_FEDERATED_TOKEN_FILE")
    request = variables.get("ACTIONS_ID_TOKEN_REQUEST_URL"), variables.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    if not (tenant_id and client_id):
        return "AZURE_TENANT_ID and AZURE_CLIENT_ID are not both set"
    if file:
        return lambda: _from_file(tenant_id, client_id, file)
    if request[0] and request[1]:
        return lambda: _from_github(tenant_id, client_id, str(request[0]), str(request[1]))
    if variables.get("GITHUB_ACTIONS"):
        return "the workflow has no `permissions: id-token: write`"
    return "neither AZURE_FEDERATED_TOKEN_FILE nor the identity of a GitHub or Azure Pipelines job is there"


def _from_file(tenant_id: str, client_id: str, file: str) -> TokenCredential:
    from azure.identity import WorkloadIdentityCredential

    return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=client_id, token_file_path=file)


def _from_github(tenant_id: str, client_id: str, address: str, token: str) -> TokenCredential:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientAssertionCredential

    def assertion() -> str:
        # Asked anew each time: GitHub's proof lasts five minutes, the job may last hours.
        import requests

        response = requests.get(
            address,
            params={"audience": _AUDIENCE},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        response.raise_for_status()
        try:
            return str(response.json()["value"])
        except (ValueError, KeyError, TypeError):
            raise ClientAuthenticationError("GitHub's answer holds no identity of the job") from None

    return ClientAssertionCredential(tenant_id, client_id, assertion)


def _azure_pipelines(tenant: str | None, variables: Mapping[str, str]) -> Callable[[], TokenCredential] | None:
    names = (
        "AZURESUBSCRIPTION_TENANT_ID",
        "AZURESUBSCRIPTION_CLIENT_ID",
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
        "SYSTEM_ACCESSTOKEN",
        "SYSTEM_OIDCREQUESTURI",
    )
    values = [variables.get(name, "") for name in names]
    if not all(values):
        return None

    def make() -> TokenCredential:
        from azure.identity import AzurePipelinesCredential

        return AzurePipelinesCredential(
            tenant_id=tenant or values[0],
            client_id=values[1],
            service_connection_id=values[2],
            system_access_token=values[3],
        )

    return make
