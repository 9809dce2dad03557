"""Compare what each step passes with what its script declares and reads, in its source, without running it.

That is the parser of argparse, the keys of step_config, and the run's datasets. Only what would stop the script is an
error. Parsers that cannot be followed are not checked: those of other libraries, in classes, under conditions, or
passed to code outside the project.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.contract.words import Disagreement, passed_words
from azml_tasks.errors import ProjectError
from azml_tasks.plan import FolderInput, StepPlan
from azml_tasks.reading import Project
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder, take_snapshots

if TYPE_CHECKING:
    from azml_tasks.checks.contract.parsers import Parse
    from azml_tasks.checks.contract.readings import Readings
    from azml_tasks.checks.contract.values import Namespace

__all__ = ["Disagreement", "check_contracts", "checked_snapshots", "disagreements", "passed_words"]


def disagreements(
    step: StepPlan,
    snapshot: Snapshot,
    builder: SnapshotBuilder,
    parameters: Mapping[str, Any] | None = None,
) -> list[Disagreement]:
    """Return arguments that a script does not accept, or requires but does not get.

    `parameters` are the values of the pipeline's parameters in a run that is about to start; without them an invalid
    default is only a remark, because a run may replace it.
    """
    # Not needed for what is known already.
    from azml_tasks.checks.contract.compare import Comparison
    from azml_tasks.checks.contract.follow import Follower
    from azml_tasks.checks.contract.modules import Sources
    from azml_tasks.checks.contract.readings import returned
    from azml_tasks.checks.contract.uses import Uses

    sources = Sources(snapshot, builder.sources, Path(builder.project))
    if not sources.parse_arguments and not sources.read_datasets and not step.step.input_datasets:
        return []
    words = passed_words(step, parameters or {})
    script = sources.shown(snapshot.script)
    found: list[Disagreement] = []

    def compare(parse: Parse, readings: Readings) -> Namespace | None:
        comparison = Comparison(step, script, parse, words, final=parameters is not None, is_named=sources.declare)
        wrong = comparison.disagreements()
        found.extend(wrong)
        return None if any(one.certain for one in wrong) else returned(comparison, readings)

    names = frozenset(item.name for item in step.inputs)
    has_datasets = sources.read_datasets or not all(isinstance(item, FolderInput) for item in step.inputs)
    follower = Follower(sources, compare, names, has_datasets=has_datasets)
    follower.follow(snapshot.script)
    if not follower.edits:
        found += Uses(step, script, follower, sources).disagreements()
    follower.close()
    return [] if follower.edits else list(dict.fromkeys(found))


def check_contracts(
    steps: Iterable[StepPlan],
    snapshots: Mapping[str, Snapshot],
    builder: SnapshotBuilder,
    located: Locate | None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """Check the arguments of all steps before any of them runs; parameters as above.

    Raises ProjectError with all mismatches.
    """
    if located is None:
        return
    problems = [
        located(wrong.path, wrong.message)
        for step in steps
        if step.key in snapshots
        for wrong in disagreements(step, snapshots[step.key], builder, parameters)
        if wrong.certain
    ]
    if problems:
        raise ProjectError(dict.fromkeys(problems))


def checked_snapshots(project: Project) -> dict[str, Snapshot]:
    """Return the snapshots of all steps of a run that is about to start, whose scripts take what they are passed.

    Raises ProjectError with all that is wrong.
    """
    builder = SnapshotBuilder(project.directory)
    steps = project.plan.steps
    snapshots = take_snapshots(builder, steps, project.problem)
    check_contracts(steps, snapshots, builder, project.problem, project.pipeline.pipeline_parameters)
    return snapshots
