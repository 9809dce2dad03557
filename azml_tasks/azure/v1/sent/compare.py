"""Compare a step with how it was last sent to Azure ML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.plan.plan import ParameterValue, StepPlan
from azml_tasks.runs.changes.differences import ABSENT, UNKNOWN, Difference, changed_entries, difference
from azml_tasks.runs.changes.settings import changed_arguments, changed_script

if TYPE_CHECKING:
    from azml_tasks.snapshot import Snapshot

Step = Mapping[str, Any]
# The kinds of differences by the keys of single values.
_KINDS = {"step_name": "name", "compute_name": "compute", "max_run_duration_seconds": "limit", "allow_reuse": "reuse"}


def step_differences(
    step: StepPlan,
    snapshot: Snapshot,
    directory: Path,
    old: Step,
    now: Step,
    environments: Mapping[str, tuple[Difference, ...]],
) -> Iterator[Difference]:
    """Yield the differences between two descriptions of a step, as `described_steps` returns them.

    `directory` is the project's, and `environments` has the differences of environments that get a new version.
    """
    parameters = [token.name if isinstance(token, ParameterValue) else "" for token in step.argv]
    yield from changed_script(
        (old["script"], now["script"]),
        old["files"],
        now["files"],
        lambda name: snapshot.path_in(directory, step.step.script_directory, name),
    )
    yield from changed_arguments(step.key, old["argv"], now["argv"], parameters)
    yield from _inputs(old["inputs"], now["inputs"])
    yield from _environment(old, now, environments)
    yield from changed_entries("variable", old["variables"], now["variables"])
    for key, kind in _KINDS.items():
        before, after = (ABSENT if one.get(key) is None else one[key] for one in (old, now))
        if before != after:
            yield difference(kind, key, before, after)
    for name in dict.fromkeys((*now["outputs"], *old["outputs"])):
        if old["outputs"].get(name) != now["outputs"].get(name):
            before, after = (UNKNOWN if name in one["outputs"] else ABSENT for one in (old, now))
            yield Difference("output", name, before, after, label=f"output {name}")


def _environment(old: Step, now: Step, environments: Mapping[str, tuple[Difference, ...]]) -> Iterator[Difference]:
    name = now["environment"]
    if old.get("environment") != name:
        yield difference("environment", "environment", old.get("environment"), name)
        return
    version, before = now["environment_version"], old.get("environment_version")
    if version is None or version != before:
        values = (before or UNKNOWN, version or "a new one")
        yield difference("environment", name, *values, label=f"environment {name} version")
        yield from environments.get(name, ())


def _inputs(old: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys((*now, *old)):
        was, is_now = old.get(name), now.get(name)
        if was is None or is_now is None:
            values = (ABSENT if was is None else UNKNOWN, ABSENT if is_now is None else UNKNOWN)
            yield Difference("input", name, *values, label=f"input {name}")
            continue
        if "dataset" in is_now and was.get("dataset") == is_now["dataset"]:
            before, version = was.get("version"), is_now["version"]
            if version is None or version != before:
                label = f"dataset {is_now['dataset']} version"
                yield difference("dataset", is_now["dataset"], before or UNKNOWN, version or "a new one", label=label)
            was, is_now = ({key: value for key, value in one.items() if key != "version"} for one in (was, is_now))
        yield from changed_entries("input", was, is_now, f"input {name}: ")
