"""Detect secrets: variables and keys by name, texts by shape, files by name or content."""

from azml_tasks.secrets.files import looks_secret
from azml_tasks.secrets.names import (
    holds_secret,
    is_secret,
    is_secret_name,
    known_secrets,
    made_up_secrets,
    secret_or_copy_in,
    without_secrets,
)
from azml_tasks.secrets.texts import HIDDEN, STORAGE_KEY, redact, secret_in, secrets_found

__all__ = [
    "HIDDEN",
    "STORAGE_KEY",
    "holds_secret",
    "is_secret",
    "is_secret_name",
    "known_secrets",
    "looks_secret",
    "made_up_secrets",
    "redact",
    "secret_in",
    "secret_or_copy_in",
    "secrets_found",
    "without_secrets",
]
