"""Tell files that look like secrets, which no snapshot carries."""

from __future__ import annotations

import fnmatch
import os

_NAMES = (
    ".env",
    ".env.*",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".pgpass",
    ".pypirc",
    "*.jks",
    "*.kdbx",
    "*.key",
    "*.keystore",
    "*.p12",
    "*.pem",
    "*.pfx",
    "*.ppk",
    "client_secret*.json",
    "credentials",
    "credentials.json",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "secrets.json",
    "secrets.toml",
    "secrets.yaml",
    "secrets.yml",
    "service_account*.json",
    "service-account*.json",
)
_HARMLESS = (".env.example", ".env.sample", ".env.template", ".env.dist")


def looks_secret(path: str) -> bool:
    """Say whether the file's name, or for a .pem its content, is that of a secret.

    Raises OSError.
    """
    name = os.path.basename(path).lower()
    if name in _HARMLESS or not any(fnmatch.fnmatchcase(name, pattern) for pattern in _NAMES):
        return False
    return not (name.endswith(".pem") and _holds_certificates_alone(path))


def _holds_certificates_alone(path: str) -> bool:
    with open(path, "rb") as file:
        content = file.read(1_000_000)
    return b"-----BEGIN CERTIFICATE-----" in content and b"PRIVATE KEY" not in content
