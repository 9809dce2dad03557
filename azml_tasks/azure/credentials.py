"""Credentials for Azure: of a person at a browser, remembered between commands, and of a job's own identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential
    from azure.identity import AuthenticationRecord

_CACHE = "azml-tasks"


class InteractiveLogin:
    """Log in with a browser, or with a device code if none can be opened.

    Tokens are kept in the system's encrypted store, if it has one; the account, which is not secret, in
    `~/.azml-tasks`.
    """

    def __init__(self, tenant: str | None, folder: Path | None = None) -> None:
        self._tenant = tenant
        self._record_file = (folder or Path.home() / ".azml-tasks") / f"login-{tenant or 'default'}.json"
        self._credential: Any = None

    def get_token(self, *scopes: str, claims: str | None = None, **_: Any) -> AccessToken:
        """Return a token, asking the user only if the stored login is not sufficient; `claims` are its requirements.

        Raises azure.core.exceptions.ClientAuthenticationError.
        """
        from azure.identity import CredentialUnavailableError, DeviceCodeCredential, InteractiveBrowserCredential

        if self._credential is None:
            try:
                self._credential = self._logged_in(InteractiveBrowserCredential, scopes)
            except CredentialUnavailableError:  # no browser can be opened here
                self._credential = self._logged_in(DeviceCodeCredential, scopes)
        token: AccessToken = self._credential.get_token(*scopes, claims=claims)
        return token

    def _logged_in(self, kind: Any, scopes: tuple[str, ...]) -> Any:
        from azure.core.exceptions import ClientAuthenticationError

        options: dict[str, Any] = {"tenant_id": self._tenant} if self._tenant else {}
        try:
            return self._with_store(kind, scopes, options)
        except ClientAuthenticationError as error:
            if not _says_there_is_no_store(error.__cause__):
                raise
        return kind(**options)

    def _with_store(self, kind: Any, scopes: tuple[str, ...], options: dict[str, Any]) -> Any:
        from azure.identity import TokenCachePersistenceOptions

        record = self._record()
        store = TokenCachePersistenceOptions(name=_CACHE)
        credential = kind(authentication_record=record, cache_persistence_options=store, **options)
        if record is None:
            self._remember(credential.authenticate(scopes=scopes))
        else:
            credential.get_token(*scopes)
        return credential

    def _record(self) -> AuthenticationRecord | None:
        from azure.identity import AuthenticationRecord

        try:
            return AuthenticationRecord.deserialize(self._record_file.read_text(encoding="utf-8"))
        except (OSError, ValueError, KeyError):  # never written, or not by us
            return None

    def _remember(self, record: AuthenticationRecord) -> None:
        self._record_file.parent.mkdir(parents=True, exist_ok=True)
        self._record_file.write_text(record.serialize(), encoding="utf-8")


def _says_there_is_no_store(cause: BaseException | None) -> bool:
    # What azure-identity raises if the system has no encrypted store (_persistent_cache.py).
    return isinstance(cause, NotImplementedError) or (isinstance(cause, ValueError) and "encryption" in str(cause))


_AUDIENCE = "api://AzureADTokenExchange"


def federated_credential(tenant: str | None, variables: Mapping[str, str]) -> Callable[[], TokenCredential] | str:
    """Return a function that creates the credential of this job, or what is missing for one."""
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
    return "neither AZURE_FEDERATED_TOKEN_FILE nor the identity of a GitHub or Azure Pipelines job is available"


def _from_file(tenant_id: str, client_id: str, file: str) -> TokenCredential:
    from azure.identity import WorkloadIdentityCredential

    return WorkloadIdentityCredential(tenant_id=tenant_id, client_id=client_id, token_file_path=file)


def _from_github(tenant_id: str, client_id: str, address: str, token: str) -> TokenCredential:
    from azure.core.exceptions import ClientAuthenticationError
    from azure.identity import ClientAssertionCredential

    def assertion() -> str:
        # Requested each time: GitHub's assertion is valid for five minutes, the job may run for hours.
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
            raise ClientAuthenticationError("the response of GitHub has no identity of the job") from None

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
