"""The announced retirements, from `announced.json`: sizes of virtual machines, their priority, Pythons, images."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("announced.json")
_PREFIX = re.compile(r"(STANDARD|BASIC)_")
# The base images of Azure ML end with their Ubuntu; a tag or a digest may follow.
_IMAGE = re.compile(r"mcr\.microsoft\.com/azureml/[\w./-]*ubuntu(?P<ubuntu>\d\d\.\d\d)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Retirement:
    """What is retired on a day, what to use instead, where it was announced, and when that was last compared.

    `of_sdk_v1` marks a Python that the SDK v1 needs, so that nothing newer can be used with it.
    """

    what: str
    day: date
    successor: str
    link: str
    as_of: date
    of_sdk_v1: bool = False

    @property
    def source(self) -> str:
        """Where it was announced: `LINK, as of 2026-04-15`."""
        return f"{self.link}, as of {self.as_of}"


# What each pattern of a size starts with.
_LETTERS = re.compile("[A-Z]*")


def of_size(size: str) -> Retirement | None:
    """Return the retirement of a size of virtual machines; None if none is announced.

    The whole name counts, since prefixes are shared: D3_v2 is retired with DS3_v2, and D3_v3 is not.
    """
    name = _PREFIX.sub("", size.strip().upper(), count=1)
    # Patterns take long to compile: only those of the same letters are.
    rows = (row for row in _announced()["vm_sizes"] if name.startswith(_LETTERS.findall(row["pattern"])[0]))
    found = next((row for row in rows if re.fullmatch(row["pattern"], name)), None)
    return _retirement(f"{size} ({found['series']} series)", found) if found else None


def of_priority(priority: str) -> Retirement | None:
    """Return the retirement of a priority of virtual machines in Azure ML; None if none is announced."""
    found = _announced()["vm_priority"].get(priority)
    return _retirement(f"vm_priority: {priority}", found) if found else None


def of_python(version: str, *, on_v2: bool = False) -> Retirement | None:
    """Return the end of life of a Python, by a version such as `3.10` or `3.10.4`; None if it is not known.

    `on_v2` names a successor for Azure ML v2, which is not limited to what the SDK v1 supports.
    """
    short = ".".join(version.split(".")[:2])
    pythons = _announced()["pythons"]
    if short not in pythons:
        return None
    newest = max(pythons, key=lambda name: [*map(int, name.split("."))])
    # The newest that the SDK v1 supports.
    fits_sdk = max((name for name, row in pythons.items() if row.get("of_sdk_v1")), key=lambda name: int(name[2:]))
    is_old = [*map(int, short.split("."))] < [*map(int, fits_sdk.split("."))]
    on_v1 = f"{newest} after moving to SDK v2" if short == fits_sdk else fits_sdk if is_old else newest
    successor = newest if on_v2 else on_v1
    return _retirement(f"Python {short}", {**pythons[short], "successor": successor})


def of_image(image: str) -> Retirement | None:
    """Return the end of support of a base image of Azure ML, by its Ubuntu; None if it is not known."""
    match = _IMAGE.match(image)
    rows = {row["ubuntu"]: row for row in _announced()["images"]}
    found = rows.get(match["ubuntu"]) if match else None
    if found is None:
        return None
    return _retirement(f"Ubuntu {found['ubuntu']}", {**found, "successor": _announced()["image_successor"]})


def _retirement(what: str, row: dict[str, Any]) -> Retirement:
    source = _announced()["sources"][row["source"]]
    return Retirement(
        what,
        date.fromisoformat(row["retires"]),
        row["successor"],
        row.get("link", source["link"]),
        date.fromisoformat(source["as_of"]),
        row.get("of_sdk_v1", False),
    )


@cache
def _announced() -> Any:
    return json.loads(_FILE.read_text(encoding="utf-8"))
