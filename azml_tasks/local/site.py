"""What the steps of one run share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from azml_tasks.local.environment import base_environment
from azml_tasks.local.layout import Layout, folder_name
from azml_tasks.local.record import RunRecord
from azml_tasks.local.reuse.contents import Contents, Objects
from azml_tasks.local.reuse.results import Results
from azml_tasks.secrets import is_secret

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.wiring import Plan


@dataclass(frozen=True)
class Site:
    """All that the steps of one run share; `outer` holds the variables of the process that runs it."""

    layout: Layout
    plan: Plan
    run: RunRecord
    contents: Contents
    virtual_environments: Mapping[str, VirtualEnvironment]
    outer: Mapping[str, str] = field(repr=False)
    warm: bool = True
    memo: dict[object, object] = field(default_factory=dict, repr=False, compare=False)
    """What is asked once a run, since no step changes it."""

    @cached_property
    def environment(self) -> dict[str, str]:
        """The environment of every step before its own variables."""
        return base_environment(self.plan.pipeline, self.layout.project, self.outer)

    @cached_property
    def step_names(self) -> dict[str, str]:
        """The names of steps by their folders, of those whose folders are named otherwise."""
        named = ((folder_name(key), step.step_name or key) for key, step in self.plan.pipeline.steps.items())
        return {folder: name for folder, name in named if folder != name}

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Those of the variables of the process that runs it which no step sees without asking for them."""
        return {name: value for name, value in self.outer.items() if is_secret(name, value)}

    @cached_property
    def results(self) -> Results:
        """The results that may be reused."""
        return Results(self.layout, self.contents)

    @cached_property
    def objects(self) -> Objects:
        """The contents of snapshots."""
        return Objects(self.layout.objects)
