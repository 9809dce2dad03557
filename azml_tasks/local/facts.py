"""What a step's script may look up that is no file: each thing has a name and a digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from azml_tasks.local.record import StepRecord

if TYPE_CHECKING:
    from azml_tasks.model import Pipeline

DATASETS = "the datasets of pipeline.yaml"
DATASTORES = "the datastores of pipeline.yaml"
STEPS_BEFORE = "the runs of the steps before it"
_VARIABLE = "the variable "


def variable(name: str) -> str:
    """Return the name of the fact that a variable of the environment has its value."""
    return _VARIABLE + name


def is_fact(name: str) -> bool:
    """Say whether this is the name of a fact, and no path."""
    return name in (DATASETS, DATASTORES, STEPS_BEFORE) or name.startswith(_VARIABLE)


class Facts:
    """What one step of one run could look up.

    `variables` are its environment, `upstream` holds the records of the steps that it follows.
    """

    def __init__(self, pipeline: Pipeline, variables: Mapping[str, str], upstream: Mapping[str, StepRecord]) -> None:
        self._pipeline = pipeline
        self._variables = variables
        self._upstream = upstream

    def digest(self, name: str) -> str:
        """Return the digest of the fact with that name."""
        if name == DATASETS:
            return _digest({key: dataset.model_dump() for key, dataset in self._pipeline.datasets.items()})
        if name == DATASTORES:
            return _digest({key: store.model_dump() for key, store in self._pipeline.datastores.items()})
        if name == STEPS_BEFORE:
            return _digest({key: record.producer for key, record in self._upstream.items()})
        return _digest(self._variables.get(name.removeprefix(_VARIABLE)))


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
