"""Store in a run's properties what it was started from, and read it again.

The properties `azml_tasks.*` are for people and filters; `azml_tasks.record.N` hold all of it, compressed, in pieces of
the size that the service takes.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

from azml_tasks.runs.origin import Origin, Provenance

_PREFIX = "azml_tasks."
_PIECE = f"{_PREFIX}record."
# The service's limits: characters of a value, and with room for its own properties the number of them.
_LONGEST = 1000
_MOST_PIECES = 24
# Larger records are not read: nothing that was written here is.
_MOST_BYTES = 1 << 20

Facts = tuple[Origin, dict[str, Any], Provenance]


def properties_of(origin: Origin, settings: Mapping[str, Any], provenance: Provenance) -> dict[str, str]:
    """Return the properties of a run; of a record that is too large without packages, files and settings."""
    code = provenance.code
    shown = {
        "version": provenance.release,
        "target": origin.target,
        "command": " ".join(origin.command),
        "commit": code.commit if code else "",
        "branch": code.branch if code else "",
        "uncommitted": code.dirty if code else "",
    }
    found = {f"{_PREFIX}{name}": text[:_LONGEST] for name, text in shown.items() if text}
    without_files = {key: step._replace(files={}) for key, step in provenance.steps.items()}
    attempts: Iterable[tuple[Mapping[str, Any], Provenance]] = (
        (settings, provenance),
        (settings, provenance._replace(steps=without_files)),
        ({}, provenance._replace(steps=without_files, environments={})),
        ({}, provenance._replace(steps={}, environments={})),
    )
    for kept, smaller in attempts:
        pieces = _packed({"origin": origin._asdict(), "settings": kept, "provenance": smaller.to_json()})
        if len(pieces) <= _MOST_PIECES:
            return found | {f"{_PIECE}{place}": piece for place, piece in enumerate(pieces)}
    return found


def _packed(values: Mapping[str, Any]) -> list[str]:
    text = json.dumps(values, separators=(",", ":"), ensure_ascii=False, default=list)
    packed = base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), 9)).decode()
    return [packed[start : start + _LONGEST] for start in range(0, len(packed), _LONGEST)]


def facts_in(properties: Mapping[str, str]) -> Facts:
    """Return the origin, the settings and the provenance that a run's properties hold; empty without any."""
    values = _unpacked(properties)
    origin = values.get("origin")
    settings = values.get("settings")
    provenance = Provenance.from_json(values.get("provenance"))
    return _origin(origin), settings if isinstance(settings, dict) else {}, provenance


def _unpacked(properties: Mapping[str, str]) -> dict[str, Any]:
    pieces: list[str] = []
    while isinstance(piece := properties.get(f"{_PIECE}{len(pieces)}"), str):
        pieces.append(piece)
    try:
        packed = base64.b64decode("".join(pieces), validate=True)
        unpacker = zlib.decompressobj()
        values = json.loads(unpacker.decompress(packed, _MOST_BYTES))
    except (ValueError, binascii.Error, zlib.error, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _origin(values: Any) -> Origin:
    if not isinstance(values, dict):
        return Origin()
    return Origin(str(values.get("target", "")), _texts(values.get("command")), _texts(values.get("changes")))


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
