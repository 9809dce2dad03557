"""Secrets: the environment and .env stand for the workspace's key vault."""

from __future__ import annotations

import os

from . import records
from .context import did_you_mean, here
from .errors import UserErrorException
from .refusals import refuses


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
    value = values.get(name, values.get(_variable(name)))
    if value is not None:
        records.hide(value)
    return value


def _variable(name: str) -> str:
    return name.replace("-", "_").upper()


def _values() -> dict[str, str]:
    return {**_read(here("get_secret").env_file), **os.environ}


def _read(path: str | None) -> dict[str, str]:
    """Return the variables of a .env file: NAME=value, quotes and comments as dotenv reads them."""
    if not path or not os.path.isfile(path):
        return {}
    with open(path, encoding="utf-8-sig") as file:
        pairs = [_pair(line) for line in file]
    return dict(pair for pair in pairs if pair)


def _pair(line: str) -> tuple[str, str] | None:
    name, equals, value = line.strip().partition("=")
    name = name.removeprefix("export ").strip()
    if not equals or not name or name.startswith("#"):
        return None
    value = value.strip()
    quote = value[:1]
    if quote in ("'", '"') and (end := _closing(value, quote)):
        inner = value[1:end]
        return name, _unescaped(inner) if quote == '"' else inner.replace("\\'", "'")
    return name, value.split(" #")[0].rstrip()


def _closing(value: str, quote: str) -> int:
    """Return where the quoted text ends; 0 when it does not."""
    position = 1
    while position < len(value):
        if value[position] == "\\":
            position += 1
        elif value[position] == quote:
            return position
        position += 1
    return 0


def _unescaped(text: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    parts, characters = [], iter(text)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            parts.append(escapes.get(following, following))
        else:
            parts.append(character)
    return "".join(parts)
