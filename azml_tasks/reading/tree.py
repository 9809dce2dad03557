"""Parse YAML text into a tree with line numbers.

One pass over the parser's events, so that the depth is bounded before anything recurses: PyYAML's own composer,
in C, ends the process at some 40,000 nested brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path as File

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from azml_tasks.reading.syntax import KeyPath, Loader, place_and_sentence, plain_scalar, with_space
from azml_tasks.text import shortened

MOST_DEPTH = 100
MOST_NODES = 200_000
MOST_BYTES = 5_000_000
MOST_CHARACTERS = 20_000_000
LONGEST_KEY = 500
_TOO_DEEP = f"nested more than {MOST_DEPTH} levels deep"

_MAP_TAG = "tag:yaml.org,2002:map"
_SEQ_TAG = "tag:yaml.org,2002:seq"
_STR_TAG = "tag:yaml.org,2002:str"

# Characters that YAML allows as escapes, but that arguments, paths and text files cannot contain.
_NO_TEXT = "[\x00\ud800-\udfff]"

_VARIABLE = r"\$\{\{[^}\n]*\}\}|\$\{[^}\n]*\}"


class TreeError(ValueError):
    """The YAML text is invalid or not supported; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(message)


class Node:
    """A value and the line where it starts.

    `value` is a scalar, a list of nodes, or a mapping of key to node; `key_lines` holds the lines of a mapping's keys.
    `plain` marks a scalar without quotes, `text` is a number as written, `size` counts the values in the node including
    itself, `length` the characters of their texts, `height` the nesting depth.
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
        """Count a value of the node."""
        self.size += inner.size
        self.length += inner.length
        if inner.height >= self.height:
            self.height = inner.height + 1

    def line_of(self, path: KeyPath) -> int:
        """Return the line of the deepest existing key along the path; a text selects the equal item of a list."""
        node, line = self, self.line
        for part in path:
            if isinstance(node.value, dict) and part in node.value:
                line = node.key_lines[str(part)]
                node = node.value[part]
            elif isinstance(node.value, list) and (item := _item(node.value, part)):
                node = item
                line = node.line
            else:
                break
        return line


_NO_KEYS: dict[str, int] = {}


def _item(items: list[Node], part: str | int) -> Node | None:
    """Return the item of a list at a place, or with a value; None if there is none."""
    if isinstance(part, int):
        return items[part] if part < len(items) else None
    return next((item for item in items if item.value == part), None)


def read_text(file: File) -> str:
    """Return the text of a file that is not too large.

    Raises TreeError.
    """
    try:
        # One byte more than allowed: a file that is too large is not read to its end.
        with file.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as error:
        raise TreeError(0, f"cannot be read: {error.strerror}") from None
    if len(raw) > MOST_BYTES:
        raise TreeError(0, f"the file is larger than {MOST_BYTES // 1_000_000} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise TreeError(line, "the file is not UTF-8; save it as UTF-8") from None


def parse_tree(text: str) -> Node:
    """Read one YAML document.

    Raises TreeError for invalid YAML, a duplicate key, a tag, nesting deeper than MOST_DEPTH, and more than MOST_NODES
    values or MOST_CHARACTERS in texts, counted after expanding aliases.
    """
    try:
        return _Composer(text).document()
    except yaml.MarkedYAMLError as error:
        line, sentence = place_and_sentence(text, error)
        # libyaml reads ahead of its events, and since 0.2.6 allows at most 1,000 levels.
        raise TreeError(line, _TOO_DEEP if "nesting depth" in (error.problem or "") else sentence) from None
    except yaml.reader.ReaderError as error:
        found = yaml.reader.Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) + 1 if found else 1
        character = found[0] if found else error.character
        raise TreeError(line, f"this line contains the character {character!r}, which YAML does not allow") from None


class _Composer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.next: Callable[[], Event | None] = Loader(text).get_event
        self.anchors: dict[str, Node] = {}
        self.depth = 0
        self.values = 0
        self.characters = 0

    def document(self) -> Node:
        root = Node(None, 1)
        documents = 0
        while event := self.next():
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise TreeError(
                        _line(event), "the file contains a second YAML document (a line `---`); only one is allowed"
                    )
                root = self._node(self.next())
        return root

    def _node(self, event: Event | None) -> Node:
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, AliasEvent):
            return self._unfolded(event)
        else:
            assert isinstance(event, (MappingStartEvent, SequenceStartEvent))
            self.depth += 1
            self._check_depth(event, self.depth)
            node = self._mapping(event) if isinstance(event, MappingStartEvent) else self._sequence(event)
            self.depth -= 1
        if event.anchor:
            self.anchors[event.anchor] = node
        return node

    def _unfolded(self, event: AliasEvent) -> Node:
        if event.anchor not in self.anchors:
            raise TreeError(
                _line(event),
                f"*{event.anchor}: no &{event.anchor} above; put text that starts with * in quotes",
            )
        node = self.anchors[event.anchor]
        self._check_depth(event, self.depth + node.height)
        self._count(event, node.size, node.length)
        return node

    def _check_depth(self, event: Event, depth: int) -> None:
        if depth > MOST_DEPTH:
            raise TreeError(_line(event), _TOO_DEEP)

    def _count(self, event: Event, values: int, characters: int = 0) -> None:
        self.values += values
        self.characters += characters
        if self.values > MOST_NODES or self.characters > MOST_CHARACTERS:
            most = f"{MOST_NODES:,} values" if self.values > MOST_NODES else f"{MOST_CHARACTERS:,} characters"
            raise TreeError(_line(event), f"the file contains more than {most}, with each alias expanded")

    def _scalar(self, event: ScalarEvent) -> Node:
        text = self._text(event)
        # The C parser gives '' for the style of a plain scalar, the Python one None.
        if event.style or event.tag is not None:
            return Node(text, _line(event))
        node = Node(plain_scalar(text), _line(event), plain=True)
        if isinstance(node.value, (int, float)):
            node.text = text
        return node

    def _text(self, event: ScalarEvent) -> str:
        if event.tag is not None and event.tag not in ("!", _STR_TAG):
            raise _tagged(event)
        self._count(event, 1)
        text: str = event.value
        if event.style and (found := re.search(_NO_TEXT, text)):
            raise TreeError(_line(event), f"the escape for {found[0]!r} is not a text character")
        return text

    def _sequence(self, start: SequenceStartEvent) -> Node:
        if start.tag not in (None, "!", _SEQ_TAG):
            raise _tagged(start)
        self._count(start, 1)
        items: list[Node] = []
        node = Node(items, _line(start))
        while not isinstance(event := self.next(), SequenceEndEvent):
            item = self._node(event)
            items.append(item)
            node.hold(item)
        return node

    def _mapping(self, start: MappingStartEvent) -> Node:
        if start.tag not in (None, "!", _MAP_TAG):
            raise _tagged(start)
        self._count(start, 1)
        items: dict[str, Node] = {}
        node = Node(items, _line(start), {})
        merged: list[Node] = []
        while not isinstance(event := self.next(), MappingEndEvent):
            scalar = self._key(event)
            key, after = scalar.value, self.next()
            if start.flow_style and isinstance(after, ScalarEvent) and self._has_no_colon(scalar, after):
                self._refuse_as_meant(scalar)
            value = self._node(after)
            node.hold(value)
            if key == "<<" and not scalar.style:
                merged.append(value)
                continue
            if key in items:
                first = node.key_lines[key]
                raise TreeError(_line(scalar), f"duplicate key '{key}' (first on line {first})")
            items[key] = value
            node.key_lines[key] = _line(scalar)
        for value in merged:
            _merge(node, value)
        return node

    def _has_no_colon(self, key: ScalarEvent, value: ScalarEvent) -> bool:
        """Return whether a key without quotes has neither a colon nor a value, as in `{a}`."""
        if value.value or key.style or value.style or not (key.end_mark and value.start_mark):
            return False
        return ":" not in self.text[key.end_mark.index : value.start_mark.index]

    def _refuse_as_meant(self, event: ScalarEvent) -> None:
        """Raise TreeError if a key without a colon seems to be a key and a value."""
        key: str = event.value
        meant = with_space(key)
        if not meant:
            return
        if meant.endswith("$") and event.end_mark:
            variable = re.compile(_VARIABLE).match(self.text, event.end_mark.index - 1)
            text = variable[0] if variable else "${VARIABLE}"
            key, meant = key[:-1] + text, f'{meant[:-1]}"{text}"'
        raise TreeError(_line(event), f"'{shortened(key)}': a space is missing after the colon: write {meant}")

    def _key(self, event: Event | None) -> ScalarEvent:
        """Return the event of a key: a name, so that `no`, `on`, `null` and `1` are texts."""
        assert event
        if isinstance(event, AliasEvent):
            raise TreeError(_line(event), "an alias cannot be a key")
        if not isinstance(event, ScalarEvent):
            braces = isinstance(event, MappingStartEvent) and event.flow_style
            remedy = "; write a pipeline parameter as '${{ parameters.NAME }}'" if braces else ""
            raise TreeError(_line(event), f"a key must be text, not a list or a mapping{remedy}")
        key = self._text(event)
        if len(key) > LONGEST_KEY:
            raise TreeError(_line(event), f"this key has {len(key):,} characters; the limit is {LONGEST_KEY}")
        if event.anchor:
            self.anchors[event.anchor] = self._scalar(event)
        return event


def _merge(node: Node, value: Node) -> None:
    """Apply a merge key (`<<: *defaults`); keys of the mapping itself have priority."""
    sources = value.value if isinstance(value.value, list) else [value]
    for source in sources:
        if not isinstance(source.value, dict):
            raise TreeError(value.line, "`<<` must be a mapping or a list of mappings")
        assert isinstance(node.value, dict)
        for key, item in source.value.items():
            if key not in node.value:
                node.value[key] = item
                node.key_lines[key] = source.key_lines[key]


def _tagged(event: ScalarEvent | CollectionStartEvent) -> TreeError:
    tag = str(event.tag).replace("tag:yaml.org,2002:", "!!")
    return TreeError(
        _line(event), f"the tag {tag} is not supported; remove it, or put text that starts with ! in quotes"
    )


def _line(event: Event) -> int:
    mark = event.start_mark
    return mark.line + 1 if mark else 1
