"""Check a readable pipeline.yaml and its files, without Azure."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.azure import needs_of
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.lock.lockfile import outdated_locks
from azml_tasks.plan import StepPlan
from azml_tasks.reading import Project
from azml_tasks.reading.project import files_of
from azml_tasks.schedule.checks import schedule_problems
from azml_tasks.secrets import redact
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.snapshot.files import leads_out
from azml_tasks.standin.azml_local.formats.files import without_collection
from azml_tasks.standin.azml_local.formats.records import read_json, write_json

if TYPE_CHECKING:
    from azml_tasks.checks.contract import Disagreement

# What was found about the scripts, in a project.
KNOWN = Path(".azml", "checks.json")


@dataclass(frozen=True)
class ProjectReport:
    """The problems of a project, and notes on what its scripts read and import.

    `remarks` are notes on what may be as it is meant, so that `--strict` does not refuse it.
    """

    problems: list[Problem]
    notes: list[Problem]
    remarks: list[Problem]


def check_project(project: Project, *, remember: bool = False) -> ProjectReport:
    """Check the files, the arguments and imports of the scripts, the schedule, and what the backend needs.

    With `remember`, what is found about the arguments is stored in the project, and not looked for again.
    """
    from azml_tasks.checks.data import unread_datasets
    from azml_tasks.checks.imports import import_notes
    from azml_tasks.checks.mlflow import mlflow_notes

    builder = SnapshotBuilder(project.directory, hash_file=_readable)
    with without_collection():
        snapshots, problems = _snapshots(project, builder)
        known = KnownDisagreements(builder)
        found = [
            (project.problem(wrong.path, wrong.message), wrong.certain)
            for step in project.plan.steps
            if step.key in snapshots
            for wrong in known.of(step, snapshots[step.key])
        ]
        if remember:
            known.save()
        imports, remarks = import_notes(project, snapshots, builder)
        of_mlflow = list(mlflow_notes(project, snapshots, builder))
        del builder, known  # the syntax trees, before the next collection has to look at them
    problems += _other_files(project)
    problems += [problem for problem, certain in found if certain]
    needs = needs_of(project)
    notes = [*(problem for problem, certain in found if not certain), *imports, *of_mlflow]
    if snapshots:
        files = (path for snapshot in snapshots.values() for path in snapshot.files.values())
        notes += unread_datasets(project, (path for path in files if path.suffix == ".py"))
    problems = [*problems, *schedule_problems(project), *needs]
    return ProjectReport([*dict.fromkeys(problems)], [*dict.fromkeys(notes)], remarks)


def project_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the project; see `check_project`."""
    return check_project(project).problems


def file_problems(project: Project) -> list[Problem]:
    """Return the problems of the files in the pipeline: scripts, imports, data, conda files.

    The wiring of the steps is not checked.
    """
    _, problems = _snapshots(project, SnapshotBuilder(project.directory, hash_file=_readable))
    return list(dict.fromkeys((*problems, *_other_files(project))))


def _other_files(project: Project) -> Iterator[Problem]:
    from azml_tasks.checks.data import column_problems, missing_data

    yield from missing_data(project)
    yield from column_problems(project)
    yield from _environment_files(project)


def _snapshots(project: Project, builder: SnapshotBuilder) -> tuple[dict[str, Snapshot], list[Problem]]:
    """Return the snapshots (none if one is invalid) and all problems."""
    steps = (StepPlan(key, step, (), (), (), ()) for key, step in project.pipeline.steps.items())
    try:
        return take_snapshots(builder, steps, project.problem), []
    except ProjectError as error:
        return {}, list(error.problems)


def _readable(path: str) -> str:
    """Make sure that a file can be read, whose content does not matter for a check.

    Raises OSError.
    """
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
    return ""


def _environment_files(project: Project) -> Iterator[Problem]:
    for name, environment in project.pipeline.environments.items():
        for key in ("conda_file", "dockerfile"):
            file = getattr(environment, key)
            if file is not None and not (project.directory / file).is_file():
                yield project.problem(("environments", name, key), f"environment '{name}': {file} does not exist")
    files = files_of(project)
    yield from files.faults()
    if project.pipeline.backend == "local":
        yield from files.missing()


def environment_notes(project: Project) -> list[Problem]:
    """Return remarks on the environments: secrets by name, Python versions that a local run cannot use, old locks."""
    files = files_of(project)
    old = files.old_pythons() if project.pipeline.backend == "local" else ()
    return [*files.secret_variables(), *old, *outdated_locks(project)]


class KnownDisagreements:
    """The mismatches of steps, each looked for once as long as the step and its Python files stay the same.

    They are kept in a file of the project, which may be deleted.
    """

    def __init__(self, builder: SnapshotBuilder) -> None:
        self._builder = builder
        self._file = Path(builder.project) / KNOWN
        self._code = _code_version()
        self._known: dict[str, Any] = {}
        self._used: dict[str, Any] = {}
        with contextlib.suppress(OSError):
            self._known = read_json(self._file) or {}

    def of(self, step: StepPlan, snapshot: Snapshot) -> list[Disagreement]:
        """Return the mismatches of a step."""
        from azml_tasks.checks.contract import disagreements

        key = self._key(step, snapshot)
        found = _read(self._known.get(key))
        if found is None:
            found = disagreements(step, snapshot, self._builder)
        # What has the form of a secret is shown, but never stored.
        if all(redact(one.message) == one.message for one in found):
            self._used[key] = [[list(one.path), one.message, one.certain] for one in found]
        return found

    def save(self) -> None:
        """Write what was used, unless it is there; a folder that cannot be written is left as it is."""
        if self._used == self._known or leads_out(self._file, Path(self._builder.project)):
            return
        with contextlib.suppress(OSError):
            write_json(self._file, self._used)

    def _key(self, step: StepPlan, snapshot: Snapshot) -> str:
        from azml_tasks.checks.contract.words import passed_words

        words = [(word, word.shown, word.path) for word in passed_words(step, {})]
        files = sorted(self._contents(snapshot))
        parts = (self._code, step, words, snapshot.script, sorted(snapshot.outside), files)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def _contents(self, snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
        """Yield each file of the snapshot, where it is in the project, and the digest of one of Python."""
        for place, path in snapshot.files.items():
            digest = self._builder.sources.read(str(path)).digest if place.endswith(".py") else ""
            yield place, os.path.relpath(path, self._builder.project), digest


def _code_version() -> str:
    """Return what is another text for another release, other code of the checks, and another Python."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256(repr(sys.version_info[:2]).encode())
    # The first names the release.
    for file in (package / "__init__.py", *sorted((package / "checks" / "contract").glob("*.py"))):
        total.update(file.read_bytes())
    return total.hexdigest()


def _read(stored: object) -> list[Disagreement] | None:
    """Return stored mismatches; None if they are missing or damaged."""
    from azml_tasks.checks.contract import Disagreement

    if not isinstance(stored, list):
        return None
    found = []
    for item in stored:
        match item:
            case [[*path], str(message), bool(certain)] if all(isinstance(part, (str, int)) for part in path):
                found.append(Disagreement(tuple(path), message, certain))
            case _:
                return None
    return found
