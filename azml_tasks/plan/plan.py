"""The plan of a pipeline: steps in order, the parts of their arguments, parameters, and which steps may be reused."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from azml_tasks.model import Dataset, Destination, Pipeline, Step
from azml_tasks.model.base import Scalar
from azml_tasks.model.names import identifier

# Only argparse accepts `-n=VALUE`; `-nVALUE` works everywhere.
_LETTER = r"-[A-Za-z]"


def config_text(config: Mapping[str, Any]) -> str:
    """Return settings as JSON; numbers and arrays of numpy are allowed.

    Raises TypeError for values that JSON does not have.
    """
    return json.dumps(config, default=_plain)


def _plain(value: Any) -> Any:
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"step_config: {type(value).__name__} is not a JSON value")


class ConfigValue(NamedTuple):
    """The settings of a step, passed as one JSON object."""

    step: str
    value: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The JSON that follows --config."""
        return config_text(self.value)


class OptionValue(NamedTuple):
    """An option and its value, which argparse would treat as another option if it were a separate word."""

    name: str
    value: str

    @property
    def joined(self) -> str:
        """The option and its value as one word."""
        return f"{self.name}{'' if re.fullmatch(_LETTER, self.name) else '='}{self.value}"


class ParameterValue(NamedTuple):
    """A pipeline parameter as a whole argument."""

    name: str
    default: Scalar


class Output(NamedTuple):
    """A folder that a step writes; `name` is its name in Azure."""

    step: str
    argument: str
    name: str
    destination: Destination | None = None
    register_on_complete: str | None = None


class FolderInput(NamedTuple):
    """An argument that receives a folder which another step wrote."""

    argument: str
    output: Output
    name: str


class TableInput(NamedTuple):
    """Another step's output, read as `run.input_datasets[name]`."""

    argument: str | None
    output: Output
    name: str
    format: Literal["parquet", "delimited"]


class DatasetInput(NamedTuple):
    """A dataset, read as `run.input_datasets[name]`.

    Its argument's value is an id in direct mode, a path in the others.
    """

    argument: str | None
    dataset: str
    name: str
    mode: Literal["direct", "mount", "download"]


Token = str | OptionValue | ConfigValue | ParameterValue | Output | FolderInput | TableInput | DatasetInput
Input = FolderInput | TableInput | DatasetInput


class StepPlan(NamedTuple):
    """A step with everything that the backends need.

    `upstream` holds the keys of the steps that must have completed before, by data or by `run_after`.
    """

    key: str
    step: Step
    argv: tuple[Token, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    upstream: tuple[str, ...]

    @property
    def label(self) -> str:
        """The name that Azure shows."""
        return self.step.step_name or self.key

    @property
    def order_only(self) -> tuple[str, ...]:
        """The keys of the steps that must run before, but pass no data."""
        read = {item.output.step for item in self.inputs if not isinstance(item, DatasetInput)}
        return tuple(key for key in self.upstream if key not in read)


@dataclass(frozen=True)
class Plan:
    """The steps, each after all steps that it needs."""

    pipeline: Pipeline
    steps: tuple[StepPlan, ...]

    def __getitem__(self, key: str) -> StepPlan:
        return self.by_key[key]

    @cached_property
    def by_key(self) -> Mapping[str, StepPlan]:
        """The steps by their keys."""
        return {step.key: step for step in self.steps}

    def downstream(self, key: str) -> frozenset[str]:
        """Return the keys of all steps downstream of `key`."""
        found: set[str] = set()
        for step in self.steps:
            if key in step.upstream or found.intersection(step.upstream):
                found.add(step.key)
        return frozenset(found)


def config_parameters(plan: Plan) -> dict[str, str]:
    """Return the pipeline parameter with each step's `--config`, by step.

    As a parameter it can get another value without a new module. Its name avoids those in the file.
    """
    names = {}
    for step in plan.steps:
        if step.step.step_config is not None:
            name = identifier(step.key, "config")
            while name in plan.pipeline.pipeline_parameters:
                name += "_"
            names[step.key] = name
    return names


def parameter_values(plan: Plan, changed: Plan) -> dict[str, Scalar]:
    """Return the pipeline parameters by which `changed` differs from `plan`, with the values of `changed`."""
    values: dict[str, Scalar] = {}
    for key, name in config_parameters(plan).items():
        before, after = (ConfigValue(key, one[key].step.step_config or {}) for one in (plan, changed))
        if before.text != after.text:
            values[name] = after.text
    for name, value in changed.pipeline.pipeline_parameters.items():
        if value != plan.pipeline.pipeline_parameters[name]:
            values[name] = value
    return values


def reuse_in_a_run(plan: Plan) -> dict[str, bool]:
    """Return for each step whether a run may reuse an earlier result: yes unless the file disables it."""
    return {step.key: step.step.allow_reuse is not False for step in plan.steps}


def reuse_when_published(plan: Plan) -> dict[str, bool]:
    """Return for each step whether a published pipeline may reuse an earlier result.

    Reuse compares a dataset's definition, never its data, and is fixed at publishing: a step that reads a dataset, and
    what follows from it, would never run again. So reuse is off there unless the file says `true`.
    """
    fresh: set[str] = set()
    for step in plan.steps:
        reads = any(isinstance(item, DatasetInput) for item in step.inputs)
        if (reads or fresh.intersection(step.upstream)) and step.step.allow_reuse is not True:
            fresh.add(step.key)
    return {key: allowed and key not in fresh for key, allowed in reuse_in_a_run(plan).items()}


def dataset_id(name: str) -> str:
    """Return an id in Azure's format for a dataset of that name, the same in every run."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def dataset_description(name: str, dataset: Dataset) -> dict[str, Any]:
    """Return the keys that the stand-in reads a dataset by, except where its files are."""
    return {
        "id": dataset_id(name),
        "type": dataset.type,
        "format": dataset.format,
        "separator": dataset.separator or ",",
        "set_column_types": dict(dataset.set_column_types),
        "support_multi_line": dataset.support_multi_line,
        "mode": dataset.mode,
        "datastore_name": dataset.datastore_name,
        "path": list(dataset.paths),
        "version": dataset.version if isinstance(dataset.version, int) else 1,
    }
