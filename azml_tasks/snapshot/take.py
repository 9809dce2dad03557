"""The snapshots of a pipeline's steps, or all that is wrong with any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.snapshot.build import SnapshotBuilder
from azml_tasks.snapshot.snapshot import Snapshot, SnapshotError
from azml_tasks.wiring import OptionValue, Plan, StepPlan, Token

Locate = Callable[[tuple[str | int, ...], str], Problem]


def take_snapshots(
    builder: SnapshotBuilder, steps: Iterable[StepPlan], located: Locate | None = None
) -> dict[str, Snapshot]:
    """Return the snapshot of each step, by its key.

    `located` makes a problem of a place in pipeline.yaml, for what a step is to blame for. Raises ProjectError with
    everything that is wrong.
    """
    snapshots: dict[str, Snapshot] = {}
    problems: list[Problem] = []
    for key, step in ((planned.key, planned.step) for planned in steps):
        whole = step.snapshot == "directory"
        try:
            snapshots[key] = builder.build(step.script_directory, step.script_name, step.include, whole)
        except SnapshotError as error:
            for finding in error.findings:
                wrong = finding.problem
                if finding.key and located:
                    wrong = located(("steps", key, *finding.key), f"step '{key}': {wrong.file}: {wrong.message}")
                problems.append(wrong)
    if problems:
        raise ProjectError(dict.fromkeys(problems))
    return snapshots


def with_words(plan: Plan, snapshots: Mapping[str, Snapshot]) -> Plan:
    """Return the plan with its options and their values as the scripts of the snapshots take them."""
    return replace(plan, steps=tuple(step_with_words(step, snapshots[step.key]) for step in plan.steps))


def step_with_words(step: StepPlan, snapshot: Snapshot) -> StepPlan:
    """Return the step's plan with its options and their values as its script takes them.

    Where a script reads `sys.argv` by itself, an option and its value are two words whatever the value is.
    """
    return replace(step, argv=tuple(_words(step, snapshot)))


def _words(step: StepPlan, snapshot: Snapshot) -> Iterator[Token]:
    for token in step.argv:
        if not isinstance(token, OptionValue):
            yield token
        elif snapshot.splits_arguments:
            yield from (token.name, token.value)
        else:
            yield token.joined
