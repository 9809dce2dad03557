"""Registered models and datasets, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Literal

from azml_tasks.runs.show import local_time, table, value_text
from azml_tasks.secrets import without_secrets
from azml_tasks.text import one_line, shortened

JSON_VERSION = 1
AssetKind = Literal["model", "dataset"]
# Characters of the tags in a row, however narrow the terminal.
_NARROWEST = 12


@dataclass(frozen=True)
class Asset:
    """A version of a registered model or dataset; `version` is None for a dataset of the file that is not registered.

    On Azure ML v2 it may be any text. `created` is in seconds since the epoch, `kind` is `tabular` or `file` for
    datasets (on v2 the type of the data asset), `source` is the run that registered it, with its step, if known, and
    `place` its path on this machine.
    """

    name: str
    version: int | str | None
    created: float | None = None
    kind: str = ""
    source: str = ""
    tags: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""

    @property
    def number(self) -> int:
        """Its version, for comparisons; 0 for one that is not a number."""
        return self.version if isinstance(self.version, int) else 0


def version_of(text: object) -> int | str:
    """Return a version of Azure: a number, except where v2 was given another text."""
    return int(str(text)) if str(text).isdecimal() else str(text)


def latest(assets: Iterable[Asset]) -> list[Asset]:
    """Return the latest version of each, in their order."""
    found: dict[str, Asset] = {}
    for asset in assets:
        known = found.get(asset.name)
        if known is None or asset.number > known.number:
            found[asset.name] = asset
    return list(found.values())


def asset_lines(assets: Sequence[Asset], width: int = 80) -> Iterator[str]:
    """Yield a table with its head, in so many columns as far as names allow; empty columns are left out."""
    rows = [("NAME", "VERSION", "KIND", "REGISTERED", "BY", "TAGS")]
    for asset in assets:
        shown = {name: without_secrets(name, tag) for name, tag in asset.tags.items()}
        tags = ", ".join(name if tag in (None, "") else f"{name}={value_text(tag)}" for name, tag in shown.items())
        version = "-" if asset.version is None else str(asset.version)
        name, source = one_line(asset.name), one_line(asset.source)
        rows.append((name, version, one_line(asset.kind), local_time(asset.created), source, one_line(tags)))
    kept = [place for place in range(5) if place < 2 or any(row[place] for row in rows[1:])]
    taken = sum(max(len(row[place]) for row in rows) + 2 for place in kept)
    room = max(_NARROWEST, width - taken)
    has_tags = any(row[5] for row in rows[1:])
    yield from table(
        (*(row[place] for place in kept), *([shortened(row[5], room)] if has_tags else [])) for row in rows
    )


def as_json(kind: AssetKind, assets: Iterable[Asset]) -> str:
    """Return them as a JSON object with a version."""
    values = [
        {
            "name": asset.name,
            "version": asset.version,
            "registered": asset.created and datetime.fromtimestamp(asset.created, timezone.utc).isoformat(),
            **({"kind": asset.kind or None} if kind == "dataset" else {}),
            "by": asset.source or None,
            "tags": without_secrets("", dict(asset.tags)),
            "path": asset.place or None,
        }
        for asset in assets
    ]
    return json.dumps({"version": JSON_VERSION, f"{kind}s": values}, indent=2, ensure_ascii=False, default=str)
