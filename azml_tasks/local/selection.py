"""Which steps a run is about: all of them, those from one on, or one alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azml_tasks.errors import UsageError, what_there_is

if TYPE_CHECKING:
    from azml_tasks.wiring import Plan


@dataclass(frozen=True)
class Selection:
    """The keys of the steps that may run, in order, and of those whose last result is taken as it is.

    `forced` holds the steps that run whatever could be reused.
    """

    steps: tuple[str, ...]
    given: tuple[str, ...] = ()
    forced: frozenset[str] = frozenset()


def select(plan: Plan, from_step: str | None = None, only: str | None = None, force: bool = False) -> Selection:
    """Return what `--from-step`, `--only` and `--force` ask for.

    Raises UsageError for a step that is not there.
    """
    keys = tuple(step.key for step in plan.steps)
    if from_step and only:
        raise UsageError("--from-step and --only exclude each other: give one of them")
    asked = from_step or only
    if asked is None:
        return Selection(keys, forced=frozenset(keys if force else ()))
    if asked not in keys:
        raise UsageError(f"the pipeline has no step '{asked}'{what_there_is(asked, keys)}")
    chosen = {asked} if only else {asked, *plan.downstream(asked)}
    steps = tuple(key for key in keys if key in chosen)
    needed = {above for key in steps for above in plan[key].upstream} - chosen
    return Selection(steps, tuple(key for key in keys if key in needed), frozenset(steps))
