"""Compare what each step passes with what its script declares and reads, in its source, without running it.

That is the parser of argparse, the keys of step_config, and the run's datasets. Only what would stop the script is an
error. Parsers that cannot be followed are not checked: those of other libraries, in classes, under conditions, or
passed to code outside the project.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.contract.words import Disagreement, passed_words
from azml_tasks.errors import ProjectError
from azml_tasks.plan import FolderInput, StepPlan
from azml_tasks.reading import Project
from azml_tasks.snapshot import Locate, Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.snapshot.imports import KnownRows, code_version

if TYPE_CHECKING:
    from azml_tasks.checks.contract.parsers import Parse
    from azml_tasks.checks.contract.readings import Readings
    from azml_tasks.checks.contract.values import Namespace

__all__ = ["Disagreement", "KnownDisagreements", "check_contracts", "checked_snapshots", "disagreements"]

# How many mismatches are printed before a run that they do not stop.
_MOST_NOTES = 12


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


class KnownDisagreements:
    """The disagreements of steps, looked for once as long as a step and its Python files stay the same.

    They are stored in the project, by a digest of all that they depend on; `parameters` as above.
    """

    def __init__(self, builder: SnapshotBuilder, parameters: Mapping[str, Any] | None = None) -> None:
        self._builder = builder
        self._parameters = parameters
        self._rows = KnownRows(builder.project, "checks.json", _code_version())
        self._used: dict[str, Any] = {}

    def of(self, step: StepPlan, snapshot: Snapshot) -> list[Disagreement]:
        """Return those of a step; see `disagreements`."""
        key = self._key(step, snapshot)
        rows = self._rows.get(key)
        if rows is None:
            found = disagreements(step, snapshot, self._builder, self._parameters)
            rows = [[list(one.path), one.message, one.certain] for one in found]
        self._used[key] = rows
        return [Disagreement(tuple(path), text, certain) for path, text, certain in rows]

    def save(self, *, complete: bool) -> None:
        """Store what was found; what else is stored stays, unless this is `complete`."""
        self._rows.save(self._used, complete=complete)

    def _key(self, step: StepPlan, snapshot: Snapshot) -> str:
        words = passed_words(step, self._parameters or {})
        shown = [(word, word.shown, word.path) for word in words]
        is_final = self._parameters is not None and any(word.is_parameter for word in words)
        parts = (step, shown, is_final, snapshot.script, sorted(snapshot.outside), sorted(self._contents(snapshot)))
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def _contents(self, snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
        """Yield each file of the snapshot, where it is in the project, and the digest of one of Python."""
        for place, path in snapshot.files.items():
            digest = self._builder.sources.read(str(path)).digest if place.endswith(".py") else ""
            yield place, os.path.relpath(path, self._builder.project), digest


def _code_version() -> str:
    checks = Path(__file__).parent
    return code_version(checks.parents[1] / "snapshot", checks)


def check_contracts(
    steps: Iterable[StepPlan],
    snapshots: Mapping[str, Snapshot],
    builder: SnapshotBuilder,
    located: Locate | None,
    parameters: Mapping[str, Any] | None = None,
    *,
    remember: bool = False,
) -> list[str]:
    """Check the arguments of all steps before any of them runs; parameters as above.

    Returns the mismatches that do not stop a run, each with its line, to be printed. With `remember`, what is found
    is stored in the project. Raises ProjectError with all mismatches that do.
    """
    if located is None:
        return []
    known = KnownDisagreements(builder, parameters)
    found = [
        (located(wrong.path, wrong.message), wrong.certain)
        for step in steps
        if step.key in snapshots
        for wrong in known.of(step, snapshots[step.key])
    ]
    if remember:
        known.save(complete=False)
    problems = dict.fromkeys(problem for problem, certain in found if certain)
    if problems:
        raise ProjectError(problems)
    notes = [str(problem) for problem in dict.fromkeys(problem for problem, _ in found)]
    more = len(notes) - _MOST_NOTES + 1
    return notes if more < 2 else [*notes[:-more], f"{more} more notes like these: see `invoke validate`"]


def checked_snapshots(project: Project, say: Callable[[str], None] = lambda note: None) -> dict[str, Snapshot]:
    """Return the snapshots of all steps of a run that is about to start, whose scripts take what they are passed.

    `say` gets the mismatches that do not stop it, and notes on what looks like a secret. Raises ProjectError with all
    that is wrong.
    """
    builder = SnapshotBuilder(project.directory)
    steps = project.plan.steps
    snapshots = take_snapshots(builder, steps, project.problem)
    parameters = project.pipeline.pipeline_parameters
    notes = check_contracts(steps, snapshots, builder, project.problem, parameters)
    for note in (*map(str, project.secret_notes()), *notes):
        say(note)
    return snapshots
