"""Tree -> plain data: variables filled in, each value's place remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from azml_tasks.reading.scalars import plain_scalar
from azml_tasks.reading.tree import Node
from azml_tasks.reading.variables import VariableError, resolve
from azml_tasks.secrets import is_secret_name

Path = tuple[str | int, ...]

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

    `texts` holds, for a value typed after its variables were filled in, the same value as text.
    """

    root: Node
    variables: Mapping[str, str]
    findings: list[tuple[int, str]] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    texts: dict[Path, str] = field(default_factory=dict)
    data: Any = None

    def __post_init__(self) -> None:
        self.data = self._value(self.root, ())

    def line(self, path: Path) -> int:
        """Return the line of the deepest key along the path that the file holds."""
        node, line = self.root, self.root.line
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                line = node.key_lines[str(part)]
                node = node.value[part]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.line
            else:
                continue
        return line

    def _value(self, node: Node, path: Path) -> Any:
        if isinstance(node.value, dict):
            return {key: self._value(item, (*path, key)) for key, item in node.value.items()}
        if isinstance(node.value, list):
            return [self._value(item, (*path, place)) for place, item in enumerate(node.value)]
        if isinstance(node.value, str) and "$" in node.value and not _is_secret(path):
            return self._text(node, path)
        return node.value

    def _text(self, node: Node, path: Path) -> Any:
        assert isinstance(node.value, str)
        try:
            resolved = resolve(node.value, self.variables)
        except VariableError as error:
            self.findings.append((node.line, str(error)))
            return node.value
        for variable in filter(is_secret_name, resolved.used):
            self.findings.append((node.line, _secret_sentence(variable)))
        self.missing += (
            Missing(path, node.line, variable) for variable in resolved.missing if not is_secret_name(variable)
        )
        if not node.plain or not resolved.used or resolved.missing:
            return resolved.text
        self.texts[path] = resolved.text
        return plain_scalar(resolved.text)


def _secret_sentence(variable: str) -> str:
    return (
        f"${{{variable}}} looks like a secret, and what stands here is stored with the run; "
        f"a script reads it with run.get_secret('{variable}')"
    )


def _is_secret(path: Path) -> bool:
    return len(path) == 3 and path[0] == "datastores" and path[2] in _SECRET_KEYS
