"""Secrets: the environment and .env stand for the workspace's key vault."""

from __future__ import annotations

import os
import re

from . import reads, records
from .context import did_you_mean, here
from .errors import UserErrorException
from .refusals import refuses

_ASSIGNMENT = re.compile(
    r"""^[^\S\n]*(?:export[^\S\n]+)?(?P<name>[^=\#\s'"]+)[^\S\n]*=[^\S\n]*
    (?:'(?P<single>(?:\\'|[^'])*)'|"(?P<double>(?:\\"|[^"])*)"|(?P<bare>[^\n]*))""",
    re.MULTILINE | re.VERBOSE,
)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


@refuses("set_secret", "set_secrets", "delete_secret", "delete_secrets", "list_secrets", "get_secret_content_type")
class Keyvault:
    """The workspace's key vault."""

    def __init__(self, workspace):
        self.workspace = workspace

    def get_secret(self, name):
        """Return a secret's value from the environment or .env; `db-key` is looked up as DB_KEY too."""
        values = _values()
        value = _find(name, values)
        if value is None:
            variable = _variable(name)
            hint = did_you_mean(variable, values)
            raise UserErrorException(f"there is no secret {name!r}: set {variable} in .env or the environment{hint}")
        return value

    def get_secrets(self, secrets):
        """Return the values by name; None for one that is not there."""
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
    return {**read_env_file(here("get_secret").env_file), **os.environ}


def read_env_file(path: str | None) -> dict[str, str]:
    """Return the variables of a .env file: NAME=value, quotes, escapes and comments as dotenv reads them."""
    if not path or not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8-sig") as file:
        text = file.read()
    return {match["name"]: _value(match) for match in _ASSIGNMENT.finditer(text)}


def _value(match: re.Match) -> str:
    if match["single"] is not None:
        return re.sub(r"\\(['\\])", r"\1", match["single"])
    if match["double"] is not None:
        return re.sub(r"\\([\\'\"abfnrtv])", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["double"])
    return re.sub(r"\s+#.*", "", match["bare"]).rstrip()
