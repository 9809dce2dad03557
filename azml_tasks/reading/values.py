"""Turn a tree into plain data: replace variables from the environment and .env, and reject literal secrets."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.plan import PlanProblem
from azml_tasks.reading.messages import described
from azml_tasks.reading.syntax import KeyPath, plain_scalar, written_scalar
from azml_tasks.reading.tree import Node
from azml_tasks.secrets import holds_secret, is_secret, made_up_secrets, redact, secret_or_copy_in
from azml_tasks.text import shortened

if TYPE_CHECKING:
    from dotenv.parser import Original

# `${{ ... }}` is Azure's own, for pipeline parameters, and stays as it is.
_PATTERN = r"\$\$|\$\{(?!\{)(?P<body>[^}]*)(?P<end>\}?)"
_BODY = r"(?s)(?P<name>[A-Za-z_][A-Za-z0-9_]*)(:-(?P<default>.*))?"

# A word like `$NAME` outside of what may be a regular expression or a command.
_SHELL_STYLE = re.compile(r"(?<![^\s/:=,;@'\"])\$([A-Za-z_][A-Za-z0-9_]*)(?![^\s/:=,;@'\".-])")
_OF_PATTERNS = re.compile(r"[\\^()\[\]|*?`]")

_MOST = 1_000_000
_LONGEST_LINE = 30_000
_NOT_A_VARIABLE = "this line is not NAME=value; check for an unclosed quote or a space in the name"


class VariableError(ValueError):
    """A `${` that is not followed by a name and a closing brace."""


class Resolved(NamedTuple):
    """A text with its variables replaced; `missing` are those that were not set."""

    text: str
    used: tuple[str, ...]
    missing: tuple[str, ...]


def read_variables(directory: Path) -> dict[str, str]:
    """Return the environment's variables, over those of `.env` in the directory.

    Raises ProjectError if it cannot be read or has invalid lines.
    """
    file = directory / ".env"
    if not file.is_file():
        return dict(os.environ)
    from dotenv.parser import parse_stream  # not dotenv_values, which logs errors and continues

    try:
        # `$` in a value is not a variable: a secret may contain one. There may be a byte-order mark first.
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(_MOST + 1)
    except OSError as error:
        raise ProjectError([Problem(file.name, 0, f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ProjectError([Problem(file.name, 0, "the file is not UTF-8; save it as UTF-8")]) from None
    if len(text) > _MOST:
        raise ProjectError([Problem(file.name, 0, f"the file is longer than {_MOST:,} characters")])
    for number, line in enumerate(text.split("\n"), start=1):
        # The time that a line of blanks takes to read grows with the square of its length.
        if len(line) > _LONGEST_LINE:
            message = f"this line is longer than {_LONGEST_LINE:,} characters"
            raise ProjectError([Problem(file.name, number, message)])
    bindings = list(parse_stream(io.StringIO(text)))
    # Never show the text: it may be a secret.
    broken = [Problem(file.name, _first_line(item.original), _NOT_A_VARIABLE) for item in bindings if item.error]
    if broken:
        raise ProjectError(broken)
    return {**{item.key: item.value for item in bindings if item.key and item.value is not None}, **os.environ}


def _first_line(original: Original) -> int:
    # The parsed text includes the empty lines above it.
    text = original.string
    return original.line + text[: len(text) - len(text.lstrip())].count("\n")


def resolve(text: str, variables: Mapping[str, str]) -> Resolved:
    """Replace the variables of a text; unset and empty ones are kept as written.

    As in a shell, `${VAR:-default}` is the default if VAR is unset or empty. Raises VariableError.
    """
    used: list[str] = []
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        body = re.fullmatch(_BODY, match["body"])
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

    return Resolved(re.sub(_PATTERN, value, text), tuple(used), tuple(missing))


def _no_variable(written: str) -> str:
    shown = shortened(written, 40)
    if ":-" in written and "${" in written[2:]:
        return f"'{shown}': a default cannot contain a variable"
    return f"'{shown}' is not a variable: write ${{NAME}} or ${{NAME:-default}}, and $$ for a dollar sign"


REMEDY = 'keep it in .env and in the workspace\'s key vault, and read it in the script with run.get_secret("NAME")'
LOGIN_OF_AN_INDEX = (
    "write the URL without the login: on Azure ML, store the login in a workspace connection "
    "(Workspace.set_connection); "
    "on this machine PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment, pip.conf or .netrc"
)
# Azure's syntax, unless `$$` makes it a dollar sign.
_PARAMETER = r"(?<!\$)\$\{\{"
_SECRET_KEYS = frozenset(("account_key", "sas_token"))


class Missing(NamedTuple):
    """An unset variable in the file."""

    path: KeyPath
    line: int
    variable: str


@dataclass
class Values:
    """The data of a tree, with the problems found.

    `findings` are the places with invalid text, which is kept, `notes` those with `$NAME`. A value with variables is
    text if it is in quotes, else of the type it looks like; `otherwise` has the alternative. `filled` are the variables
    of each value with some.
    """

    root: Node
    variables: Mapping[str, str]
    findings: list[tuple[KeyPath, str]] = field(default_factory=list)
    notes: list[tuple[KeyPath, str]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    otherwise: dict[KeyPath, Any] = field(default_factory=dict)
    filled: dict[KeyPath, tuple[str, ...]] = field(default_factory=dict)
    data: Any = None

    def __post_init__(self) -> None:
        self.data = self._value(self.root, ())

    def line(self, path: KeyPath) -> int:
        """Return the line of the deepest key along the path in the file."""
        return self.root.line_of(path)

    def _value(self, node: Node, path: KeyPath) -> Any:
        value = node.value
        if isinstance(value, dict):
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, (*path, place)) for place, item in enumerate(value)]
        if isinstance(value, str) and not _is_secret(path):
            return self._without_secret(path, self._text(node, value, path) if "$" in value else value)
        return written_scalar(node.text) if node.text and _is_passed_as_text(path) else value

    @cached_property
    def _secrets(self) -> dict[str, str]:
        return made_up_secrets(self.variables)

    def _without_secret(self, path: KeyPath, value: Any) -> Any:
        """Return the value without what looks like a secret."""
        if not isinstance(value, str):
            return value
        kind = secret_or_copy_in(value, self._secrets, str(path[-1]) if path else "")
        if kind is None:
            return value
        self.findings.append((path, _literal_sentence(path, kind)))
        return redact(value, self._secrets.values())

    def _text(self, node: Node, text: str, path: KeyPath) -> Any:
        if re.search(_PARAMETER, text) and not _is_argument(path):
            self.findings.append((path, "${{ ... }} is a pipeline parameter, which is allowed only in arguments"))
            return text
        try:
            resolved = resolve(text, self.variables)
        except VariableError as error:
            self.findings.append((path, str(error)))
            return text
        for name in () if _OF_PATTERNS.search(text) else dict.fromkeys(_SHELL_STYLE.findall(text)):
            # One that is not set is probably meant, too, if it is the whole value.
            if name in self.variables or (text == f"${name}" and name.isupper()):
                self.notes.append((path, _shell_style_sentence(name, self.variables.get(name, ""), path)))
        secrets = [variable for variable in resolved.used if is_secret(variable, self.variables.get(variable, ""))]
        if secrets:
            # Kept as written, so that no later message can show the secret.
            self.findings += ((path, _secret_sentence(variable, path)) for variable in secrets)
            return text
        self.missing += (Missing(path, node.line, variable) for variable in resolved.missing)
        if not resolved.used or resolved.missing:
            return resolved.text
        self.filled[path] = tuple(name for name in dict.fromkeys(resolved.used) if self.variables.get(name))
        typed = (written_scalar if _is_passed_as_text(path) else plain_scalar)(resolved.text)
        value, self.otherwise[path] = (typed, resolved.text) if node.plain else (resolved.text, typed)
        return value


def _shell_style_sentence(variable: str, value: str, path: KeyPath) -> str:
    owner, key = described(path)
    place = f"{owner}: {key}" if owner else key
    meant = _read_in_script(variable) if is_secret(variable, value) else f"write ${{{variable}}}"
    remedy = f"{meant}, or write $${variable} for this text"
    return f"{place}: '${variable}' is not replaced by the value of {variable}; {remedy}"


def _secret_sentence(variable: str, path: KeyPath) -> str:
    stored = f"${{{variable}}} looks like a secret and would be stored with the run"
    if _names_packages(path):
        return f"{stored}; {LOGIN_OF_AN_INDEX}"
    return f"{stored}; {_read_in_script(variable)}"


def _read_in_script(variable: str) -> str:
    return f"read it in the script with run.get_secret('{variable}')"


def _literal_sentence(path: KeyPath, kind: str) -> str:
    owner, key = described(path)
    place = f"{owner}: {key}" if owner else key
    remedy = LOGIN_OF_AN_INDEX if _names_packages(path) else REMEDY
    return f"{place} looks like a secret ({kind}) and would be stored with each run; {remedy}"


def _names_packages(path: KeyPath) -> bool:
    return path[:1] == ("environments",) and path[2:3] in (("pip_packages",), ("conda_packages",))


def _is_argument(path: KeyPath) -> bool:
    return path[:1] + path[2:3] == ("steps", "arguments")


def _is_passed_as_text(path: KeyPath) -> bool:
    return _is_argument(path) or path[:1] == ("pipeline_parameters",)


def _is_secret(path: KeyPath) -> bool:
    return len(path) == 3 and path[0] == "datastores" and path[2] in _SECRET_KEYS


# A pipeline parameter's value is checked at its default.
_PARAMETER_START = "${{"


def literal_secrets(pipeline: Pipeline) -> Iterator[PlanProblem]:
    """Find texts whose keys look like secrets: settings, arguments, variables, pipeline parameters."""
    for key, step in pipeline.steps.items():
        place = ("steps", key)
        yield from _in_value((*place, "step_config"), step.step_config)
        if isinstance(step.arguments, Mapping):
            yield from _in_value((*place, "arguments"), step.arguments)
        else:
            yield from _in_arguments((*place, "arguments"), step.arguments)
        yield from _in_value((*place, "environment_variables"), step.environment_variables)
    yield from _in_value(("pipeline_parameters",), pipeline.pipeline_parameters)
    for name, environment in pipeline.environments.items():
        yield from _in_value(("environments", name, "environment_variables"), environment.environment_variables)


def secret_notes(pipeline: Pipeline) -> Iterator[PlanProblem]:
    """Yield a note on each of them, with what to do."""
    for found in literal_secrets(pipeline):
        yield PlanProblem(found.path, f"{found.message}; {REMEDY}")


def _in_value(path: KeyPath, value: Any, name: str = "") -> Iterator[PlanProblem]:
    """Check a value; items of a list are checked with the list's key."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _in_value((*path, key), item, key)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from _in_value((*path, place), item, name)
    elif isinstance(value, str) and _PARAMETER_START not in value and holds_secret(name, value):
        yield _finding(path, ".".join(map(str, path[2:] if path[0] != "pipeline_parameters" else path)))


def _in_arguments(path: KeyPath, arguments: Any) -> Iterator[PlanProblem]:
    """Check a list of arguments: `--password`, and the value in it or after it."""
    words = [word if isinstance(word, str) and _PARAMETER_START not in word else "" for word in arguments]
    for place, (before, word) in enumerate(pairwise(["", *words])):
        flag, equals, value = word.partition("=") if word.startswith("-") else (before, "=", word)
        if equals and flag.startswith("-") and holds_secret(flag, value):
            yield _finding((*path, place), f"the argument {flag}")


def _finding(path: KeyPath, label: str) -> PlanProblem:
    owner, _ = described(path)
    prefix = f"{owner}: " if owner else ""
    return PlanProblem(path, f"{prefix}{label} looks like a secret and would be stored with each run")
