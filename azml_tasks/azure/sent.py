"""What was sent to Azure ML from this folder: the steps of the last runs and published versions, for forecasts, and
how a step differs from when it was last sent.

The file is `.azml/sent.jsonl`, a line for each. It has no secrets: values that look like one are left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.model.written import argument_text
from azml_tasks.plan.plan import (
    ConfigValue,
    DatasetInput,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    TableInput,
    Token,
    reuse_in_a_run,
)
from azml_tasks.runs.changes.differences import ABSENT, UNKNOWN, Difference, changed_entries, difference
from azml_tasks.runs.changes.settings import changed_arguments, changed_script
from azml_tasks.secrets import without_secrets
from azml_tasks.snapshot import Snapshot, with_words
from azml_tasks.snapshot.files import leads_out

if TYPE_CHECKING:
    from azml_tasks.model import Pipeline

Step = Mapping[str, Any]
_FILE = Path(".azml", "sent.jsonl")
_VERSION = 1
_MOST = 40
_KINDS: Mapping[str, Any] = {
    "id": str,
    "experiment": str,
    "workspace": str,
    "sent": (int, float),
    "nodes": dict,
    "steps": dict,
    "published": str,
}
_STEP_KINDS = {"script": str, "files": dict, "argv": list, "inputs": dict, "outputs": dict, "variables": dict}


@dataclass(frozen=True)
class SentRun:
    """A run that was sent; `sent` are seconds since the epoch, `nodes` are those of its graph by the keys of the steps.

    `steps` describe the steps, as `described_steps` does. With `published`, the name of a published pipeline, it is no
    run but a version of that, its id.
    """

    id: str
    experiment: str
    workspace: str
    sent: float
    nodes: Mapping[str, str]
    steps: Mapping[str, Mapping[str, Any]]
    published: str = ""


@dataclass(frozen=True)
class Versions:
    """The versions of environments and datasets by their names; None for a new one."""

    environments: Mapping[str, str | None]
    datasets: Mapping[str, str | None]


def described_steps(
    plan: Plan, snapshots: Mapping[str, Snapshot], versions: Versions, reuse: Mapping[str, bool] | None = None
) -> dict[str, dict[str, Any]]:
    """Return for each step what its result on Azure depends on, as JSON.

    The plan has the values of the run: those of `--set` included. `reuse` is whether the steps may be reused, by
    default as in a run.
    """
    plan, reuse = with_words(plan, snapshots), reuse or reuse_in_a_run(plan)
    return {
        step.key: {**_described(plan.pipeline, step, snapshots[step.key], versions), "allow_reuse": reuse[step.key]}
        for step in plan.steps
    }


def _described(pipeline: Pipeline, step: StepPlan, snapshot: Snapshot, versions: Versions) -> dict[str, Any]:
    environment = pipeline.env_of(step.step) or ""
    argv = [_fixed(token) for token in step.argv]
    stored = _without_secrets(argv)
    variables = dict(step.step.environment_variables)
    return {
        "step_name": step.label,
        "script": snapshot.script,
        "files": dict(snapshot.hashes),
        "argv": stored,
        "inputs": {item.name: _input(item, versions) for item in step.inputs},
        "outputs": {output.name: _output(output) for output in step.outputs},
        "environment": environment,
        "environment_version": versions.environments.get(environment),
        "compute_name": pipeline.compute_of(step.step),
        "variables": without_secrets("", variables),
        "max_run_duration_seconds": step.step.max_run_duration_seconds,
        "run_after": list(step.order_only),
        "has_secrets": stored != argv or without_secrets("", variables) != variables,
    }


def _fixed(token: Token) -> Any:
    if isinstance(token, str):
        return token
    if isinstance(token, OptionValue):
        return token.joined
    if isinstance(token, ConfigValue):
        return {"config": token.text}
    if isinstance(token, ParameterValue):
        return argument_text(token.default)
    return {"output" if isinstance(token, Output) else "input": token.name}


def _without_secrets(argv: list[Any]) -> list[Any]:
    found: list[Any] = []
    option = ""
    for word in argv:
        if isinstance(word, dict):
            config = without_secrets("", json.loads(word["config"])) if "config" in word else None
            found.append({"config": json.dumps(config)} if "config" in word else word)
            option = ""
            continue
        found.append(without_secrets(option, word))
        option = word if isinstance(word, str) and word.startswith("-") else ""
    # The same text where nothing is hidden, whatever its spelling of numbers.
    return [word if _is_same(word, hidden) else hidden for word, hidden in zip(argv, found, strict=True)]


def _is_same(word: Any, hidden: Any) -> bool:
    if isinstance(word, dict) and "config" in word:
        return bool(json.loads(word["config"]) == json.loads(hidden["config"]))
    return bool(word == hidden)


def _input(item: Any, versions: Versions) -> dict[str, Any]:
    if isinstance(item, DatasetInput):
        return {"dataset": item.dataset, "version": versions.datasets.get(item.dataset), "mode": item.mode}
    described = {"step": item.output.step, "output": item.output.name}
    return {**described, "format": item.format} if isinstance(item, TableInput) else described


def _output(output: Output) -> dict[str, Any]:
    destination = output.destination
    place = f"{destination.datastore_name}/{destination.folder}" if destination else None
    return {"destination": place, "register_on_complete": output.register_on_complete}


def workspace_of(pipeline: Pipeline) -> str:
    """Return a name for the workspace that no other one has; what v2 sends is apart from what v1 sends."""
    place = f"{pipeline.subscription_id}/{pipeline.resource_group}/{pipeline.ws_name}".lower()
    return f"v2:{place}" if pipeline.backend == "azure-v2" else place


def sent_to(directory: Path, pipeline: Pipeline, published: str = "") -> list[SentRun]:
    """Return the runs that were sent from a folder to the workspace, the newest first.

    With `published`, return the versions of that published pipeline.
    """
    here = workspace_of(pipeline)
    return [run for run in read_sent(directory) if (run.workspace, run.published) == (here, published)]


def remember(directory: Path, run: SentRun) -> None:
    """Write down a run that was sent from a folder; without that, forecasts do not know of it."""
    file = directory / _FILE
    lines = [json.dumps({"version": _VERSION, **asdict(one)}) for one in (*reversed(read_sent(directory)), run)]
    with contextlib.suppress(OSError):
        if leads_out(file.parent, directory):
            return
        file.parent.mkdir(exist_ok=True)
        partial = file.with_name(f"{file.name}.{os.getpid()}.partial")
        partial.write_text("\n".join(lines[-_MOST:]) + "\n", encoding="utf-8")
        os.replace(partial, file)


def read_sent(directory: Path) -> list[SentRun]:
    """Return the runs that were sent from a folder, the newest first; damaged lines are skipped."""
    file = directory / _FILE
    try:
        if leads_out(file, directory) or not stat.S_ISREG(os.stat(file).st_mode):
            return []
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    return [*_parsed(text)][::-1]


def _parsed(text: str) -> Iterator[SentRun]:
    for line in text.splitlines():
        with contextlib.suppress(ValueError, RecursionError):
            values = json.loads(line)
            if isinstance(values, dict) and values.pop("version", None) == _VERSION and _is_whole(values):
                yield SentRun(**values)


def _is_whole(values: Mapping[str, Any]) -> bool:
    whole = values.keys() == _KINDS.keys() and all(isinstance(values[key], kind) for key, kind in _KINDS.items())
    return whole and all(_is_whole_step(step) for step in values["steps"].values())


def _is_whole_step(step: Any) -> bool:
    return isinstance(step, dict) and all(isinstance(step.get(key), kind) for key, kind in _STEP_KINDS.items())


# The kinds of differences by the keys of single values.
_VALUES = {
    "step_name": "name",
    "compute_name": "compute",
    "max_run_duration_seconds": "limit",
    "allow_reuse": "reuse",
}


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
    yield from _changed_inputs(old["inputs"], now["inputs"])
    yield from _changed_env(old, now, environments)
    yield from changed_entries("variable", old["variables"], now["variables"])
    for key, kind in _VALUES.items():
        before, after = (ABSENT if one.get(key) is None else one[key] for one in (old, now))
        if before != after:
            yield difference(kind, key, before, after)
    for name in dict.fromkeys((*now["outputs"], *old["outputs"])):
        if old["outputs"].get(name) != now["outputs"].get(name):
            before, after = (UNKNOWN if name in one["outputs"] else ABSENT for one in (old, now))
            yield Difference("output", name, before, after, label=f"output {name}")


def _changed_env(old: Step, now: Step, environments: Mapping[str, tuple[Difference, ...]]) -> Iterator[Difference]:
    name = now["environment"]
    if old.get("environment") != name:
        yield difference("environment", "environment", old.get("environment"), name)
        return
    version, before = now["environment_version"], old.get("environment_version")
    if version is None or version != before:
        values = (before or UNKNOWN, version or "a new one")
        yield difference("environment", name, *values, label=f"environment {name} version")
        yield from environments.get(name, ())


def _changed_inputs(old: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys((*now, *old)):
        was, is_now = old.get(name), now.get(name)
        if was is None or is_now is None:
            values = (ABSENT if was is None else UNKNOWN, ABSENT if is_now is None else UNKNOWN)
            yield Difference("input", name, *values, label=f"input {name}")
            continue
        if "dataset" in is_now and was.get("dataset") == is_now["dataset"]:
            before, version = was.get("version"), is_now["version"]
            if version is None or version != before:
                # On v2, the version of what is read without an asset are its paths.
                label = f"dataset {is_now['dataset']}" + ("" if "/" in str(version) else " version")
                yield difference("dataset", is_now["dataset"], before or UNKNOWN, version or "a new one", label=label)
            was, is_now = ({key: value for key, value in one.items() if key != "version"} for one in (was, is_now))
        yield from changed_entries("input", was, is_now, f"input {name}: ")
