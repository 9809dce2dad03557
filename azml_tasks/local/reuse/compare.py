"""Compare what a step's earlier result depends on with what a new one would depend on."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.plan.plan import DatasetInput, ParameterValue
from azml_tasks.runs.changes.differences import (
    ABSENT,
    UNKNOWN,
    Difference,
    changed_entries,
    changed_packages,
    difference,
    stated_difference,
)
from azml_tasks.runs.changes.settings import changed_arguments, changed_script

if TYPE_CHECKING:
    from azml_tasks.local.store.results import Fingerprint
    from azml_tasks.model import Pipeline
    from azml_tasks.plan import StepPlan
    from azml_tasks.snapshot import Snapshot

_TEXTS = ("conda_file", "dockerfile")


class Comparison:
    """The step as it is now, to be compared with earlier results of it."""

    def __init__(self, pipeline: Pipeline, plan: StepPlan, snapshot: Snapshot, project: Path) -> None:
        self._pipeline = pipeline
        self._plan = plan
        self._snapshot = snapshot
        self._project = project

    def differences(self, old: Fingerprint, new: Fingerprint) -> list[Difference]:
        """Return the differences between two fingerprints; none if they are equal."""
        directory = self._plan.step.script_directory
        parameters = [token.name if isinstance(token, ParameterValue) else "" for token in self._plan.argv]
        return [
            *changed_script(
                (old.script, new.script),
                old.files,
                new.files,
                lambda name: self._snapshot.path_in(self._project, directory, name),
            ),
            *changed_arguments(self._plan.key, old.argv, new.argv, parameters),
            *self._inputs(old.inputs, new.inputs),
            *_environment(old.environment, new.environment),
        ]

    def places_of_data(self, found: Iterable[Difference]) -> tuple[str, ...]:
        """Return the paths of the datasets whose data differ, each with a slash at its end."""
        changed = {one.name for one in found if one.kind == "data"}
        paths = (self._pipeline.datasets[name].local_path for name in changed & self._pipeline.datasets.keys())
        return tuple(f"{os.path.normpath(path).replace(os.sep, '/')}/" for path in paths if path)

    def _inputs(self, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
        for item in self._plan.inputs:
            was, is_now = old.get(item.name), new.get(item.name)
            if was == is_now:
                continue
            if isinstance(item, DatasetInput):
                yield from self._dataset(item.dataset, was, is_now)
            elif was is None:
                yield Difference("input", item.name, ABSENT, label=f"input {item.name}")
            else:
                content = Difference("input", item.name, label=f"output of {item.output.step}")
                yield from _input(content, was, is_now, f"input {item.name}: ")
        for name in old.keys() - {item.name for item in self._plan.inputs}:
            yield Difference("input", name, now=ABSENT, label=f"input {name}")

    def _dataset(self, name: str, was: Any, is_now: Any) -> Iterator[Difference]:
        if was is None:
            yield Difference("dataset", name, ABSENT, label=f"dataset {name}")
            return
        declared = self._pipeline.datasets.get(name)
        place = f" ({declared.local_path})" if declared and declared.local_path else ""
        content = Difference("data", name, label=f"data of dataset {name}{place}")
        yield from _input(content, was, is_now, f"dataset {name}: ")


def _input(content: Difference, was: Mapping[str, Any], is_now: Any, prefix: str) -> Iterator[Difference]:
    """Yield the differences of an input: `content` if its content differs, and the way it is read."""
    now = is_now or {}
    if was.get("content") != now.get("content"):
        yield content
    before, after = (
        {key: value for key, value in one.items() if key != "content" and value is not None} for one in (was, now)
    )
    yield from changed_entries("dataset" if content.kind == "data" else "input", before, after, prefix)


def _environment(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Difference]:
    if old["python"] != new["python"]:
        yield difference("python", "Python", old["python"], new["python"])
    before, now = old["definition"], new["definition"]
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        yield from changed_definition(before, now)
    elif before != now:
        old_name, new_name = (
            value if isinstance(value, str) else UNKNOWN if value else ABSENT for value in (before, now)
        )
        yield difference("environment", "environment", old_name, new_name)
    yield from changed_entries("variable", old["variables"], new["variables"])


def changed_definition(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences between two definitions of an environment, as pipeline.yaml has them."""
    for key in dict.fromkeys((*now, *before)):
        was, is_now = before.get(key), now.get(key)
        if was == is_now:
            continue
        if key in ("pip_packages", "conda_packages"):
            found = changed_packages(f"{key.partition('_')[0]} package", was or (), is_now or ())
            yield from found or [stated_difference(f"{key} changed", "environment", key)]
        elif key == "lock":
            yield from _changed_lock(was, is_now)
        elif key in _TEXTS:
            yield stated_difference(f"{key} changed", "environment", key)
        else:
            yield difference("environment", key, ABSENT if was is None else was, ABSENT if is_now is None else is_now)


def _changed_lock(before: list[str] | None, now: list[str] | None) -> Iterator[Difference]:
    """Yield the packages that a new lock changes; a lock that was added or removed is one difference."""
    if before is None or now is None:
        done = "is now locked" if before is None else "is no longer locked"
        count = len(now or before or ())
        yield stated_difference(
            f"its environment {done} ({count} package{'' if count == 1 else 's'})", "environment", "lock"
        )
        return
    found = changed_packages("locked package", before, now)
    yield from found or [stated_difference("the lock of its environment changed", "environment", "lock")]
