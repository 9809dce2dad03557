"""YAML text -> a tree that remembers lines.

One pass over the parser's events, so that the depth is bounded before anything recurses: PyYAML's own composer,
in C, ends the process at some 40,000 nested brackets.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from azml_tasks.reading.scalars import plain_scalar

MOST_DEPTH = 100
MOST_NODES = 200_000
MOST_BYTES = 5_000_000

_MAP_TAG = "tag:yaml.org,2002:map"
_SEQ_TAG = "tag:yaml.org,2002:seq"
_STR_TAG = "tag:yaml.org,2002:str"

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TreeError(ValueError):
    """The text is no YAML that we take; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(message)


@dataclass
class Node:
    """A value and the line where it starts.

    `value` is a scalar, a list of nodes, or a mapping of key to node; `key_lines` holds the lines of a mapping's keys.
    """

    value: object
    line: int
    plain: bool = False
    key_lines: dict[str, int] = field(default_factory=dict)
    size: int = 1


def parse_tree(text: str) -> Node:
    """Read one YAML document.

    Raises TreeError for what is no YAML, a key that stands twice, a tag, nesting deeper than MOST_DEPTH,
    and aliases that unfold to more than MOST_NODES values.
    """
    try:
        return _Composer(text).document()
    except yaml.MarkedYAMLError as error:
        raise TreeError(_line_of(error), _sentence(text, error)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TreeError(line, f"the character {error.character!r} is not allowed in YAML") from None


def _line_of(error: yaml.MarkedYAMLError) -> int:
    mark = error.problem_mark or error.context_mark
    return mark.line + 1 if mark else 1


def _sentence(text: str, error: yaml.MarkedYAMLError) -> str:
    lines = text.splitlines()
    line = _line_of(error)
    indent = lines[line - 1][: -len(lines[line - 1].lstrip()) or None] if 0 < line <= len(lines) else ""
    if "\t" in indent or (error.problem and "'\\t'" in error.problem):
        return "YAML takes no tabs for indentation; use spaces"
    problem = error.problem or "this is no YAML"
    context = f" {error.context}" if error.context else ""
    return f"this is no YAML: {problem}{context}"


class _Composer:
    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
        self.anchors: dict[str, Node] = {}
        self.depth = 0

    def document(self) -> Node:
        root = Node(None, 1)
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise TreeError(_line(event), "the file holds a second YAML document (a line `---`); it takes one")
                root = self._node(next(self.events))
        return root

    def _node(self, event: yaml.Event) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._anchored(event, self._scalar(event))
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise TreeError(_line(event), f"*{event.anchor} refers to an anchor that is not defined above")
            return self.anchors[event.anchor]
        assert isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent))
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise TreeError(_line(event), f"nested more than {MOST_DEPTH} deep")
        node = self._mapping(event) if isinstance(event, yaml.MappingStartEvent) else self._sequence(event)
        self.depth -= 1
        if node.size > MOST_NODES:
            raise TreeError(node.line, f"holds more than {MOST_NODES:,} values (aliases counted as often as used)")
        return self._anchored(event, node)

    def _anchored(self, event: yaml.NodeEvent, node: Node) -> Node:
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        if event.tag not in (None, "!", _STR_TAG):
            raise TreeError(_line(event), f"the tag {event.tag} is not taken; write the value plainly")
        # The C parser gives '' for the style of a plain scalar, the Python one None.
        plain = not event.style and event.tag is None
        return Node(plain_scalar(event.value) if plain else event.value, _line(event), plain)

    def _sequence(self, start: yaml.SequenceStartEvent) -> Node:
        _check_tag(start, _SEQ_TAG)
        items: list[Node] = []
        node = Node(items, _line(start))
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event))
            node.size += items[-1].size
        return node

    def _mapping(self, start: yaml.MappingStartEvent) -> Node:
        _check_tag(start, _MAP_TAG)
        items: dict[str, Node] = {}
        node = Node(items, _line(start))
        merged: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            value = self._node(next(self.events))
            node.size += value.size
            if key == "<<" and isinstance(event, yaml.ScalarEvent) and not event.style:
                merged.append(value)
                continue
            if key in items:
                first = node.key_lines[key]
                raise TreeError(_line(event), f"the key '{key}' stands twice; the first is in line {first}")
            items[key] = value
            node.key_lines[key] = _line(event)
        for value in merged:
            _merge(node, value)
        return node

    def _key(self, event: yaml.Event) -> str:
        if isinstance(event, yaml.AliasEvent):
            raise TreeError(_line(event), "an alias cannot be a key")
        if not isinstance(event, yaml.ScalarEvent):
            raise TreeError(_line(event), "a key is one word or text, not a list or a mapping")
        node = self._anchored(event, self._scalar(event))
        # A key is a name: `no`, `on`, `null` and `1` are the texts that stand there.
        return event.value if not isinstance(node.value, str) else node.value


def _merge(node: Node, value: Node) -> None:
    """Apply a merge key (`<<: *defaults`), whose values stand behind those of the mapping itself."""
    sources = value.value if isinstance(value.value, list) else [value]
    for source in sources:
        if not isinstance(source.value, dict):
            raise TreeError(value.line, "`<<` takes a mapping, or a list of mappings")
        assert isinstance(node.value, dict)
        for key, item in source.value.items():
            if key not in node.value:
                node.value[key] = item
                node.key_lines[key] = source.key_lines[key]


def _check_tag(event: yaml.CollectionStartEvent, usual: str) -> None:
    if event.tag not in (None, "!", usual):
        raise TreeError(_line(event), f"the tag {event.tag} is not taken; write the value plainly")


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1
