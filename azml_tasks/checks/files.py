"""Check a readable pipeline.yaml and its files, without Azure."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azml_tasks.checks.azure import needs_of
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.lock.lockfile import outdated_locks
from azml_tasks.model import Step
from azml_tasks.plan import ParameterValue, StepPlan
from azml_tasks.reading import Project
from azml_tasks.reading.project import files_of
from azml_tasks.schedule.checks import schedule_problems
from azml_tasks.secrets import redact
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.snapshot.files import leads_out
from azml_tasks.snapshot.imports import Import, SourceFile
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
        known = KnownFindings(project, builder)
        snapshots, problems = _snapshots(project, builder, project.plan.steps, known.look_for)
        found = [
            (project.problem(wrong.path, wrong.message), wrong.certain)
            for step in project.plan.steps
            if step.key in snapshots
            for wrong in known.mismatches[step.key]
        ]
        if remember:
            known.save(complete=not problems)
        imports, remarks = import_notes(project, snapshots, builder)
        of_mlflow = list(mlflow_notes(project, snapshots, builder))
        del builder, known  # the syntax trees, before the next collection has to look at them
    problems += _other_files(project)
    problems += [problem for problem, certain in found if certain]
    needs = needs_of(project)
    notes = [*(problem for problem, certain in found if not certain), *imports, *of_mlflow]
    remarks += _unused_parameters(project)
    if snapshots:
        files = (path for snapshot in snapshots.values() for path in snapshot.files.values())
        notes += unread_datasets(project, (path for path in files if path.suffix == ".py"))
    problems = [*problems, *schedule_problems(project), *needs]
    return ProjectReport([*dict.fromkeys(problems)], [*dict.fromkeys(notes)], remarks)


def step_notes(project: Project, keys: Iterable[str]) -> Iterator[Problem]:
    """Yield what `validate` notes on what steps pass to their scripts and on the data that they read."""
    from azml_tasks.checks.contract import disagreements
    from azml_tasks.checks.data import data_notes, data_of_step

    keys = list(keys)
    builder = SnapshotBuilder(project.directory, hash_file=_readable)
    snapshots, _ = _snapshots(project, builder, (project.plan[key] for key in keys))
    for key, snapshot in snapshots.items():
        for found in disagreements(project.plan[key], snapshot, builder, project.pipeline.pipeline_parameters):
            yield project.problem(found.path, found.message)
    yield from data_notes(project, dict.fromkeys(name for key in keys for name in data_of_step(project, key)))


def project_problems(project: Project) -> list[Problem]:
    """Return what is wrong with the project; see `check_project`."""
    return check_project(project).problems


def file_problems(project: Project) -> list[Problem]:
    """Return the problems of the files in the pipeline: scripts, imports, data, conda files.

    The wiring of the steps is not checked.
    """
    steps = (StepPlan(key, step, (), (), (), ()) for key, step in project.pipeline.steps.items())
    _, problems = _snapshots(project, SnapshotBuilder(project.directory, hash_file=_readable), steps)
    return list(dict.fromkeys((*problems, *_other_files(project))))


def _other_files(project: Project) -> Iterator[Problem]:
    from azml_tasks.checks.data import column_problems, missing_data

    yield from missing_data(project.pipeline, project.directory, project.problem)
    yield from column_problems(project)
    yield from _environment_files(project)


def _snapshots(
    project: Project,
    builder: SnapshotBuilder,
    steps: Iterable[StepPlan],
    then: Callable[[StepPlan, Snapshot], None] | None = None,
) -> tuple[dict[str, Snapshot], list[Problem]]:
    """Return the snapshots (none if one is invalid) and all problems; `then` as for `take_snapshots`."""
    try:
        return take_snapshots(builder, steps, project.problem, then), []
    except ProjectError as error:
        return {}, list(error.problems)


def _unused_parameters(project: Project) -> Iterator[Problem]:
    used = {token.name for step in project.plan.steps for token in step.argv if isinstance(token, ParameterValue)}
    blob = project.pipeline.schedule.on_blob_change if project.pipeline.schedule else None
    used |= {blob.data_path_parameter_name or ""} if blob else set()
    for name in project.pipeline.pipeline_parameters:
        if name not in used:
            message = (
                f"no step uses the pipeline parameter '{name}'; pass it in arguments: ${{{{ parameters.{name} }}}}"
            )
            yield project.problem(("pipeline_parameters", name), message)


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


class KnownFindings:
    """What was found about the scripts, looked for once as long as a step and its Python files stay the same.

    That is what each file imports, by the digest of its content, and the mismatches of each step. They are kept in a
    file of the project, which may be deleted.
    """

    def __init__(self, project: Project, builder: SnapshotBuilder) -> None:
        self.mismatches: dict[str, list[Disagreement]] = {}
        self._builder = builder
        self._scripts = Counter(map(_script_of, project.pipeline.steps.values()))
        self._file = Path(builder.project) / KNOWN
        self._code = _code_version()
        stored = {}
        with contextlib.suppress(OSError):
            stored = read_json(self._file) or {}
        self._stored = stored if stored.get("digest") == self._digest(stored) else {}
        self._steps: dict[str, Any] = {}
        builder.sources.known = self._source

    def look_for(self, step: StepPlan, snapshot: Snapshot) -> None:
        """Find the mismatches of a step, whose snapshot was just made."""
        from azml_tasks.checks.contract import Disagreement, disagreements

        key = self._key(step, snapshot)
        rows = self._part("steps").get(key)
        if rows is None:
            found = disagreements(step, snapshot, self._builder)
            rows = [[list(one.path), one.message, one.certain] for one in found]
        self._steps[key] = rows
        self.mismatches[step.key] = [Disagreement(tuple(path), text, certain) for path, text, certain in rows]
        script = _script_of(step.step)
        self._scripts[script] -= 1
        if not self._scripts[script]:
            # Hundreds of syntax trees take long to allocate.
            self._builder.sources.forget_tree(str(snapshot.files[snapshot.script]))

    def save(self, *, complete: bool) -> None:
        """Write what was found; what else is stored stays, unless this is `complete`.

        A folder that cannot be written is left as it is.
        """
        files = {digest: _row(source) for digest, source in self._builder.sources.found.items() if source.error is None}
        kept = {"files": self._kept("files", files, complete), "steps": self._kept("steps", self._steps, complete)}
        if all(kept[name] == self._part(name) for name in kept) or leads_out(self._file, Path(self._builder.project)):
            return
        with contextlib.suppress(OSError):
            write_json(self._file, {**kept, "digest": self._digest(kept)})

    def _kept(self, name: str, rows: dict[str, Any], complete: bool) -> dict[str, Any]:
        """Return what is stored of a part: what has the form of a secret is shown, but never stored."""
        before = self._part(name)
        kept = {key: row for key, row in rows.items() if key in before or not _may_be_secret(row)}
        return kept if complete else {**before, **kept}

    def _part(self, name: str) -> dict[str, Any]:
        part: dict[str, Any] = self._stored.get(name, {})
        return part

    def _digest(self, stored: dict[str, Any]) -> str:
        """Return what is another text for damaged findings, and for those of other code."""
        text = json.dumps([self._code, stored.get("files"), stored.get("steps")])
        return hashlib.sha256(text.encode()).hexdigest()

    def _source(self, digest: str) -> SourceFile | None:
        row = self._part("files").get(digest)
        if row is None:
            return None
        imports, exports, flags = row
        found = (Import(module, tuple(names), *rest) for module, names, *rest in imports)
        return SourceFile(tuple(found), tuple(exports), digest=digest, **dict(zip(_FLAGS, flags, strict=True)))

    def _key(self, step: StepPlan, snapshot: Snapshot) -> str:
        from azml_tasks.checks.contract.words import passed_words

        words = [(word, word.shown, word.path) for word in passed_words(step, {})]
        files = sorted(self._contents(snapshot))
        parts = (step, words, snapshot.script, sorted(snapshot.outside), files)
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def _contents(self, snapshot: Snapshot) -> Iterator[tuple[str, str, str]]:
        """Yield each file of the snapshot, where it is in the project, and the digest of one of Python."""
        for place, path in snapshot.files.items():
            digest = self._builder.sources.read(str(path)).digest if place.endswith(".py") else ""
            yield place, os.path.relpath(path, self._builder.project), digest


def _script_of(step: Step) -> tuple[str, str]:
    return step.script_directory, step.script_name


_FLAGS = tuple(field.name for field in fields(SourceFile) if field.default is False)


def _row(source: SourceFile) -> list[Any]:
    """Return what was found in a file without errors, as JSON has it."""
    imports = [[item.module, list(item.names), item.level, item.guard, item.line] for item in source.imports]
    return [imports, list(source.exports), [getattr(source, name) for name in _FLAGS]]


def _may_be_secret(row: list[Any]) -> bool:
    text = "\n".join(_texts(row))
    return redact(text) != text


def _texts(row: list[Any]) -> Iterator[str]:
    for item in row:
        if isinstance(item, list):
            yield from _texts(item)
        elif isinstance(item, str):
            yield item


def _code_version() -> str:
    """Return what is another text for another release, other code of the checks, and another Python."""
    package = Path(__file__).parents[1]
    total = hashlib.sha256(sys.version.encode())
    # The first names the release.
    for file in (package / "__init__.py", *_files(package / "snapshot"), *_files(package / "checks" / "contract")):
        total.update(file.read_bytes())
    return total.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix in (".py", ".json"))
