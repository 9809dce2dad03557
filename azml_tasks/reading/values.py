"""Tree -> plain data: variables filled in, each value's place remembered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azml_tasks.reading.scalars import plain_scalar, written_scalar
from azml_tasks.reading.sentences import described
from azml_tasks.reading.tree import Node, Path
from azml_tasks.reading.variables import VariableError, resolve
from azml_tasks.secrets import is_secret, redact, secret_in

REMEDY = 'keep it in .env and in the workspace\'s key vault, and let the script read it with run.get_secret("NAME")'
LOGIN_OF_AN_INDEX = (
    "write the bare address: on Azure ML a workspace connection (Workspace.set_connection) holds the login, "
    "on this machine PIP_INDEX_URL or PIP_EXTRA_INDEX_URL in the environment, pip.conf or .netrc"
)
# Azure's own, unless `$$` makes the dollar a plain one.
_PARAMETER = re.compile(r"(?<!\$)\$\{\{")
_SECRET_KEYS = frozenset(("account_key", "sas_token"))


@dataclass(frozen=True)
class Missing:
    """A variable that the file names and that is not set."""

    path: Path
    line: int
    variable: str


@dataclass
class Values:
    """The data of a tree, and what was found on the way.

    `findings` hold the places whose text is no use; they keep it as it is written. A value with variables is text
    when it stands in quotes, else what it looks like; `otherwise` holds the other of the two.
    """

    root: Node
    variables: Mapping[str, str]
    findings: list[tuple[Path, str]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    otherwise: dict[Path, Any] = field(default_factory=dict)
    data: Any = None

    def __post_init__(self) -> None:
        self.data = self._value(self.root, ())

    def line(self, path: Path) -> int:
        """Return the line of the deepest key along the path that the file holds."""
        return self.root.line_of(path)

    def _value(self, node: Node, path: Path) -> Any:
        value = node.value
        if isinstance(value, dict):
            return {key: self._value(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, (*path, place)) for place, item in enumerate(value)]
        if isinstance(value, str) and not _is_secret(path):
            return self._without_secret(path, self._text(node, value, path) if "$" in value else value)
        return written_scalar(node.text) if node.text and _is_passed_as_text(path) else value

    def _without_secret(self, path: Path, value: Any) -> Any:
        """Return the value, less what has the shape of a secret."""
        kind = secret_in(value, str(path[-1]) if path else "") if isinstance(value, str) else None
        if kind is None:
            return value
        self.findings.append((path, _literal_sentence(path, kind)))
        return redact(value)

    def _text(self, node: Node, text: str, path: Path) -> Any:
        if _PARAMETER.search(text) and not _is_argument(path):
            self.findings.append((path, "${{ ... }} stands for a pipeline parameter, which only arguments take"))
            return text
        try:
            resolved = resolve(text, self.variables)
        except VariableError as error:
            self.findings.append((path, str(error)))
            return text
        secrets = [variable for variable in resolved.used if is_secret(variable, self.variables.get(variable, ""))]
        if secrets:
            # Left as it is written, so that no later sentence can show the secret.
            self.findings += ((path, _secret_sentence(variable, path)) for variable in secrets)
            return text
        self.missing += (Missing(path, node.line, variable) for variable in resolved.missing)
        if not resolved.used or resolved.missing:
            return resolved.text
        typed = (written_scalar if _is_passed_as_text(path) else plain_scalar)(resolved.text)
        value, self.otherwise[path] = (typed, resolved.text) if node.plain else (resolved.text, typed)
        return value


def _secret_sentence(variable: str, path: Path) -> str:
    stored = f"${{{variable}}} looks like a secret, and what stands here is stored with the run"
    if _names_packages(path):
        return f"{stored}; {LOGIN_OF_AN_INDEX}"
    return f"{stored}; a script reads it with run.get_secret('{variable}')"


def _literal_sentence(path: Path, kind: str) -> str:
    owner, key = described(path)
    place = f"{owner}: {key}" if owner else key
    remedy = LOGIN_OF_AN_INDEX if _names_packages(path) else REMEDY
    return f"{place} looks like a secret ({kind}), and what stands here is stored with each run; {remedy}"


def _names_packages(path: Path) -> bool:
    return path[:1] == ("environments",) and path[2:3] in (("pip_packages",), ("conda_packages",))


def _is_argument(path: Path) -> bool:
    return path[:1] + path[2:3] == ("steps", "arguments")


def _is_passed_as_text(path: Path) -> bool:
    return _is_argument(path) or path[:1] == ("pipeline_parameters",)


def _is_secret(path: Path) -> bool:
    return len(path) == 3 and path[0] == "datastores" and path[2] in _SECRET_KEYS
