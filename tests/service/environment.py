"""The environment variables that point the unmodified SDK at the stand-in."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .names import CLIENT, PASSWORD, TENANT

if TYPE_CHECKING:
    from .service import Service


def variables(service: Service, home: Path) -> dict[str, str]:
    """Give the variables; `home` is a folder for what the SDK caches, made here."""
    home.mkdir(parents=True, exist_ok=True)
    bundle = str(service.authority.bundle)
    return {
        "HTTPS_PROXY": service.proxy.address,
        "https_proxy": service.proxy.address,
        # The native reader of datasets takes the proxy for HTTPS only when this names something.
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "REQUESTS_CA_BUNDLE": bundle,
        "SSL_CERT_FILE": bundle,
        "CURL_CA_BUNDLE": bundle,
        "HOME": str(home),
        "AZURE_CONFIG_DIR": str(home / ".azure"),
        "AZUREML_SERVICE_PRINCIPAL_TENANT_ID": TENANT,
        "AZUREML_SERVICE_PRINCIPAL_ID": CLIENT,
        "AZUREML_SERVICE_PRINCIPAL_PASSWORD": PASSWORD,
    }


def managed_identity(service: Service) -> dict[str, str]:
    """Give the variables of a machine that has a managed identity."""
    return {"MSI_ENDPOINT": f"{service.proxy.address}/msi/token", "MSI_SECRET": "stand-in"}
