"""Add a step to the text of a pipeline.yaml without changing anything else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading.project import FILE_NAME
from azml_tasks.reading.tree import Node, TreeError, parse_tree
from azml_tasks.text import what_there_is

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# YAML 1.1 and 1.2 together.
_WORDS = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


def add_step(text: str, key: str, fields: Sequence[str], after: str | None = None) -> str:
    """Return the text with the step `key` added after the step `after`, by default after the last.

    `fields` are the lines of the step, without their indentation. Raises ProjectError if the step already exists,
    `after` does not, or `steps` is written in braces.
    """
    try:
        root = parse_tree(text)
    except TreeError as error:
        raise ProjectError([Problem(FILE_NAME, error.line, error.message)]) from None
    steps = _steps(root)
    keys = list(steps.key_lines)
    if key in steps.key_lines:
        raise _problem(steps.key_lines[key], f"step '{key}' already exists")
    behind = after or keys[-1]
    if behind not in steps.key_lines:
        raise _problem(root.key_lines["steps"], f"the file has no step '{behind}'{what_there_is(behind, keys)}")
    lines = text.splitlines(keepends=True)
    start = steps.key_lines[behind] - 1
    indent = _indent(lines[start])
    inner = _inner_indent(lines, steps, indent)
    ending = _ending(lines[start]) or "\n"
    place = _end_of_block(lines, start, _next_key(root, steps, start, len(lines)), len(indent))
    if not _ending(lines[place - 1]):
        lines[place - 1] += ending
    lines[place:place] = [f"{indent}{scalar(key)}:{ending}", *(f"{inner}{field}{ending}" for field in fields)]
    edited = "".join(lines)
    _check(root, edited, key, behind)
    return edited


def scalar(text: str) -> str:
    """Write a text as a YAML scalar, with quotes where a reader could interpret it differently."""
    text = text.replace("$", "$$")
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)


def _problem(line: int, message: str) -> ProjectError:
    return ProjectError([Problem(FILE_NAME, line, message)])


def _steps(root: Node) -> Node:
    steps: Node | None = root.value.get("steps") if isinstance(root.value, dict) else None
    if steps is None or not isinstance(steps.value, dict) or not steps.value:
        raise _problem(0, "has no steps to add one to")
    assert isinstance(root.value, dict)
    if root.key_lines["steps"] in steps.key_lines.values() or len(set(steps.key_lines.values())) < len(steps.value):
        raise _problem(steps.line, "steps is written in braces; write each step on its own lines to add one")
    return steps


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]


def _inner_indent(lines: Sequence[str], steps: Node, indent: str) -> str:
    """Return the indentation of the keys of steps in this file."""
    assert isinstance(steps.value, dict)
    for key, step in steps.value.items():
        for line in step.key_lines.values():
            inner = _indent(lines[line - 1])
            if line > steps.key_lines[key] and len(inner) > len(indent):
                return inner
    return indent + "  "


def _next_key(root: Node, steps: Node, start: int, last: int) -> int:
    """Return the first line after `start` with a key of the file or of a step, or the end of the file."""
    behind = (line - 1 for line in (*root.key_lines.values(), *steps.key_lines.values()) if line - 1 > start)
    return min(behind, default=last)


def _end_of_block(lines: Sequence[str], start: int, end: int, width: int) -> int:
    """Return the index after the last line of the block that starts on line `start`.

    A comment belongs to it when it is indented more than the block's key.
    """
    for place in range(end - 1, start, -1):
        line = lines[place]
        is_comment = line.lstrip().startswith("#") and len(_indent(line)) <= width
        if line.strip() and not is_comment and not line.startswith("..."):
            return place + 1
    return start + 1


def _check(root: Node, edited: str, key: str, behind: str) -> None:
    """Check that the new step is in the right place, and nothing else has changed."""
    before = _plain(root)
    try:
        after = _plain(parse_tree(edited))
    except TreeError:
        after = {"steps": {}}
    keys = list(before["steps"])
    keys.insert(keys.index(behind) + 1, key)
    stands = list(after["steps"]) == keys
    after["steps"].pop(key, None)
    if after != before or not stands:
        raise _problem(
            0, f"the step '{key}' could not be added without changing other parts of the file; add it by hand"
        )


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(value) for key, value in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(value) for value in node.value]
    # As texts, because two readings of `.nan` are not equal as numbers.
    return repr(node.value)
