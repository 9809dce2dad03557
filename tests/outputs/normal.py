"""Replace what differs between two takes of the same code: times, identifiers, paths."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# An underscore may follow, as in the id of a step's run.
_RUN = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}(?![0-9a-zA-Z])")
_GUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![0-9a-zA-Z])", re.IGNORECASE)
_HASH = re.compile(r"\b[0-9a-f]{32,64}(?![0-9a-zA-Z])")
# Of this century, so that a schedule that begins in the next one shows its own times.
_ISO = re.compile(r"\b20\d\d-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?")
_DATE = re.compile(r"\b((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?20\d\d-\d\d-\d\d \d\d:\d\d(:\d\d)?")
_SPAN = re.compile(r"\b\d+ h \d+ min\b|\b\d+ min( \d+ s)?\b|\b\d+(\.\d+)? s\b")
_PORT = re.compile(r"\b127\.0\.0\.1:\d+")
# A process and a moment, in the name of a file.
_STAMP = re.compile(r"\b\d+-\d{10,}\b")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# The place of a function in the package is not behavior.
_FRAME = re.compile(r'File "REPOSITORY/azml_tasks/[^"]*", line \d+')
# A table's columns are as wide as what was replaced in them.
_PADDED = re.compile(r"^.*\b(?:RUN|ID)\d+\b.*$|^.*\b(?:TIME|DATE)\b.*$|^RUN  .*$|^STEP  .*$", re.MULTILINE)
_REPLACED = ((_HASH, "HASH"), (_ISO, "TIME"), (_DATE, "DATE"), (_SPAN, "TIME"), (_PORT, "HOST"), (_STAMP, "STAMP"))
_CLOCK = 1_000_000_000
"""Numbers from here on are seconds since 1970, or a part of them."""


class Normal:
    """Replaces paths by names, and numbers runs and other identifiers in the order in which they are first seen."""

    def __init__(self, paths: Mapping[str, str]) -> None:
        """`paths` holds the name of each path; a longer one is replaced first."""
        self._paths = sorted(paths.items(), key=lambda item: -len(item[0]))
        self._names: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def original(self, name: str) -> str:
        """Return the identifier that was replaced by a name such as RUN1; the name itself when there is none."""
        return next((identifier for identifier, given in self._names.items() if given == name), name)

    def text(self, text: str) -> str:
        for path, name in self._paths:
            text = text.replace(path, name)
        text = _FRAME.sub('File "PACKAGE"', text)
        text = _RUN.sub(lambda found: self._name("RUN", found[0]), text)
        text = _GUID.sub(lambda found: self._name("ID", found[0].lower()), text)
        for pattern, name in _REPLACED:
            text = pattern.sub(name, text)
        text = _CONTROL.sub(lambda found: repr(found[0])[1:-1], text)
        return _PADDED.sub(lambda found: re.sub(r"(?<=\S) {2,}", "  ", found[0]), text)

    def json(self, value: Any) -> Any:
        """Return a document with its texts and the numbers that are times replaced."""
        if isinstance(value, dict):
            return {self.text(key): self.json(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.json(item) for item in value]
        if isinstance(value, str):
            return self.text(value)
        return "TIME" if isinstance(value, (int, float)) and value > _CLOCK else value

    def content(self, name: str, content: bytes) -> str:
        """Return what a file of this name holds, as lines to compare."""
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError:
            return f"({len(content)} bytes)"
        lines = [text] if name.endswith(".json") else text.splitlines() if name.endswith(".jsonl") else []
        try:
            documents = [json.loads(line) for line in lines if line.strip()]
        except ValueError:
            documents = []
        if not documents:
            return self.text(text)
        return "\n".join(json.dumps(self.json(document), indent=1, ensure_ascii=False) for document in documents)

    def _name(self, kind: str, identifier: str) -> str:
        if identifier not in self._names:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._names[identifier] = f"{kind}{self._counts[kind]}"
        return self._names[identifier]
