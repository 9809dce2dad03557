"""`${VAR}` and `${VAR:-default}`: values from the environment and from .env."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from azml_tasks.errors import Problem, ProjectError, shortened

if TYPE_CHECKING:
    from dotenv.parser import Original

# `${{ ... }}` is Azure's own, for pipeline parameters, and stays as it is.
_PATTERN = re.compile(r"\$\$|\$\{(?!\{)(?P<body>[^}]*)(?P<end>\}?)")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?", re.DOTALL)


_MOST = 1_000_000
_LONGEST_LINE = 30_000


class VariableError(ValueError):
    """A `${` that is not followed by a name and a closing brace."""


@dataclass(frozen=True)
class Resolved:
    """A text after its variables were filled in; `missing` names those that were not set."""

    text: str
    used: tuple[str, ...]
    missing: tuple[str, ...]


def read_variables(directory: Path) -> dict[str, str]:
    """Return the environment's variables, over those of `.env` in the directory.

    Raises ProjectError when that cannot be read, or has lines that set nothing.
    """
    file = directory / ".env"
    if not file.is_file():
        return dict(os.environ)
    from dotenv.parser import parse_stream  # not dotenv_values, which logs what is wrong and goes on

    try:
        # No `$` in a value means a variable here: a secret may hold one. Editors may put a byte-order mark first.
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(_MOST + 1)
    except OSError as error:
        raise ProjectError([Problem(file.name, 0, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ProjectError([Problem(file.name, 0, "is not UTF-8; save the file in that encoding")]) from None
    if len(text) > _MOST:
        raise ProjectError([Problem(file.name, 0, f"is longer than {_MOST:,} characters, which no project needs")])
    for number, line in enumerate(text.split("\n"), start=1):
        # The time that a line of blanks takes to read grows with the square of its length.
        if len(line) > _LONGEST_LINE:
            message = f"is longer than {_LONGEST_LINE:,} characters, which no variable needs"
            raise ProjectError([Problem(file.name, number, message)])
    bindings = list(parse_stream(io.StringIO(text)))
    # Never what stands there: it may be a secret.
    broken = [
        Problem(file.name, _first_line(item.original), "is no NAME=value; is a quote open, or a space in the name?")
        for item in bindings
        if item.error
    ]
    if broken:
        raise ProjectError(broken)
    return {**{item.key: item.value for item in bindings if item.key and item.value is not None}, **os.environ}


def _first_line(original: Original) -> int:
    # What is parsed starts with the empty lines above it.
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")


def resolve(text: str, variables: Mapping[str, str]) -> Resolved:
    """Fill in the variables of a text; those that are not set, or empty, stay as they are written.

    As in a shell, `${VAR:-default}` takes the default when VAR is unset or empty. Raises VariableError.
    """
    used: list[str] = []
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        body = _BODY.fullmatch(match["body"])
        if not body or not match["end"] or "${" in match["body"]:
            raise VariableError(_no_variable(match[0]))
        name, default = body["name"], body["default"]
        used.append(name)
        found = variables.get(name)
        if found:
            return found
        if default is not None:
            return str(default)
        missing.append(name)
        return match[0]

    return Resolved(_PATTERN.sub(value, text), tuple(used), tuple(missing))


def _no_variable(written: str) -> str:
    shown = shortened(written, 40)
    if ":-" in written and "${" in written[2:]:
        return f"'{shown}': a default holds no variable of its own"
    return f"'{shown}' is no variable: write ${{NAME}} or ${{NAME:-default}}, and $$ for a dollar"
