"""The filters that the SDK sends (`azureml/_restclient/_odata`): comparisons joined by and, or, brackets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .message import Refusal

_TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))')
Fields = Mapping[str, Any]
"""What may be compared; names in lower case, `tags/x` and `properties/x` among them."""


def matches(expression: str | None, fields: Fields) -> bool:
    """Say whether the fields satisfy the expression; an empty one takes all."""
    if not expression:
        return True
    reader = _Reader(expression)
    result = reader.any_of()(fields)
    if reader.peek() is not None:
        raise Refusal(400, "BadArgument", f"The filter cannot be read: {expression}")
    return result


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [next(part for part in found if part) for found in _TOKEN.findall(text)]
        self._next = 0

    def peek(self) -> str | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> str:
        token = self.peek()
        if token is None:
            raise Refusal(400, "BadArgument", f"The filter ends too early: {self._text}")
        self._next += 1
        return token

    def any_of(self) -> Callable[[Fields], bool]:
        parts = [self._all_of()]
        while self.peek() == "or":
            self._take()
            parts.append(self._all_of())
        return lambda fields: any(part(fields) for part in parts)

    def _all_of(self) -> Callable[[Fields], bool]:
        parts = [self._one()]
        while self.peek() == "and":
            self._take()
            parts.append(self._one())
        return lambda fields: all(part(fields) for part in parts)

    def _one(self) -> Callable[[Fields], bool]:
        if self.peek() == "(":
            self._take()
            inner = self.any_of()
            if self._take() != ")":
                raise Refusal(400, "BadArgument", f"A bracket is not closed: {self._text}")
            return inner
        name, operator, value = self._take().lower(), self._take(), self._take()
        return lambda fields: _compare(fields.get(name), operator, None if value == "null" else value)


def _compare(actual: Any, operator: str, wanted: str | None) -> bool:
    if operator == "eq":
        return bool(actual == wanted)
    if operator == "ne":
        return bool(actual != wanted)
    if operator in ("gt", "ge", "lt", "le") and actual is not None and wanted is not None:
        order = (actual > wanted) - (actual < wanted)
        return {"gt": order > 0, "ge": order >= 0, "lt": order < 0, "le": order <= 0}[operator]
    return False
