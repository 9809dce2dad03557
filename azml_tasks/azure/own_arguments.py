"""Arguments that a program has put together itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from azml_tasks.azure.steps import Resources, Values
from azml_tasks.wiring import ConfigValue, Plan, StepPlan


class OwnArguments(Values):
    """Values in which `own` holds the arguments of some steps, by key, but for the folders."""

    def __init__(self, plan: Plan, resources: Resources, own: Mapping[str, list[Any]]) -> None:
        super().__init__(plan, resources)
        self._own = own

    def arguments(self, step: StepPlan) -> list[Any]:
        """Return the arguments of the step as PythonScriptStep takes them, in a list of its own."""
        if step.key not in self._own:
            return super().arguments(step)
        own = self._own[step.key]
        # What the file's `--config` is, too: a parameter of the pipeline.
        before = own.index("--config") if "--config" in own else -1
        config = ConfigValue(step.key, step.step.step_config or {})
        if 0 <= before < len(own) - 1 and own[before + 1] == config.text:
            own = [*own[: before + 1], self.value(config), *own[before + 2 :]]
        return [*own, *self.folders(step)]
