"""All that a step's result depends on, and in what two of them differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from azml_tasks.errors import listed

# Raised when results of older releases must not be reused.
VERSION = 2
_NAMED = 3
_KINDS = {"script": str, "files": dict, "argv": list, "inputs": dict, "environment": dict, "after": dict}
_ENVIRONMENT = {"python": str, "definition": object, "packages": dict, "variables": dict}


@dataclass(frozen=True)
class Fingerprint:
    """What decides whether an earlier result stands in, as JSON values.

    `files` maps the snapshot's files to their SHA-256, `argv` has names in place of folders, `inputs` maps each
    input to the digest of its content and the way it is read, `after` each step that this one runs after without
    reading from it to the run that made its result.
    """

    script: str
    files: Mapping[str, str]
    argv: list[Any]
    inputs: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, Any]
    after: Mapping[str, str]

    @cached_property
    def digest(self) -> str:
        """The SHA-256 over everything."""
        text = json.dumps([VERSION, self.to_json()], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON takes them."""
        return {
            "script": self.script,
            "files": dict(self.files),
            "argv": self.argv,
            "inputs": dict(self.inputs),
            "environment": dict(self.environment),
            "after": dict(self.after),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that `to_json` gave."""
        return cls(**values)


def is_fingerprint(values: Any) -> bool:
    """Say whether that is what `to_json` gives, and not what another release or somebody else has written."""
    return _has(values, _KINDS) and _has(values["environment"], _ENVIRONMENT)


def _has(values: Any, kinds: Mapping[str, type]) -> bool:
    whole = isinstance(values, dict) and values.keys() == kinds.keys()
    return whole and all(isinstance(values[key], kind) for key, kind in kinds.items())


def differences(old: Fingerprint, new: Fingerprint) -> str:
    """Return in a phrase what changed from one to the other; empty when nothing did."""
    return listed(_changes(old, new))


def _changes(old: Fingerprint, new: Fingerprint) -> Iterator[str]:
    if old.script != new.script:
        yield f"its script is now {new.script}"
    yield from _changed_files(old, new)
    yield from _changed_arguments(old.argv, new.argv)
    inputs = _changed_keys(old.inputs, new.inputs)
    if inputs:
        yield f"its {_noun('input', inputs)} {_named(inputs)} changed"
    yield from _changed_environment(old.environment, new.environment)
    after = _changed_keys(old.after, new.after)
    if after:
        yield f"it runs after {_named(after)}, which ran again"


def _changed_files(old: Fingerprint, new: Fingerprint) -> Iterator[str]:
    changed = _changed_keys(old.files, new.files)
    if old.script == new.script and new.script in changed:
        changed.remove(new.script)
        yield f"its script changed ({new.script})"
    changed = [name for name in changed if name not in (old.script, new.script)]
    if changed:
        yield f"{_noun('a file', changed, 'files')} of its snapshot changed ({_named(changed)})"


def _changed_arguments(old: list[Any], new: list[Any]) -> Iterator[str]:
    if old == new:
        return
    if len(old) != len(new):
        yield "its arguments changed"
        return
    names = []
    for place, (before, after) in enumerate(zip(old, new, strict=True)):
        if before == after:
            continue
        if isinstance(before, dict) and isinstance(after, dict) and "config" in before and "config" in after:
            keys = _changed_keys(json.loads(before["config"]), json.loads(after["config"]))
            yield f"its step_config changed ({_named(keys)})" if keys else "the order of its step_config changed"
            continue
        flag = new[place - 1] if place else ""
        names.append(flag if isinstance(flag, str) and flag.startswith("-") else str(after))
    if names:
        yield f"its {_noun('argument', names)} {_named(names)} changed"


def _changed_environment(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["python"] != new["python"]:
        yield f"Python changed from {old['python']} to {new['python']}"
    if old["definition"] != new["definition"]:
        yield "its environment changed"
    packages = _changed_keys(old["packages"], new["packages"])
    if packages and old["definition"] == new["definition"]:
        yield f"another version of {_named(packages)} is installed"
    variables = _changed_keys(old["variables"], new["variables"])
    if variables:
        yield f"its environment {_noun('variable', variables)} {_named(variables)} changed"


def _changed_keys(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in dict.fromkeys((*new, *old)) if old.get(key, old) != new.get(key, new)]


def _noun(one: str, items: list[str], many: str = "") -> str:
    return one if len(items) == 1 else many or f"{one}s"


def _named(items: list[str]) -> str:
    if len(items) <= _NAMED:
        return listed(items)
    return f"{', '.join(items[:_NAMED])} and {len(items) - _NAMED} more"
