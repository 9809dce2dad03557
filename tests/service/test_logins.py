"""Ways to log in: service principal, managed identity, federated, a token of one's own."""

from __future__ import annotations

from typing import Any

import pytest

from .environment import managed_identity
from .names import CLIENT, GROUP, PASSWORD, SUBSCRIPTION, TENANT, WORKSPACE
from .service import Service


def open_with(auth: Any) -> str:
    from azureml.core import Workspace

    return Workspace.get(WORKSPACE, auth=auth, subscription_id=SUBSCRIPTION, resource_group=GROUP).name


def test_a_service_principal_logs_in(azure: Service) -> None:
    from azureml.core.authentication import ServicePrincipalAuthentication

    assert open_with(ServicePrincipalAuthentication(TENANT, CLIENT, PASSWORD)) == WORKSPACE


def test_a_managed_identity_logs_in(azure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from azureml.core.authentication import MsiAuthentication

    for name, value in managed_identity(azure).items():
        monkeypatch.setenv(name, value)
    assert open_with(MsiAuthentication()) == WORKSPACE


def test_a_federated_token_logs_in(azure: Service) -> None:
    from azure.identity import ClientAssertionCredential
    from azureml.core.authentication import TokenAuthentication

    credential = ClientAssertionCredential(TENANT, CLIENT, lambda: "token.of.github")

    def token(audience: object) -> str:
        return credential.get_token("https://management.azure.com/.default").token

    assert open_with(TokenAuthentication(token)) == WORKSPACE


def test_nobody_is_asked_to_log_in_by_hand(azure: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TENANT_ID", "ID", "PASSWORD"):
        monkeypatch.delenv(f"AZUREML_SERVICE_PRINCIPAL_{name}")
    monkeypatch.setenv("BROWSER", "/bin/false")
    with pytest.raises(Exception, match="device flow"):
        open_with(None)
    assert len(azure.requests.matching("POST", "devicecode")) >= 1
