"""`${VAR}` and `${VAR:-default}`: values from the environment and from .env."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# `${{ ... }}` is Azure's own, for pipeline parameters, and stays as it is.
_PATTERN = re.compile(r"\$\$|\$\{(?!\{)(?P<body>[^}]*)(?P<end>\}?)")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)


class VariableError(ValueError):
    """A `${` that is not followed by a name and a closing brace."""


@dataclass(frozen=True)
class Resolved:
    """A text after its variables were filled in; `missing` names those that were not set."""

    text: str
    used: tuple[str, ...]
    missing: tuple[str, ...]


def read_variables(directory: Path) -> dict[str, str]:
    """Return the environment's variables, over those of `.env` in the directory."""
    file = directory / ".env"
    if not file.is_file():
        return dict(os.environ)
    from dotenv import dotenv_values

    # Without `$` in front of a value's variables being filled in: a secret may hold one.
    values = dotenv_values(file, interpolate=False, encoding="utf-8")
    return {**{name: value for name, value in values.items() if value is not None}, **os.environ}


def resolve(text: str, variables: Mapping[str, str]) -> Resolved:
    """Fill in the variables of a text; those that are not set stay as they are written.

    As in a shell, `${VAR:-default}` takes the default when VAR is unset or empty. Raises VariableError.
    """
    used: list[str] = []
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        body = _BODY.fullmatch(match["body"])
        if not body or not match["end"]:
            raise VariableError(
                f"{match[0]!r} is no variable: write ${{NAME}} or ${{NAME:-default}}, and $$ for a dollar"
            )
        name, default = body["name"], body["default"]
        used.append(name)
        found = variables.get(name)
        if default is not None:
            return found or default
        if found is None:
            missing.append(name)
            return match[0]
        return found

    return Resolved(_PATTERN.sub(value, text), tuple(used), tuple(missing))
