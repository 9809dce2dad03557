"""What a step is given on this machine: its argument list, its inputs, its output folders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.wiring.tokens import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    Output,
    ParameterValue,
    TableInput,
    Token,
)

if TYPE_CHECKING:
    from azml_tasks.model import Dataset, Pipeline
    from azml_tasks.wiring import StepPlan


@dataclass(frozen=True)
class Given:
    """A step's arguments and data, as paths of this machine.

    `inputs` and `outputs` are as the context file has them.
    """

    argv: tuple[str, ...]
    inputs: Mapping[str, Mapping[str, Any]]
    outputs: Mapping[str, str]


@dataclass(frozen=True)
class Folders:
    """Where the folders lie that a step is given, in one run.

    `written` maps (step, output name) to what earlier steps wrote, `own` this step's outputs to what it is to write.
    """

    project: Path
    written: Mapping[tuple[str, str], Path]
    own: Mapping[str, Path]

    def of(self, output: Output) -> str:
        """Return the folder of another step's output."""
        return str(self.written[output.step, output.name])


def give(plan: StepPlan, pipeline: Pipeline, parameters: Mapping[str, Any], folders: Folders) -> Given:
    """Fill in a step's tokens."""
    outputs = {name: str(path) for name, path in folders.own.items()}
    values: dict[Input | Output, str] = {output: outputs[output.name] for output in plan.outputs}
    values |= {item: _value(item, pipeline, folders) for item in plan.inputs}
    return Given(
        argv=tuple(_text(token, parameters, values) for token in plan.argv),
        inputs={item.name: _described(item, folders) for item in plan.inputs},
        outputs=outputs,
    )


def _text(token: Token, parameters: Mapping[str, Any], values: Mapping[Input | Output, str]) -> str:
    if isinstance(token, str):
        return token
    if isinstance(token, ConfigValue):
        return token.text
    if isinstance(token, ParameterValue):
        return str(parameters.get(token.name, token.default))
    return values[token]


def _value(item: Input, pipeline: Pipeline, folders: Folders) -> str:
    """Return the value of an input's argument: a folder, a path, or an id for what is read by its name."""
    if isinstance(item, FolderInput):
        return folders.of(item.output)
    if isinstance(item, TableInput):
        return dataset_id(f"{item.output.step}/{item.output.name}")
    if item.mode == "direct":
        return dataset_id(item.dataset)
    return str(local_path(pipeline.datasets[item.dataset], folders.project))


def _described(item: Input, folders: Folders) -> Mapping[str, Any]:
    if isinstance(item, DatasetInput):
        return {"kind": "dataset", "dataset": item.dataset}
    if isinstance(item, TableInput):
        return {"kind": "table", "path": folders.of(item.output), "format": item.format}
    return {"kind": "folder", "path": folders.of(item.output)}


def fixed_arguments(plan: StepPlan, parameters: Mapping[str, Any]) -> list[Any]:
    """Return the argument list with names for what lies elsewhere in each run, to be compared between runs."""

    def fixed(token: Token) -> Any:
        if isinstance(token, str):
            return token
        if isinstance(token, ConfigValue):
            return {"config": token.text}
        if isinstance(token, ParameterValue):
            return str(parameters.get(token.name, token.default))
        return {"output" if isinstance(token, Output) else "input": token.name}

    return [fixed(token) for token in plan.argv]


def dataset_id(name: str) -> str:
    """Return an id, shaped as Azure's are, that stands for a dataset of that name in every run."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def local_path(dataset: Dataset, project: Path) -> Path:
    """Return where the data that stand for the dataset lie, a pattern where the file gives one."""
    return Path(os.path.normpath(project / (dataset.local_path or "")))
