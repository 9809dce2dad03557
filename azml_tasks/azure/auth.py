"""Log in to Azure, through azure-identity.

`auth: automatic`, the default, uses the first of these that is available:

1. a service principal with a secret: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or
   AZUREML_SERVICE_PRINCIPAL_TENANT_ID, AZUREML_SERVICE_PRINCIPAL_ID and AZUREML_SERVICE_PRINCIPAL_PASSWORD;
2. a service principal with a federated identity, that is without a secret: AZURE_TENANT_ID and AZURE_CLIENT_ID, and
   AZURE_FEDERATED_TOKEN_FILE, a GitHub job with `permissions: id-token: write`, or the variables of an Azure Pipelines
   task with a service connection and SYSTEM_ACCESSTOKEN;
3. a managed identity, where IDENTITY_ENDPOINT or MSI_ENDPOINT is set;
4. the Azure CLI's login (`az login`);
5. a browser, or a code to type into one: only at a terminal, and never when CI or TF_BUILD is set.

`auth: {method: ..., tenant_id: ...}` selects one of them; `service_principal` is 1 and 2, and `managed_identity` also
uses the service of a virtual machine. If a service principal is rejected, no other identity is tried.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azml_tasks.azure.credentials import federated_credential
from azml_tasks.azure.errors import redacted, service_message, unconnected
from azml_tasks.errors import LoginError
from azml_tasks.model import Auth
from azml_tasks.text import listed

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

# Tokens are renewed this many seconds before they expire, so that none expires during a request.
_EARLY = 300
_SECRET_VARIABLES = (
    ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    (
        "AZUREML_SERVICE_PRINCIPAL_TENANT_ID",
        "AZUREML_SERVICE_PRINCIPAL_ID",
        "AZUREML_SERVICE_PRINCIPAL_PASSWORD",
    ),
)


@dataclass(frozen=True)
class LoginMethod:
    """A login method; `make` is None if something is missing, which `missing` describes.

    If a `exclusive` method is rejected, no other is tried. One that `keeps_tokens` returns stored tokens, even to a new
    credential.
    """

    name: str
    make: Callable[[], TokenCredential] | None = None
    missing: str = ""
    exclusive: bool = False
    keeps_tokens: bool = False


class Tokens:
    """Tokens of the first way that works; each is kept until it has five minutes left."""

    def __init__(self, ways: Sequence[LoginMethod], clock: Callable[[], float] = time.time) -> None:
        self._ways = ways
        self._clock = clock
        self._chosen: tuple[LoginMethod, TokenCredential] | None = None
        self._kept: dict[str, AccessToken] = {}
        self._resources: dict[str, str] = {}  # of each returned token
        self._lock = threading.Lock()
        _sources.add(self)

    def __call__(self, resource: str) -> str:
        """Return a token for a resource, such as `https://management.core.windows.net/`.

        Raises LoginError.
        """
        return str(self.access_token(resource).token)

    def access_token(self, resource: str) -> AccessToken:
        """Return a token for a resource with the time when it expires. Raises LoginError."""
        with self._lock:
            kept = self._kept.get(resource)
            if kept is None or kept.expires_on - self._clock() < _EARLY:
                kept = self._keep(resource)
            return kept

    def renewed(self, refused: str) -> str | None:
        """Return a new token to replace a rejected one; None if it is not from this source.

        The credential is created again, so that it does not return a cached token. Raises LoginError.
        """
        with self._lock:
            resource = self._resources.get(refused)
            if resource is None:
                return None
            kept = self._kept.get(resource)
            if self._chosen and (kept is None or kept.token == refused):
                way, _ = self._chosen
                self._kept.clear()
                self._chosen = way, way.make()  # type: ignore[misc]  # it has created one before
                # What Microsoft Entra requests when a token was revoked: one issued after now.
                now = {"access_token": {"nbf": {"essential": True, "value": str(int(self._clock()))}}}
                kept = self._keep(resource, **({"claims": json.dumps(now)} if way.keeps_tokens else {}))
            return str(kept.token) if kept else None

    def _keep(self, resource: str, **options: str) -> AccessToken:
        token = self._kept[resource] = self._fetch(f"{resource}/.default", **options)
        self._resources[token.token] = resource
        return token

    def __deepcopy__(self, memo: Any) -> Tokens:
        # The SDK copies objects that refer to the workspace, and therefore to this.
        return self

    def _fetch(self, scope: str, **options: str) -> AccessToken:
        from azure.core.exceptions import ClientAuthenticationError

        tried = []
        for way in [self._chosen[0]] if self._chosen else self._ways:
            if way.make is None:
                tried.append((way.name, way.missing))
                continue
            try:
                credential = self._chosen[1] if self._chosen else way.make()
                token = credential.get_token(scope, **options)
            except ClientAuthenticationError as error:  # CredentialUnavailableError among them
                tried.append((way.name, _refusal(error)))
                if way.exclusive:
                    break
                continue
            self._chosen = way, credential
            return token
        raise LoginError(_nothing_worked(tried))


_sources: weakref.WeakSet[Tokens] = weakref.WeakSet()


def renewed(refused: str) -> str | None:
    """Return a new token to replace a rejected one of ours; None if it is not ours.

    Raises LoginError if none is issued.
    """
    return next((token for source in list(_sources) if (token := source.renewed(refused)) is not None), None)


def login(auth: Auth, variables: Mapping[str, str], at_terminal: bool | None = None) -> Tokens:
    """Return the source of tokens for `auth` and the variables, without any request yet.

    `at_terminal` is whether an interactive login is possible; by default it is detected.
    """
    if at_terminal is None:
        at_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    tenant = auth.tenant_id
    ways = {
        "service_principal": [_secret(tenant, variables), _federated(tenant, variables)],
        "managed_identity": [_managed_identity(variables)],
        "cli": [_cli(tenant)],
        "interactive": [_interactive(tenant, variables, at_terminal)],
    }
    if auth.method != "automatic":
        return Tokens(ways[auth.method])
    if not any(variables.get(name) for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")):
        ways["managed_identity"] = [
            LoginMethod("managed identity", missing="IDENTITY_ENDPOINT and MSI_ENDPOINT are not set")
        ]
    return Tokens([way for group in ways.values() for way in group])


def _secret(tenant: str | None, variables: Mapping[str, str]) -> LoginMethod:
    unset = []
    for names in _SECRET_VARIABLES:
        values = [variables.get(name) for name in names]
        tenant_id, client_id, secret = tenant or values[0], values[1], values[2]
        if tenant_id and client_id and secret:
            name = f"service principal of {names[1]}"
            return LoginMethod(name, lambda t=tenant_id, c=client_id, s=secret: _with_secret(t, c, s), exclusive=True)  # type: ignore[misc]
        missing = [name for name, value in zip(names, (tenant_id, *values[1:]), strict=True) if not value]
        unset.append(missing)
    # Of the two sets of names, the one with fewer missing variables was meant.
    missing = min(unset, key=len)
    return LoginMethod("service principal", missing=f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} not set")


def _with_secret(tenant_id: str, client_id: str, secret: str) -> TokenCredential:
    from azure.identity import ClientSecretCredential

    return ClientSecretCredential(tenant_id, client_id, secret)


def _federated(tenant: str | None, variables: Mapping[str, str]) -> LoginMethod:
    found = federated_credential(tenant, variables)
    if isinstance(found, str):
        return LoginMethod("federated identity", missing=found)
    return LoginMethod("federated identity", found, exclusive=True)


def _managed_identity(variables: Mapping[str, str]) -> LoginMethod:
    def make() -> TokenCredential:
        from azure.identity import ManagedIdentityCredential

        return ManagedIdentityCredential(client_id=variables.get("AZURE_CLIENT_ID"))

    return LoginMethod("managed identity", make)


def _cli(tenant: str | None) -> LoginMethod:
    def make() -> TokenCredential:
        from azure.identity import AzureCliCredential

        return AzureCliCredential(tenant_id=tenant or "", process_timeout=60)

    return LoginMethod("Azure CLI", make)


def _interactive(tenant: str | None, variables: Mapping[str, str], at_terminal: bool) -> LoginMethod:
    for name in ("CI", "TF_BUILD"):
        if variables.get(name, "").lower() not in ("", "0", "false"):
            return LoginMethod("browser", missing=f"skipped: no interactive login when {name} is set")
    if not at_terminal:
        return LoginMethod("browser", missing="skipped: no terminal")

    def make() -> TokenCredential:
        from azml_tasks.azure.credentials import InteractiveLogin

        return InteractiveLogin(tenant)

    return LoginMethod("browser", make, keeps_tokens=True)


def _refusal(error: Exception) -> str:
    # Messages of Microsoft Entra end with identifiers that are of no use in a terminal.
    return redacted(unconnected(error) or service_message(str(error)).partition(" Trace ID:")[0]).rstrip(".")


def _nothing_worked(tried: Sequence[tuple[str, str]]) -> str:
    lines = [f"  {name}: {reason}" for name, reason in tried]
    advice = "Set the variables of a service principal or run `az login`; `auth:` in pipeline.yaml selects one method."
    return "\n".join(["Could not log in to Azure. Tried, in order:", *lines, advice])
