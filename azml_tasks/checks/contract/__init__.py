"""What each step passes against what its script's argparse takes, read from the source without running it.

Only what must end the script is an error. Parsers that cannot be followed are left alone without a word: those of
other libraries, in classes, under conditions, or given to code that is not the project's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from azml_tasks.checks.contract.compare import Comparison, Disagreement
from azml_tasks.checks.contract.follow import certain_parses
from azml_tasks.checks.contract.modules import Sources
from azml_tasks.checks.contract.words import passed_words
from azml_tasks.errors import ProjectError
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder
from azml_tasks.wiring import StepPlan

__all__ = ["Disagreement", "check_contracts", "disagreements"]


def disagreements(
    step: StepPlan,
    snapshot: Snapshot,
    builder: SnapshotBuilder,
    parameters: Mapping[str, Any] | None = None,
) -> list[Disagreement]:
    """Return what a step passes and its script does not take, or needs and is not passed.

    `parameters` are the values of the pipeline's parameters in a run that is about to start; without them a default
    that does not fit is a remark, since a run may replace it.
    """
    sources = Sources(snapshot, builder.sources, Path(builder.project))
    if not sources.parse_arguments:
        return []
    words = passed_words(step, parameters or {})
    script = sources.shown(snapshot.script)
    found = [
        wrong
        for parse in certain_parses(sources, snapshot.script)
        for wrong in Comparison(step, script, parse, words, final=parameters is not None).disagreements()
    ]
    return list(dict.fromkeys(found))


def check_contracts(
    steps: Iterable[StepPlan],
    snapshots: Mapping[str, Snapshot],
    builder: SnapshotBuilder,
    located: Locate | None,
    parameters: Mapping[str, Any] | None = None,
) -> None:
    """See that each step passes what its script takes, before any of them runs; the arguments are as above.

    Raises ProjectError with all that does not fit.
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
