"""Which distributions provide a module, and what the packages of every run bring with them; see packages.json."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from azml_tasks.packages import normal_name


@cache
def _data() -> Mapping[str, Any]:
    content: Mapping[str, Any] = json.loads(Path(__file__).with_name("packages.json").read_text(encoding="utf-8"))
    return content


def packages_of(module: str) -> tuple[str, ...]:
    """Return the distributions that provide a module, the one to suggest first; for an unknown one, that of its name.

    Of a module in a namespace, such as `azure.storage.blob`, the full name counts; if it is unknown, there are none.
    """
    modules = _data()["modules"]
    parts = module.split(".")
    for end in range(len(parts), 0, -1):
        if found := modules.get(".".join(parts[:end])):
            return tuple(found)
    name = parts[0].strip("_") or parts[0]  # Else pip would take `-name` for an option.
    return () if is_namespace(module) else (normal_name(name) if name.islower() else name,)


def is_namespace(module: str) -> bool:
    """Return whether several distributions share the first part of the module's name."""
    return module.partition(".")[0] in _data()["namespaces"]


def is_known_package(module: str) -> bool:
    """Return whether a module is known to come from a package of the index."""
    return module in _data()["modules"] or module in _data()["same"]


def pip_name(conda_package: str) -> str:
    """Return the name on the package index of a package that conda calls otherwise."""
    name = normal_name(conda_package)
    return str(_data()["conda"].get(name, name))


def brought_by(packages: Iterable[str]) -> frozenset[str]:
    """Return the distributions that come with packages of every run."""
    return frozenset(name for package in packages for name in _data()["brings"].get(package, ()))
