"""The names that v2 takes, made of those of pipeline.yaml."""

from __future__ import annotations

import keyword
import re

from azml_tasks.model.base import is_unresolved
from azml_tasks.model.names import identifier

# What a schedule's name is made of, and a data asset's (letters, digits, underscores, dashes; the latter dots too).
_OTHERS_IN_SCHEDULE = re.compile(r"[^A-Za-z0-9_-]+")
_OTHERS_IN_ASSET = re.compile(r"[^A-Za-z0-9_.-]+")


class Names:
    """Names of which each is given once; what differs in case alone counts as the same."""

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
    """Return what v2 can call the job of a step, and its component.

    Both are lower-case identifiers, and a component's starts with a letter (azure-ai-ml, `is_valid_node_name` and
    `ComponentNameStr`).
    """
    name = identifier(key).lower().strip("_")
    if not name[:1].isalpha():
        name = f"step_{name}" if name else "step"
    return f"{name}_" if keyword.iskeyword(name) else name


def schedule_name(name: str) -> str:
    """Return what v2 can call a schedule."""
    return _OTHERS_IN_SCHEDULE.sub("-", name).strip("-_") or "schedule"


def asset_name(name: str) -> str:
    """Return what v2 can call a data asset, and what any name can be called as a file."""
    return _OTHERS_IN_ASSET.sub("-", name)


def or_placeholder(stated: str, name: str) -> str:
    """Return v2's name for what pipeline.yaml states, or that text itself where it has a variable that is not set."""
    return stated if is_unresolved(stated) else name
