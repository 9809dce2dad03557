"""Results of steps that later runs may reuse: dependencies and validity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from azml_tasks.local.store.contents import DataChange, HashCache, OutputState
from azml_tasks.local.store.files import read_json
from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.local.store.questions import is_answerable
from azml_tasks.local.store.results_file import Store

# Of the files of results of 0.3.0.
_OLD_VERSION = 1
# Raised when results of older releases must not be reused.
FINGERPRINT_VERSION = 3
_FINGERPRINT = {"script": str, "files": dict, "argv": list, "inputs": dict, "environment": dict}
_ENVIRONMENT = {"python": str, "definition": object, "variables": dict}
_TEXT = frozenset((str,))
_GONE = ""
# The digest of the fingerprint of a result that is not reused: no fingerprint has it.
_NOT_REUSED = ""
_KINDS = {
    "digest": str,
    "run_id": str,
    "fingerprint": dict,
    "outputs": dict,
    "artifacts": str,
    "reads": dict,
    "sets": list,
    "unchecked": list,
    "registered": list,
    "on_parent": bool,
}


@dataclass(frozen=True)
class Fingerprint:
    """The static key that decides whether an earlier result is reused, as JSON values.

    `files` maps the snapshot's files to their SHA-256, `argv` has names in place of folders, `inputs` maps each
    input to the digest of its content and the way it is read.
    """

    script: str
    files: Mapping[str, str]
    argv: list[Any]
    inputs: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, Any]

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
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that `to_json` gave."""
        return cls(**values)


def is_fingerprint(values: Any) -> bool:
    """Return whether it has the format of `to_json`, and was not written by another release or edited."""
    return _has(values, _FINGERPRINT) and _has(values["environment"], _ENVIRONMENT)


def _has(values: Any, kinds: Mapping[str, type]) -> bool:
    whole = isinstance(values, dict) and values.keys() == kinds.keys()
    return whole and all(map(isinstance, map(values.__getitem__, kinds), kinds.values()))


def _are_texts(values: Iterable[Any]) -> bool:
    return _TEXT.issuperset(map(type, values))  # A third of the time of `isinstance` for each.


class Result(NamedTuple):
    """The result of a step that completed in the run `run_id`.

    `outputs` maps its output folders to digests of their contents, `artifacts` is that of its own files. `reads` maps
    questions of recorded reads to answers, None in a result of 0.3.0, which did not record it; `sets` are the digests
    of answers that steps share. `unchecked` are reads that cannot be checked, `registered` what it registered,
    `on_parent` whether it recorded something on the pipeline's run.
    """

    run_id: str
    places: StepPaths
    fingerprint: Fingerprint
    outputs: Mapping[str, str]
    artifacts: str
    reads: Mapping[str, str] | None = None
    sets: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    on_parent: bool = False


class Results:
    """The reusable results of a project's steps, compared by the hashes in `contents`."""

    def __init__(self, layout: ProjectPaths, contents: HashCache) -> None:
        self._layout = layout
        self.contents = contents

    @cached_property
    def store(self) -> Store:
        """The file that holds them."""
        return store_of(self._layout)

    def of(self, step: str) -> StepResults:
        """Return the results of a step."""
        known = self.store.results.get(step)
        if known is None and self._has_old:
            return StepResults(self._layout, self.store, step, _old_results(self._layout.old_results_of(step)))
        return StepResults(self._layout, self.store, step, known or [])

    def answers(self, digest: str) -> Mapping[str, Any] | None:
        """Return a set of answers that steps share."""
        return self.store.answers(digest)

    @cached_property
    def _has_old(self) -> bool:
        return self._layout.old_reuse.is_dir()

    def stale_reason(self, result: Result) -> str | None:
        """Describe what changed in the results of the step; None if nothing."""
        places, folder = result.places, os.fspath(result.places.root)
        # If a step's folder is deleted while the step runs, only files written later, such as its record, exist.
        if not (os.path.isfile(f"{folder}/record.json") and os.path.isfile(f"{folder}/context.json")):
            return "its earlier result was deleted"
        for name, digest in result.outputs.items():
            found = self.digest_output(places, name)
            if found != digest:
                return f"its earlier output '{name}' was {'changed' if found else 'deleted'}"
        if self.digest(places.artifacts) != result.artifacts:
            return "the files of its earlier run were changed"
        return None

    def digest_output(self, places: StepPaths, name: str) -> str:
        """Return the digest of an output, whose files `changed_since` will look at; empty when it is not there."""
        try:
            return self.contents.digest_and_remember(places.output(name))
        except OSError:
            return _GONE

    def changed_since(self, places: StepPaths, name: str) -> OutputState:
        """Describe what happened to the output since its digest was computed."""
        return self.contents.changed_since(places.output(name)) if places.context.exists() else "deleted"

    def changes_in(self, places: StepPaths, name: str) -> list[DataChange]:
        """Return the changes to the output since its digest was computed."""
        return self.contents.changes_in(places.output(name))

    def digest(self, path: Path) -> str:
        """Return the digest of a file or folder; empty when it is not there."""
        if not os.path.exists(path):
            return _GONE
        try:
            return self.contents.digest(path)
        except OSError:
            return _GONE


class StepResults:
    """The results of one step, as they were when they were read."""

    def __init__(self, layout: ProjectPaths, store: Store, step: str, known: list[dict[str, Any]]) -> None:
        self._layout = layout
        self._store = store
        self._step = step
        self._known = known

    @property
    def latest(self) -> Result | None:
        """The last result of the step, new or reused."""
        return self._result(self._known[0]) if self._known else None

    @property
    def last_definition(self) -> Mapping[str, Any] | None:
        """The values of the fingerprint of the last result."""
        return self._known[0]["fingerprint"] if self._known else None

    @property
    def why_unkept(self) -> str:
        """Why the result of its last run is not reused, if it must not be."""
        return self._store.why_unkept(self._step)

    @property
    def all(self) -> Iterator[Result]:
        """The results of the step that can be reused, the newest first."""
        return (self._result(values) for values in self._known if values["digest"] and "reads" in values)

    def find(self, digest: str) -> Iterator[Result]:
        """Yield the results with that fingerprint, the newest first."""
        for values in self._known:
            if values["digest"] == digest and "reads" in values:
                yield self._result(values)

    def with_output(self, name: str, digest: str) -> Path | None:
        """Return the output in the newest result, also of those that are not reused, in which it has that digest."""
        for values in self._known:
            folder = self._layout.run(values["run_id"]).step(self._step).output(name)
            if values["outputs"].get(name) == digest and folder.is_dir():
                return folder
        return None

    def record_latest(self, result: Result, sets: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Store a result as the step's last one, with its sets of answers.

        Raises OSError.
        """
        if sets is None and self._known and self._known[0]["run_id"] == result.run_id and "reads" in self._known[0]:
            return  # A run makes one result of a step.
        self._store.put(self._step, _to_json(result), {digest: dict(found) for digest, found in (sets or {}).items()})

    def put_unkept(self, result: Result, reason: str) -> None:
        """Store a result that must not be reused, and the reason; a run of only later steps may use it.

        Raises OSError.
        """
        self._store.put(self._step, {**_to_json(result), "digest": _NOT_REUSED}, {})
        self._store.put_unkept(self._step, reason)

    def _result(self, values: Mapping[str, Any]) -> Result:
        return Result(
            run_id=values["run_id"],
            places=self._layout.run(values["run_id"]).step(self._step),
            fingerprint=Fingerprint.from_json(values["fingerprint"]),
            outputs=values["outputs"],
            artifacts=values["artifacts"],
            reads=values.get("reads"),
            sets=tuple(values.get("sets", ())),
            unchecked=tuple(values.get("unchecked", ())),
            registered=tuple(values.get("registered", ())),
            on_parent=values.get("on_parent", False),
        )


def store_of(layout: ProjectPaths) -> Store:
    """Return the file of a project's results."""
    return Store(layout.results, _is_whole)


def _old_results(file: Path) -> list[dict[str, Any]]:
    """Return the newest result in a file of 0.3.0, which a run of only later steps may still use."""
    values = read_json(file) or {}
    found = values.get("results") if values.get("version") == _OLD_VERSION else None
    newest = found[0] if isinstance(found, list) and found else None
    old = {"digest": str, "run_id": str, "fingerprint": dict, "outputs": dict, "artifacts": str}
    if not isinstance(newest, dict) or not all(isinstance(newest.get(key), kind) for key, kind in old.items()):
        return []
    if not all(isinstance(digest, str) for digest in newest["outputs"].values()):
        return []
    fingerprint = {key: value for key, value in newest["fingerprint"].items() if key in _FINGERPRINT}
    return [{**newest, "fingerprint": fingerprint}] if fingerprint.keys() == _FINGERPRINT.keys() else []


def _is_whole(values: Mapping[str, Any]) -> bool:
    """Return whether it has the format of `_to_json`, and was not edited."""
    whole = _has(values, _KINDS)
    lists = whole and all(_are_texts(values[key]) for key in ("sets", "unchecked", "registered"))
    texts = lists and all(_are_texts(values[key].values()) for key in ("outputs", "reads"))
    return texts and is_fingerprint(values["fingerprint"]) and all(map(is_answerable, values["reads"]))


def _to_json(result: Result) -> dict[str, Any]:
    return {
        "digest": result.fingerprint.digest,
        "run_id": result.run_id,
        "fingerprint": result.fingerprint.to_json(),
        "outputs": dict(result.outputs),
        "artifacts": result.artifacts,
        "reads": dict(result.reads or {}),
        "sets": list(result.sets),
        "unchecked": list(result.unchecked),
        "registered": list(result.registered),
        "on_parent": result.on_parent,
    }
