"""The parts of a step's argument list that a backend turns into text or into the SDK's objects."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from azml_tasks.model import Destination
from azml_tasks.model.base import Scalar

# Only argparse takes `-n=VALUE`; `-nVALUE` means the same everywhere.
_LETTER = re.compile(r"-[A-Za-z]")


def config_text(config: Mapping[str, Any]) -> str:
    """Return hyperparameters as JSON; a program may give numbers and arrays of numpy.

    Raises TypeError for what is no value of JSON.
    """
    return json.dumps(config, default=_plain)


def _plain(value: Any) -> Any:
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"step_config: {type(value).__name__} is not a value of JSON")


@dataclass(frozen=True)
class ConfigValue:
    """The hyperparameters of a step, passed as one JSON object."""

    step: str
    value: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The JSON that follows --config."""
        return config_text(self.value)


@dataclass(frozen=True)
class OptionValue:
    """An option and its value, which argparse would take for another option if it were a word of its own."""

    name: str
    value: str

    @property
    def joined(self) -> str:
        """Both as one word."""
        return f"{self.name}{'' if _LETTER.fullmatch(self.name) else '='}{self.value}"


@dataclass(frozen=True)
class ParameterValue:
    """A pipeline parameter as a whole argument."""

    name: str
    default: Scalar


@dataclass(frozen=True)
class Output:
    """A folder that a step writes; `name` is what Azure calls it."""

    step: str
    argument: str
    name: str
    destination: Destination | None = None
    register_on_complete: str | None = None


@dataclass(frozen=True)
class FolderInput:
    """An argument that receives a folder which another step wrote."""

    argument: str
    output: Output
    name: str


@dataclass(frozen=True)
class TableInput:
    """Another step's output, read as `run.input_datasets[name]`."""

    argument: str | None
    output: Output
    name: str
    format: Literal["parquet", "delimited"]


@dataclass(frozen=True)
class DatasetInput:
    """A dataset, read as `run.input_datasets[name]`.

    Its argument's value is an id in direct mode, a path in the others.
    """

    argument: str | None
    dataset: str
    name: str
    mode: Literal["direct", "mount", "download"]


Token = str | OptionValue | ConfigValue | ParameterValue | Output | FolderInput | TableInput | DatasetInput
Input = FolderInput | TableInput | DatasetInput
