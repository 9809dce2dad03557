"""Logging in: cloud metadata, the OpenID documents, tokens, managed identity, subscriptions."""

from __future__ import annotations

import base64
import itertools
import json
import time
from typing import Any
from urllib.parse import parse_qs

from tests.service.call import Call
from tests.service.message import Refusal
from tests.service.names import CLIENT, PASSWORD, TENANT
from tests.service.routing import ARM, LOGIN, routes

HOUR = 3600
_serial = itertools.count()


def token(**claims: Any) -> str:
    """Make a signed-looking token, unlike all others; clients decode it and look at `exp` and `tid`."""
    issued = int(time.time())
    body = {"tid": TENANT, "oid": CLIENT, "appid": CLIENT, "iat": issued, "exp": issued + 24 * HOUR, **claims}
    body["uti"] = next(_serial)
    parts = ({"alg": "RS256", "typ": "JWT"}, body)
    encoded = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return ".".join([*encoded, "c2lnbmF0dXJl"])


@routes.on("GET", ARM, "/metadata/endpoints", public=True)
def cloud_metadata(call: Call) -> Any:
    return [
        {
            "name": "AzureCloud",
            "portal": "https://portal.azure.com",
            "resourceManager": f"https://{ARM}/",
            "graph": "https://graph.windows.net/",
            "graphAudience": "https://graph.windows.net/",
            "gallery": "https://gallery.azure.com/",
            "batch": "https://batch.core.windows.net/",
            "media": "https://rest.media.azure.net",
            "sqlManagement": "https://management.core.windows.net:8443/",
            "vmImageAliasDoc": "https://raw.githubusercontent.com/Azure/azure-rest-api-specs/aliases.json",
            "activeDirectoryDataLake": "https://datalake.azure.net/",
            "authentication": {
                "loginEndpoint": f"https://{LOGIN}/",
                "audiences": ["https://management.core.windows.net/", f"https://{ARM}/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
            "suffixes": {
                "storage": "core.windows.net",
                "keyVaultDns": "vault.azure.net",
                "sqlServerHostname": "database.windows.net",
                "acrLoginServer": "azurecr.io",
                "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
                "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics.net",
            },
        }
    ]


@routes.on("GET", LOGIN, "/{tenant}/v2.0/.well-known/openid-configuration", public=True)
@routes.on("GET", LOGIN, "/{tenant}/.well-known/openid-configuration", public=True)
def openid(call: Call, tenant: str) -> Any:
    return {
        "token_endpoint": f"https://{LOGIN}/{tenant}/oauth2/v2.0/token",
        "authorization_endpoint": f"https://{LOGIN}/{tenant}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"https://{LOGIN}/{tenant}/oauth2/v2.0/devicecode",
        "issuer": f"https://{LOGIN}/{tenant}/v2.0",
    }


@routes.on("GET", LOGIN, "/common/discovery/instance", public=True)
def instance(call: Call) -> Any:
    return {
        "tenant_discovery_endpoint": f"https://{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration",
        "metadata": [
            {"preferred_network": LOGIN, "preferred_cache": "login.windows.net", "aliases": [LOGIN]},
        ],
    }


@routes.on("POST", LOGIN, "/{tenant}/oauth2/v2.0/token", public=True)
def issue_token(call: Call, tenant: str) -> Any:
    form = {name: values[0] for name, values in parse_qs(call.request.body.decode()).items()}
    if form.get("grant_type") == "authorization_code":
        return _person(form)
    if form.get("grant_type") != "client_credentials":
        raise Refusal(400, "unsupported_grant_type", "Only service principals and browsers can log in here.")
    if form.get("client_id") != CLIENT or form.get("client_secret", PASSWORD) != PASSWORD:
        call.refuse(
            {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}, 401
        )
    audience = form.get("scope", "").removesuffix("/.default")
    return {
        "token_type": "Bearer",
        "expires_in": 24 * HOUR,
        "ext_expires_in": 24 * HOUR,
        "access_token": token(aud=audience),
    }


def _person(form: dict[str, str]) -> Any:
    """Log in whoever comes from a browser; the test's browser gives the nonce that it was sent as the code."""
    audience = form.get("scope", "").split()[0].removesuffix("/.default")
    identity = token(
        aud=form["client_id"],
        iss=f"https://{LOGIN}/{TENANT}/v2.0",
        nonce=form["code"],
        preferred_username="ada",
        sub="1",
    )
    return {"token_type": "Bearer", "expires_in": HOUR, "access_token": token(aud=audience), "id_token": identity}


@routes.on("POST", LOGIN, "/{tenant}/oauth2/v2.0/devicecode", public=True)
def refuse_interactive_login(call: Call, tenant: str) -> Any:
    """Refuse to log a person in, so that nothing waits for one; the record shows that it was tried."""
    call.refuse({"error": "access_denied", "error_description": "Nobody is here to log in."}, 400)


@routes.on("GET", "loopback", "/msi/token", public=True)
@routes.on("POST", "loopback", "/msi/token", public=True)
def managed_identity_token(call: Call) -> Any:
    resource = call.request.query.get("resource", "")
    return {
        "access_token": token(aud=resource),
        "expires_on": str(int(time.time()) + 24 * HOUR),
        "resource": resource,
        "token_type": "Bearer",
        "client_id": CLIENT,
    }


@routes.on("GET", ARM, "/subscriptions")
def list_subscriptions(call: Call) -> Any:
    return {
        "value": [
            {
                "id": f"/subscriptions/{identifier}",
                "subscriptionId": identifier,
                "tenantId": TENANT,
                "displayName": name,
                "state": "Enabled",
            }
            for identifier, name in call.state.subscriptions.items()
        ]
    }


@routes.on("GET", ARM, "/tenants")
def list_tenants(call: Call) -> Any:
    return {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]}
