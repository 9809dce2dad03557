"""What is settled before a run begins: the results it starts from, and the files that its steps run from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from azml_tasks.errors import RunError
from azml_tasks.local.content import Contents
from azml_tasks.local.layout import Layout
from azml_tasks.local.objects import ChangedError, Objects
from azml_tasks.local.record import StepRecord
from azml_tasks.local.results import Results
from azml_tasks.local.selection import Selection
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring.tokens import DatasetInput

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.wiring import Plan, StepPlan

_MOST_TRIES = 3


def given_steps(plan: Plan, selection: Selection, results: Results) -> dict[str, StepRecord]:
    """Return the records of the steps whose last results are taken as they are.

    Raises RunError when one that is read has none, or a damaged one.
    """
    found = {}
    for key in selection.given:
        reader = next((step.key for step in plan.steps if step.key in selection.steps and _reads(step, key)), None)
        result = results.of(key).latest
        damage = results.damage(result) if result else "it has no finished result"
        if result and not damage:
            reason = f"not asked for; its result of {result.run_id} is taken"
            found[key] = StepRecord(
                key, "reused", reason, places=result.places, outputs=result.outputs, producer=result.run_id
            )
        elif reader:
            raise RunError(
                f"step '{reader}' reads what '{key}' wrote, and {damage}: "
                f"run everything with `invoke run`, or from there with `--from-step {key}`"
            )
    return found


def keep_snapshots(plan: Plan, steps: Sequence[str], layout: Layout, contents: Contents) -> dict[str, Snapshot]:
    """Return the snapshots of the steps, their contents kept, so that later edits do not reach the run.

    Raises ProjectError with everything that is wrong with any of them, RunError, OSError.
    """
    for _ in range(_MOST_TRIES):
        snapshots = build_snapshots(plan, steps, layout, contents)
        try:
            for snapshot in snapshots.values():
                Objects(layout.objects).keep(snapshot)
        except ChangedError as error:
            changed = str(error)
        else:
            return snapshots
    raise RunError(f"{changed} changes all the time: a run needs its files to stay as they are for a moment")


def virtual_environments(plan: Plan, layout: Layout) -> tuple[dict[str, VirtualEnvironment], list[str]]:
    """Return those that steps run in, by the names of their environments, and sentences on those that they do not."""
    if not layout.environments.is_dir():
        return {}, []
    from azml_tasks.local.virtual_environment import OutdatedError, in_use

    found, remarks = {}, []
    for name in plan.pipeline.environments:
        try:
            virtual = in_use(layout, plan, name)
        except OutdatedError as error:
            remarks.append(str(error))
            continue
        if virtual is not None:
            found[name] = virtual
    return found, remarks


def build_snapshots(plan: Plan, steps: Sequence[str], layout: Layout, contents: Contents) -> dict[str, Snapshot]:
    """Return the snapshots of the steps.

    Raises ProjectError with everything that is wrong with any of them.
    """
    return take_snapshots(SnapshotBuilder(layout.project, contents.hash_file), map(plan.__getitem__, steps))


def _reads(step: StepPlan, key: str) -> bool:
    return any(not isinstance(item, DatasetInput) and item.output.step == key for item in step.inputs)
