"""Secrets: the environment and .env stand for the workspace's key vault."""

from __future__ import annotations

import os

from . import reads, records
from .context import did_you_mean, require_context
from .errors import UserErrorException, is_in_job, refuses
from .formats.surroundings import read_env_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from .protocols import SomeWorkspace


@refuses("set_secret", "set_secrets", "delete_secret", "delete_secrets", "list_secrets", "get_secret_content_type")
class Keyvault:
    """The workspace's key vault."""

    def __init__(self, workspace: SomeWorkspace) -> None:
        self.workspace = workspace

    def get_secret(self, name: str) -> str:
        """Return a secret's value from the environment or .env; `db-key` is looked up as DB_KEY too.

        In a job of Azure ML v2 it is one of a key vault.
        """
        if is_in_job():
            from .vault import read_secret

            return read_secret(name)
        values = _values()
        value = _find(name, values)
        if value is None:
            variable = _variable(name)
            hint = did_you_mean(variable, values)
            raise UserErrorException(f"no secret {name!r}: set {variable} in .env or the environment{hint}")
        return value

    def get_secrets(self, secrets: Iterable[str]) -> dict[str, str | None]:
        """Return the values by name; None for a missing one."""
        if is_in_job():
            from .vault import read_secrets

            return read_secrets(secrets)
        values = _values()
        return {name: _find(name, values) for name in secrets}


def _find(name: str, values: dict[str, str]) -> str | None:
    reads.secret(name)
    value = values.get(name, values.get(_variable(name)))
    if value is not None:
        records.hide(value)
    return value


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()


@reads.quietly
def _values() -> dict[str, str]:
    return {**read_env_file(require_context("get_secret").env_file), **os.environ}
