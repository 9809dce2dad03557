"""The wired pipeline: its steps in order, each with its arguments, inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from azml_tasks.model import Pipeline, Step
from azml_tasks.wiring.tokens import DatasetInput, Input, Output, Token


@dataclass(frozen=True)
class StepPlan:
    """A step as both backends run it.

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
    def sequenced(self) -> tuple[str, ...]:
        """The keys of the steps that must come before without handing over data."""
        read = {item.output.step for item in self.inputs if not isinstance(item, DatasetInput)}
        return tuple(key for key in self.upstream if key not in read)


@dataclass(frozen=True)
class Plan:
    """The steps in an order in which each follows all that it needs."""

    pipeline: Pipeline
    steps: tuple[StepPlan, ...]

    def __getitem__(self, key: str) -> StepPlan:
        return self.by_key[key]

    @cached_property
    def by_key(self) -> Mapping[str, StepPlan]:
        """The steps by their keys."""
        return {step.key: step for step in self.steps}

    def downstream(self, key: str) -> frozenset[str]:
        """Return the keys of all steps that follow from `key`, itself left out."""
        found: set[str] = set()
        for step in self.steps:
            if key in step.upstream or found.intersection(step.upstream):
                found.add(step.key)
        return frozenset(found)
