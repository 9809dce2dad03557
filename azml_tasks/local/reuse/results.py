"""Finished results of steps that later runs may reuse: what they depend on, and whether they are still as they were."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from azml_tasks.errors import listed
from azml_tasks.local.files import read_json
from azml_tasks.local.layout import Layout, StepPlaces
from azml_tasks.local.reuse.contents import Change, Contents, Fate
from azml_tasks.local.reuse.questions import is_answerable
from azml_tasks.local.reuse.store import Store

# Of the files of results of 0.3.0.
_OLD_VERSION = 1
# Raised when results of older releases must not be reused.
FINGERPRINT_VERSION = 3
_NAMED = 3
_FINGERPRINT = {"script": str, "files": dict, "argv": list, "inputs": dict, "environment": dict}
_ENVIRONMENT = {"python": str, "definition": object, "variables": dict}
_GONE = ""
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
    """What decides whether an earlier result stands in, as JSON values.

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
            keys = _changed_keys(_config(before["config"]), _config(after["config"]))
            yield f"its step_config changed ({_named(keys)})" if keys else "the order of its step_config changed"
            continue
        flag = new[place - 1] if place else ""
        names.append(flag if isinstance(flag, str) and flag.startswith("-") else str(after))
    if names:
        yield f"its {_noun('argument', names)} {_named(names)} changed"


def _config(text: Any) -> dict[str, Any]:
    """Return the values of a step_config; none of a record that somebody has changed."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _changed_environment(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    if old["python"] != new["python"]:
        yield f"Python changed from {old['python']} to {new['python']}"
    if old["definition"] != new["definition"]:
        yield "its environment changed"
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

    `outputs` maps its output folders to digests of their contents, `artifacts` is that of its own files. `reads` maps
    what the step asked of its surroundings to the answers, None in a result of 0.3.0, which did not record it; `sets`
    are the digests of answers that steps share. `unchecked` says what it read that cannot be asked again, `registered`
    what it registered, `on_parent` whether it recorded something on the pipeline's run.
    """

    run_id: str
    places: StepPlaces
    fingerprint: Fingerprint
    outputs: Mapping[str, str]
    artifacts: str
    reads: Mapping[str, str] | None = None
    sets: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    registered: tuple[str, ...] = ()
    on_parent: bool = False


class Results:
    """The reusable results of a project's steps."""

    def __init__(self, layout: Layout, contents: Contents) -> None:
        self._layout = layout
        self._contents = contents

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

    def damage(self, result: Result) -> str | None:
        """Say what is no longer as the step left it; None when all is."""
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
        return None

    def digest_output(self, places: StepPlaces, name: str) -> str:
        """Return the digest of an output, whose files `fate_of` will look at; empty when it is not there."""
        try:
            return self._contents.digest_and_remember(places.output(name))
        except OSError:
            return _GONE

    def fate_of(self, places: StepPlaces, name: str) -> Fate:
        """Say what became of the output since its digest was taken."""
        return self._contents.fate_of(places.output(name)) if places.context.exists() else "deleted"

    def changes_in(self, places: StepPlaces, name: str) -> list[Change]:
        """Return what of the output is no longer as it was when its digest was taken."""
        return self._contents.changes_in(places.output(name))

    def digest(self, path: Path) -> str:
        """Return the digest of a file or folder; empty when it is not there."""
        try:
            return self._contents.digest(path)
        except OSError:
            return _GONE


class StepResults:
    """The results of one step, as they were when they were read."""

    def __init__(self, layout: Layout, store: Store, step: str, known: list[dict[str, Any]]) -> None:
        self._layout = layout
        self._store = store
        self._step = step
        self._known = known

    @property
    def latest(self) -> Result | None:
        """The result that the step last had, made or reused."""
        return self._result(self._known[0]) if self._known else None

    @property
    def why_unkept(self) -> str:
        """Why its last run left no result, if it did not."""
        return self._store.why_unkept(self._step)

    def find(self, digest: str) -> Iterator[Result]:
        """Yield the results with that fingerprint, the newest first."""
        for values in self._known:
            if values["digest"] == digest and "reads" in values:
                yield self._result(values)

    def put_first(self, result: Result, sets: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Make a result known to later runs as the one that the step last had, with the sets of answers it names.

        Raises OSError.
        """
        if sets is None and self._known and self._known[0]["run_id"] == result.run_id and "reads" in self._known[0]:
            return  # A run makes one result of a step.
        self._store.put(self._step, _to_json(result), {digest: dict(found) for digest, found in (sets or {}).items()})

    def put_unkept(self, reason: str) -> None:
        """Make known to later runs why the step left no result.

        Raises OSError.
        """
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


def store_of(layout: Layout) -> Store:
    """Return the file of a project's results."""
    return Store(layout.results, _is_whole)


def _old_results(file: Path) -> list[dict[str, Any]]:
    """Return the newest result in a file of 0.3.0, which a run of later steps alone may still take as it is."""
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
    """Say whether that is what `_to_json` gives, and not something that somebody else has written."""
    whole = values.keys() == _KINDS.keys() and all(isinstance(values[key], kind) for key, kind in _KINDS.items())
    lists = whole and all(isinstance(text, str) for key in ("sets", "unchecked", "registered") for text in values[key])
    texts = lists and all(isinstance(text, str) for key in ("outputs", "reads") for text in values[key].values())
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
