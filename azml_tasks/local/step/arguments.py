"""Arguments, inputs and output folders of a step on this machine."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from azml_tasks.model.written import argument_text
from azml_tasks.plan.plan import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    TableInput,
    Token,
    dataset_id,
)

if TYPE_CHECKING:
    from azml_tasks.model import Dataset, Pipeline
    from azml_tasks.plan import StepPlan


class StepArguments(NamedTuple):
    """A step's arguments and data, as paths of this machine.

    `inputs` and `outputs` are as the context file has them; `paths` are those of inputs that are files or folders for
    the script, by name.
    """

    argv: tuple[str, ...]
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]
    paths: Mapping[str, str] = MappingProxyType({})


class StepFolders(NamedTuple):
    """The folders of a step in one run.

    `written` maps (step, output name) to outputs of earlier steps, `own` maps this step's outputs to their folders.
    `temporary` is where copies of datasets go.
    """

    project: Path
    written: Mapping[tuple[str, str], Path]
    own: Mapping[str, Path]
    temporary: Path

    def of(self, output: Output) -> str:
        """Return the folder of another step's output."""
        return str(self.written[output.step, output.name])


def resolve_arguments(
    plan: StepPlan, pipeline: Pipeline, parameters: Mapping[str, Any], folders: StepFolders
) -> StepArguments:
    """Fill in a step's tokens."""
    outputs = {name: str(path) for name, path in folders.own.items()}
    values: dict[Input | Output, str] = {output: outputs[output.name] for output in plan.outputs}
    values |= {item: _value(item, pipeline, folders) for item in plan.inputs}
    return StepArguments(
        argv=tuple(_text(token, parameters, values) for token in plan.argv),
        inputs={item.name: _described(item, values[item], folders) for item in plan.inputs},
        outputs=outputs,
        paths={item.name: values[item] for item in plan.inputs if _is_path(item)},
    )


def _is_path(item: Input) -> bool:
    return isinstance(item, FolderInput) or (isinstance(item, DatasetInput) and item.mode != "direct")


def _text(token: Token, parameters: Mapping[str, Any], values: Mapping[Input | Output, str]) -> str:
    if isinstance(token, str):
        return token
    if isinstance(token, OptionValue):
        return token.joined
    if isinstance(token, ConfigValue):
        return token.text
    if isinstance(token, ParameterValue):
        return argument_text(parameters.get(token.name, token.default))
    return values[token]


def _value(item: Input, pipeline: Pipeline, folders: StepFolders) -> str:
    """Return the value of an input's argument: a folder, a path, or an id for what is read by its name."""
    if isinstance(item, FolderInput):
        return folders.of(item.output)
    if isinstance(item, TableInput):
        return dataset_id(f"{item.output.step}/{item.output.name}")
    if item.mode == "direct":
        return dataset_id(item.dataset)
    path = local_path(pipeline.datasets[item.dataset], folders.project)
    is_there = is_no_pattern(path)
    if item.mode == "mount" and is_there:
        return str(path)
    # Named after its data; for a pattern, after the searched folder.
    return str(folders.temporary / "inputs" / item.name / (path if is_there else fixed_part(path)).name)


def _described(item: Input, value: str, folders: StepFolders) -> Mapping[str, Any]:
    if isinstance(item, DatasetInput):
        path = {"path": value} if _is_path(item) else {}
        return {"kind": "dataset", "dataset": item.dataset, **path}
    if isinstance(item, TableInput):
        return {"kind": "table", "path": folders.of(item.output), "format": item.format}
    return {"kind": "folder", "path": folders.of(item.output)}


def fixed_arguments(plan: StepPlan, parameters: Mapping[str, Any]) -> list[Any]:
    """Return the argument list with names instead of paths that differ in each run, for comparison between runs."""

    def fixed(token: Token) -> Any:
        if isinstance(token, str):
            return token
        if isinstance(token, OptionValue):
            return token.joined
        if isinstance(token, ConfigValue):
            return {"config": token.text}
        if isinstance(token, ParameterValue):
            return argument_text(parameters.get(token.name, token.default))
        return {"output" if isinstance(token, Output) else "input": token.name}

    return [fixed(token) for token in plan.argv]


def local_path(dataset: Dataset, project: Path) -> Path:
    """Return the location of the dataset's local data, possibly a pattern."""
    return Path(os.path.normpath(project / (dataset.local_path or "")))


def is_no_pattern(path: Path) -> bool:
    """Return whether a `local_path` is a plain path; an existing path with wildcard characters is one, too."""
    return not glob.has_magic(str(path)) or path.exists()


def fixed_part(pattern: Path) -> Path:
    """Return the folder that a pattern looks through."""
    while glob.has_magic(str(pattern)):
        pattern = pattern.parent
    return pattern
