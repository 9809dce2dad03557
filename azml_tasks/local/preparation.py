"""What is settled before a run begins: the results it starts from, and the files that its steps run from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from azml_tasks.checks.contract import check_contracts
from azml_tasks.errors import RunError, UsageError, listed
from azml_tasks.local.layout import Layout
from azml_tasks.local.record import StepRecord
from azml_tasks.local.reuse.contents import ChangedError, Contents, Objects
from azml_tasks.local.reuse.results import Result, Results
from azml_tasks.local.selection import Selection
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring.tokens import DatasetInput

if TYPE_CHECKING:
    from azml_tasks.local.virtual_environment import VirtualEnvironment
    from azml_tasks.wiring import Output, Plan

_MOST_TRIES = 3


def given_steps(plan: Plan, selection: Selection, results: Results) -> dict[str, StepRecord]:
    """Return the records of the steps whose last results are taken as they are.

    Raises RunError when one that is read has none, or a damaged one, and UsageError when one lacks an output that is
    read, since pipeline.yaml has changed.
    """
    found = {}
    for key in selection.given:
        read = _outputs_read(plan, selection, key)
        result = results.of(key).latest
        damage = results.damage(result) if result else "it has no finished result"
        if result and not damage:
            _check_outputs(result, read)
            reason = f"not asked for; its result of {result.run_id} is taken"
            found[key] = StepRecord(
                key, "reused", reason, places=result.places, outputs=result.outputs, producer=result.run_id
            )
        elif read:
            reader = next(iter(read.values()))
            raise RunError(f"step '{reader}' reads what '{key}' wrote, and {damage}: {_remedy(key)}")
    return found


def _outputs_read(plan: Plan, selection: Selection, key: str) -> dict[Output, str]:
    """Return the outputs of a step that the chosen steps read, each with the first that does."""
    read: dict[Output, str] = {}
    for step in map(plan.__getitem__, selection.steps):
        for item in step.inputs:
            if not isinstance(item, DatasetInput) and item.output.step == key:
                read.setdefault(item.output, step.key)
    return read


def _check_outputs(result: Result, read: Mapping[Output, str]) -> None:
    missing = [output for output in read if output.name not in result.outputs]
    if missing:
        key, reader = missing[0].step, read[missing[0]]
        names = listed(output.argument for output in missing)
        raise UsageError(
            f"step '{reader}' reads {names} of '{key}', which its result of {result.run_id} does not have: "
            f"'{key}' must run again first; {_remedy(key)}"
        )


def _remedy(key: str) -> str:
    return f"run everything with `invoke run`, or from there with `--from-step {key}`"


def keep_snapshots(
    plan: Plan, steps: Sequence[str], layout: Layout, contents: Contents, located: Locate | None = None
) -> dict[str, Snapshot]:
    """Return the snapshots of the steps, their contents kept, so that later edits do not reach the run.

    Raises ProjectError with everything that is wrong with any of them, RunError, OSError.
    """
    for _ in range(_MOST_TRIES):
        snapshots = build_snapshots(plan, steps, layout, contents, located)
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


def build_snapshots(
    plan: Plan, steps: Sequence[str], layout: Layout, contents: Contents, located: Locate | None = None
) -> dict[str, Snapshot]:
    """Return the snapshots of the steps; `located` is as `take_snapshots` takes it.

    Raises ProjectError with everything that is wrong with any of them.
    """
    builder = SnapshotBuilder(layout.project, contents.hash_file)
    chosen = [plan[key] for key in steps]
    snapshots = take_snapshots(builder, chosen, located)
    check_contracts(chosen, snapshots, builder, located, plan.pipeline.pipeline_parameters)
    return snapshots
