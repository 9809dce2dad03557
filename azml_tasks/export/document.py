"""The text of a YAML file as a person would write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from azml_tasks.reading.scalars import plain_scalar

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
        """Write what stands in two places twice."""
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
