"""YAML text -> a tree that remembers lines.

One pass over the parser's events, so that the depth is bounded before anything recurses: PyYAML's own composer,
in C, ends the process at some 40,000 nested brackets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path as File

import yaml

from azml_tasks.reading.scalars import plain_scalar
from azml_tasks.reading.syntax import place_and_sentence

MOST_DEPTH = 100
MOST_NODES = 200_000
MOST_BYTES = 5_000_000
MOST_CHARACTERS = 20_000_000
LONGEST_KEY = 500
_TOO_DEEP = f"nested more than {MOST_DEPTH} deep, which no pipeline needs"

Path = tuple[str | int, ...]

_MAP_TAG = "tag:yaml.org,2002:map"
_SEQ_TAG = "tag:yaml.org,2002:seq"
_STR_TAG = "tag:yaml.org,2002:str"

# What YAML takes as an escape and nothing else can: a program's argument, a path or a file's text.
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class TreeError(ValueError):
    """The text is no YAML that we take; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(message)


class Node:
    """A value and the line where it starts.

    `value` is a scalar, a list of nodes, or a mapping of key to node; `key_lines` holds the lines of a mapping's keys.
    `plain` tells a scalar without quotes, `text` how a number is written, `size` how many values the node holds with
    itself, `length` how many characters their texts have, `height` how deep they are nested.
    """

    __slots__ = ("height", "key_lines", "length", "line", "plain", "size", "text", "value")

    def __init__(self, value: object, line: int, key_lines: dict[str, int] | None = None, plain: bool = False) -> None:
        self.value = value
        self.line = line
        self.key_lines = _NO_KEYS if key_lines is None else key_lines
        self.plain = plain
        self.text = ""
        self.size = 1
        self.length = len(value) if isinstance(value, str) else 0
        self.height = 0

    def hold(self, inner: Node) -> None:
        """Count a value that the node holds."""
        self.size += inner.size
        self.length += inner.length
        if inner.height >= self.height:
            self.height = inner.height + 1

    def line_of(self, path: Path) -> int:
        """Return the line of the deepest key along the path that is there."""
        node, line = self, self.line
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                line = node.key_lines[str(part)]
                node = node.value[part]
            elif isinstance(node.value, list) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.line
            else:
                break
        return line


_NO_KEYS: dict[str, int] = {}


def read_text(file: File) -> str:
    """Return the text of a file that is not too large.

    Raises TreeError.
    """
    try:
        # One byte more than is taken: what is too large is not read to its end.
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise TreeError(0, f"cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise TreeError(0, f"is larger than {MOST_BYTES // 1_000_000} MB, which no pipeline needs")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TreeError(line, "is not UTF-8; save the file in that encoding") from None


def parse_tree(text: str) -> Node:
    """Read one YAML document.

    Raises TreeError for what is no YAML, a key that stands twice, a tag, nesting deeper than MOST_DEPTH,
    and more than MOST_NODES values or MOST_CHARACTERS in texts, which aliases unfold to or which the text holds.
    """
    try:
        return _Composer(text).document()
    except yaml.MarkedYAMLError as error:
        line, sentence = place_and_sentence(text, error)
        # libyaml reads ahead of its events, and since 0.2.6 takes no more than 1,000 levels.
        raise TreeError(line, _TOO_DEEP if "nesting depth" in (error.problem or "") else sentence) from None
    except yaml.reader.ReaderError as error:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        character = found[0] if found else error.character
        raise TreeError(line, f"holds the character {character!r}, which YAML does not take") from None


class _Composer:
    def __init__(self, text: str) -> None:
        self.events: Iterator[yaml.Event] = yaml.parse(text, Loader=_Loader)
        self.anchors: dict[str, Node] = {}
        self.depth = 0
        self.values = 0
        self.characters = 0

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
            node = self._scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            return self._unfolded(event)
        else:
            assert isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent))
            self.depth += 1
            self._check_depth(event, self.depth)
            node = self._mapping(event) if isinstance(event, yaml.MappingStartEvent) else self._sequence(event)
            self.depth -= 1
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _unfolded(self, event: yaml.AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            raise TreeError(
                _line(event),
                f"*{event.anchor}: no &{event.anchor} stands above; put a text that starts with * in quotes",
            )
        node = self.anchors[event.anchor]
        self._check_depth(event, self.depth + node.height)
        self._count(event, node.size, node.length)
        return node

    def _check_depth(self, event: yaml.Event, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise TreeError(_line(event), _TOO_DEEP)

    def _count(self, event: yaml.Event, values: int, characters: int = 0) -> None:
        self.values += values
        self.characters += characters
        if self.values > MOST_NODES or self.characters > MOST_CHARACTERS:
            most = f"{MOST_NODES:,} values" if self.values > MOST_NODES else f"{MOST_CHARACTERS:,} characters"
            raise TreeError(_line(event), f"the file holds more than {most}, each alias counted as what it stands for")

    def _scalar(self, event: yaml.ScalarEvent) -> Node:
        text = self._text(event)
        # The C parser gives '' for the style of a plain scalar, the Python one None.
        if event.style or event.tag is not None:
            return Node(text, _line(event))
        node = Node(plain_scalar(text), _line(event), plain=True)
        if isinstance(node.value, (int, float)):
            node.text = text
        return node

    def _text(self, event: yaml.ScalarEvent) -> str:
        if event.tag not in (None, "!", _STR_TAG):
            raise _tagged(event)
        self._count(event, 1)
        text: str = event.value
        if event.style and (found := _NO_TEXT.search(text)):
            raise TreeError(_line(event), f"the escape for {found[0]!r} stands for no character of a text")
        return text

    def _sequence(self, start: yaml.SequenceStartEvent) -> Node:
        if start.tag not in (None, "!", _SEQ_TAG):
            raise _tagged(start)
        self._count(start, 1)
        items: list[Node] = []
        node = Node(items, _line(start))
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item = self._node(event)
            items.append(item)
            node.hold(item)
        return node

    def _mapping(self, start: yaml.MappingStartEvent) -> Node:
        if start.tag not in (None, "!", _MAP_TAG):
            raise _tagged(start)
        self._count(start, 1)
        items: dict[str, Node] = {}
        node = Node(items, _line(start), {})
        merged: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            value = self._node(next(self.events))
            node.hold(value)
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
            braces = isinstance(event, yaml.MappingStartEvent) and event.flow_style
            remedy = "; a pipeline parameter is written '${{ parameters.NAME }}'" if braces else ""
            raise TreeError(_line(event), f"a key is one word or text, not a list or a mapping{remedy}")
        # A key is a name: `no`, `on`, `null` and `1` are the texts that stand there.
        key = self._text(event)
        if len(key) > LONGEST_KEY:
            raise TreeError(_line(event), f"a key of {len(key):,} characters; keys are names, of {LONGEST_KEY} at most")
        if event.anchor:
            self.anchors[event.anchor] = self._scalar(event)
        return key


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


def _tagged(event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> TreeError:
    tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
    return TreeError(_line(event), f"the tag {tag} is not taken; leave it out, or quote a text that starts with !")


def _line(event: yaml.Event) -> int:
    return int(event.start_mark.line) + 1 if event.start_mark else 1
