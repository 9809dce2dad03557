"""Finished results of steps that later runs may reuse: what they depend on, and whether they are still as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.errors import listed
from azml_tasks.local.facts import Facts, is_fact
from azml_tasks.local.files import read_json, write_json
from azml_tasks.local.layout import Layout, StepPlaces
from azml_tasks.local.reuse.contents import Contents, Fate

VERSION = 1
# Raised when results of older releases must not be reused.
FINGERPRINT_VERSION = 2
_NAMED = 3
_FINGERPRINT = {"script": str, "files": dict, "argv": list, "inputs": dict, "environment": dict, "after": dict}
_ENVIRONMENT = {"python": str, "definition": object, "packages": dict, "variables": dict}
# How many results of a step are known at once: enough to change a setting back and forth.
_MOST = 20
_GONE = ""
_KINDS = {"digest": str, "run_id": str, "fingerprint": dict, "outputs": dict, "artifacts": str, "observed": dict}


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
        text = json.dumps([FINGERPRINT_VERSION, self.to_json()], sort_keys=True, separators=(",", ":"))
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
    return _has(values, _FINGERPRINT) and _has(values["environment"], _ENVIRONMENT)


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


@dataclass(frozen=True)
class Result:
    """What a step left behind when it completed in the run `run_id`.

    `outputs` maps its output folders to digests of their contents, `artifacts` is that of its own files, and
    `observed` maps what the script may have looked up beside its inputs to digests: models, datasets by name and the
    like, as paths or patterns from the project, and facts.
    """

    run_id: str
    places: StepPlaces
    fingerprint: Fingerprint
    outputs: Mapping[str, str]
    artifacts: str
    observed: Mapping[str, str]


class Results:
    """The reusable results of a project's steps."""

    def __init__(self, layout: Layout, contents: Contents) -> None:
        self._layout = layout
        self._contents = contents

    def of(self, step: str) -> StepResults:
        """Return the results of a step."""
        return StepResults(self._layout, step, read_results(self._layout.results_of(step)))

    def damage(self, result: Result, facts: Facts | None = None) -> str | None:
        """Say what is no longer as the step left it, or found it (as far as there are `facts`); None when all is."""
        places = result.places
        # Whoever deletes a step's folder while the step goes on may leave what is written afterwards: its record.
        if not (places.record.is_file() and places.context.is_file()):
            return "its earlier result is gone"
        for name, digest in result.outputs.items():
            found = self.digest_output(places, name)
            if found != digest:
                return f"its earlier output '{name}' {'was changed since' if found else 'is gone'}"
        if self.digest(places.artifacts) != result.artifacts:
            return "the files of its earlier run were changed since"
        for name, digest in result.observed.items():
            if is_fact(name):
                if facts is not None and facts.digest(name) != digest:
                    return f"{name} changed"
            elif self.digest_pattern(name) != digest:
                return f"what it may read in {name} changed"
        return None

    def observe(self, patterns: Iterable[str]) -> dict[str, str]:
        """Return the digests of what lies at these paths or patterns, which start from the project."""
        return {pattern: self.digest_pattern(pattern) for pattern in sorted(patterns)}

    def digest_pattern(self, pattern: str) -> str:
        """Return the digest of what lies at a path or pattern of the project; empty when nothing does."""
        try:
            return self._contents.digest_pattern(self._layout.project, pattern) or _GONE
        except OSError:
            return _GONE

    def digest_output(self, places: StepPlaces, name: str) -> str:
        """Return the digest of an output, whose files `fate_of` will look at; empty when it is not there."""
        try:
            return self._contents.digest_and_remember(places.output(name))
        except OSError:
            return _GONE

    def fate_of(self, places: StepPlaces, name: str) -> Fate:
        """Say what became of the output since its digest was taken."""
        return self._contents.fate_of(places.output(name)) if places.context.exists() else "deleted"

    def digest(self, path: Path) -> str:
        """Return the digest of a file or folder; empty when it is not there."""
        try:
            return self._contents.digest(path)
        except OSError:
            return _GONE


class StepResults:
    """The results of one step, as they were when they were read."""

    def __init__(self, layout: Layout, step: str, known: list[dict[str, Any]]) -> None:
        self._layout = layout
        self._step = step
        self._known = known

    @property
    def latest(self) -> Result | None:
        """The result that the step last had, made or reused."""
        return self._result(self._known[0]) if self._known else None

    def find(self, digest: str) -> Result | None:
        """Return the result with that fingerprint, if it is known."""
        return next((self._result(values) for values in self._known if values["digest"] == digest), None)

    def put_first(self, result: Result) -> None:
        """Make a result known to later runs as the one that the step last had.

        Of two runs that do so at the same moment one may be forgotten, which costs time and nothing else.

        Raises OSError.
        """
        values = _to_json(result)
        if self._known[:1] != [values]:
            others = [other for other in self._known if other["digest"] != values["digest"]]
            kept = [values, *others][:_MOST]
            write_results(self._layout.results_of(self._step), kept)

    def _result(self, values: Mapping[str, Any]) -> Result:
        return Result(
            run_id=values["run_id"],
            places=self._layout.run(values["run_id"]).step(self._step),
            fingerprint=Fingerprint.from_json(values["fingerprint"]),
            outputs=values["outputs"],
            artifacts=values["artifacts"],
            observed=values["observed"],
        )


def read_results(file: Path) -> list[dict[str, Any]]:
    """Return the results in a step's file as JSON has them; those that cannot be used are left out."""
    values = read_json(file) or {}
    found = values.get("results") if values.get("version") == VERSION else None
    return [result for result in found if _is_whole(result)] if isinstance(found, list) else []


def write_results(file: Path, results: list[dict[str, Any]]) -> None:
    """Replace a step's file.

    Raises OSError.
    """
    write_json(file, {"version": VERSION, "results": results})


def _is_whole(values: Any) -> bool:
    """Say whether that is what `_to_json` gives, and not something that somebody else has written."""
    whole = isinstance(values, dict) and values.keys() == _KINDS.keys()
    of_its_kind = whole and all(isinstance(values[key], kind) for key, kind in _KINDS.items())
    return of_its_kind and is_fingerprint(values["fingerprint"])


def _to_json(result: Result) -> dict[str, Any]:
    return {
        "digest": result.fingerprint.digest,
        "run_id": result.run_id,
        "fingerprint": result.fingerprint.to_json(),
        "outputs": dict(result.outputs),
        "artifacts": result.artifacts,
        "observed": dict(result.observed),
    }
