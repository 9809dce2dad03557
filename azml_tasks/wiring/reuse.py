"""Whether an earlier result may stand in for a step."""

from __future__ import annotations

from azml_tasks.wiring.plan import Plan
from azml_tasks.wiring.tokens import DatasetInput


def reuse_in_a_run(plan: Plan) -> dict[str, bool]:
    """Say of each step whether a run may take an earlier result for it: yes unless the file says no."""
    return {step.key: step.step.allow_reuse is not False for step in plan.steps}


def reuse_when_published(plan: Plan) -> dict[str, bool]:
    """Say of each step whether a published pipeline may take an earlier result for it.

    Reuse compares a dataset's definition, never its data, and is fixed at publishing: a step that reads a dataset,
    and what follows from it, would do nothing ever again. So it is off there unless the file says `true`.
    """
    fresh: set[str] = set()
    for step in plan.steps:
        reads = any(isinstance(item, DatasetInput) for item in step.inputs)
        if (reads or fresh.intersection(step.upstream)) and step.step.allow_reuse is not True:
            fresh.add(step.key)
    return {key: allowed and key not in fresh for key, allowed in reuse_in_a_run(plan).items()}
