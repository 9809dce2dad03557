"""Write readable YAML files with names that are valid in v2."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from azml_tasks.model.base import is_unresolved
from azml_tasks.model.names import identifier
from azml_tasks.reading.syntax import plain_scalar

_SCHEMAS = "https://azuremlschemas.azureedge.net/latest/"


class Lines(str):
    """A text of words with a space between, shown as so many lines; a YAML reader sees the spaces again."""

    lines: tuple[str, ...]

    def __new__(cls, lines: Iterable[str]) -> Lines:
        """Make the text of its lines."""
        lines = tuple(lines)
        made = super().__new__(cls, " ".join(lines))
        made.lines = lines
        return made


def document(schema: str, content: Mapping[str, Any]) -> bytes:
    """Return a file that starts with its `$schema`; keys stay in their order, and what is None is left out."""
    return plain_document({"$schema": f"{_SCHEMAS}{schema}.schema.json", **content})


def plain_document(content: Mapping[str, Any]) -> bytes:
    """Return a YAML file without a `$schema`, such as conda's."""
    text = yaml.dump(
        _stated(content), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1_000_000, line_break="\n"
    )
    return str(text).encode()


def _stated(value: Any) -> Any:
    """Return the value without the keys of its mappings that have None, all the way down."""
    if isinstance(value, Mapping):
        return {key: _stated(item) for key, item in value.items() if item is not None}
    if isinstance(value, (list, tuple)):
        return [_stated(item) for item in value]
    return value


class _Dumper(yaml.SafeDumper):
    """Writes lists indented, long texts unbroken, and quotes what a reader of either YAML would take for no text."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent the items of lists too."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write repeated values in full, without aliases."""
        return True

    def write_folded(self, text: str) -> None:
        """Write a folded scalar, with the breaks where its lines end."""
        assert isinstance(text, Lines)
        self.write_indicator(">-", True)
        self.write_line_break()
        for line in text.lines:
            self.write_indent()
            self.stream.write(line)
            self.column += len(line)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None
    if not all(line.isprintable() for line in text.split("\n")):
        style = '"'  # with escapes: other controls and line ends do not survive the other styles
    elif "\n" in text:
        style = "|"
    elif not isinstance(plain_scalar(text), str):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _lines(dumper: _Dumper, text: Lines) -> yaml.ScalarNode:
    if all(line.isprintable() and line == line.strip() for line in text.lines):
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=">")
    return _text(dumper, str(text))


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Lines, _lines)


# What a schedule's name is made of, and a data asset's (letters, digits, underscores, dashes; the latter dots too).
_OTHERS_IN_SCHEDULE = re.compile(r"[^A-Za-z0-9_-]+")
_OTHERS_IN_ASSET = re.compile(r"[^A-Za-z0-9_.-]+")


class Names:
    """Unique names; names that differ only in case count as the same."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def give(self, wanted: str) -> str:
        """Return the wanted name, with a number behind it where it is taken."""
        name, number = wanted, 1
        while name.casefold() in self._given:
            number += 1
            name = f"{wanted}_{number}"
        self._given.add(name.casefold())
        return name


def job_name(key: str) -> str:
    """Return a valid v2 name for the job of a step and its component.

    Both are lower-case identifiers, and a component's starts with a letter (azure-ai-ml, `is_valid_node_name` and
    `ComponentNameStr`).
    """
    name = identifier(key).lower().strip("_")
    if not name[:1].isalpha():
        name = f"step_{name}" if name else "step"
    return f"{name}_" if keyword.iskeyword(name) else name


def schedule_name(name: str) -> str:
    """Return a valid v2 name for a schedule."""
    return _OTHERS_IN_SCHEDULE.sub("-", name).strip("-_") or "schedule"


def asset_name(name: str) -> str:
    """Return a valid v2 name for a data asset, which is also a valid file name."""
    return _OTHERS_IN_ASSET.sub("-", name)


def or_placeholder(stated: str, name: str) -> str:
    """Return the v2 name for a name in pipeline.yaml, or the text itself if it contains an unset variable."""
    return stated if is_unresolved(stated) else name
