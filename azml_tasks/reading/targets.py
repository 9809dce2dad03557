"""Merge a target's keys over those of the file."""

from __future__ import annotations

import os

from azml_tasks.errors import did_you_mean, listed
from azml_tasks.reading.sentences import shown
from azml_tasks.reading.tree import Node, TreeError

# Read by Invoke, as `azml.target` of its configuration.
_VARIABLE = "INVOKE_AZML_TARGET"


def targets_of(root: Node) -> list[str]:
    """Return the names of the file's targets; raises TreeError for what is no target."""
    assert isinstance(root.value, dict)
    targets = root.value.get("targets")
    if targets is None or targets.value is None:
        return []
    if not isinstance(targets.value, dict):
        raise TreeError(
            root.key_lines["targets"],
            f"targets: expected names, each with keys of this file below it, found {shown(targets.value)}",
        )
    for name, node in targets.value.items():
        if node.value is None:
            continue
        if not isinstance(node.value, dict):
            raise TreeError(
                targets.key_lines[name], f"target '{name}': expected keys of this file, found {shown(node.value)}"
            )
        if "targets" in node.value:
            raise TreeError(node.key_lines["targets"], f"target '{name}': a target holds no targets of its own")
    return list(targets.value)


def apply_target(root: Node, target: str | None) -> Node:
    """Return the tree without `targets`, the chosen target's keys merged over it.

    Mappings merge key by key; everything else, lists too, is replaced. Raises TreeError for an unknown target.
    """
    assert isinstance(root.value, dict)
    targets = root.value.get("targets")
    known = targets.value if targets and isinstance(targets.value, dict) else {}
    base = Node({key: node for key, node in root.value.items() if key != "targets"}, root.line, root.key_lines)
    if target is None:
        return base
    if target not in known:
        has = f"it has {listed(known)}" if known else "it has no targets"
        # Nobody typed it, then; where Invoke's files name it, nothing here can tell.
        asked = f", and {_VARIABLE} asks for it" if os.environ.get(_VARIABLE) == target else ""
        raise TreeError(
            root.key_lines.get("targets", 1),
            f"'{target}' is not a target of this file{asked}: {has}{did_you_mean(target, known)}",
        )
    over = known[target]
    return base if over.value is None else merge(base, over)


_NOTHING = Node(None, 0)


def merge(base: Node, over: Node) -> Node:
    """Return `base` with `over` deep-merged over it; each value keeps the line where it is written.

    A key of `over` with nothing behind it takes that key away.
    """
    if not isinstance(over.value, dict):
        return over
    values = dict(base.value) if isinstance(base.value, dict) else {}
    lines = dict(base.key_lines)
    for key, node in over.value.items():
        if node.value is None:
            values.pop(key, None)
            continue
        values[key] = merge(values.get(key, _NOTHING), node)
        lines[key] = over.key_lines[key]
    return Node(values, over.line, lines)
