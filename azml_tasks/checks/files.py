"""Check a readable pipeline.yaml and its files, without Azure."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass

from azml_tasks.checks.azure import needs_of
from azml_tasks.checks.contract import Disagreement, KnownDisagreements
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.lock.lockfile import outdated_locks
from azml_tasks.model import Step
from azml_tasks.plan import ParameterValue, StepPlan
from azml_tasks.reading import Project
from azml_tasks.reading.project import files_of
from azml_tasks.schedule.checks import schedule_problems
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.standin.azml_local.formats.files import without_collection


@dataclass(frozen=True)
class ProjectReport:
    """The problems of a project, and notes on what its scripts read and import.

    `remarks` are notes on what may be as it is meant, so that `--strict` does not refuse it.
    """

    problems: list[Problem]
    notes: list[Problem]
    remarks: list[Problem]


def check_project(project: Project, *, remember: bool = False, in_this_python: Collection[str] = ()) -> ProjectReport:
    """Check the files, the arguments and imports of the scripts, the schedule, and what the backend needs.

    `in_this_python` are the keys of the steps whose packages have to be installed here. With `remember`, what is found
    about the arguments is stored in the project, and not looked for again.
    """
    from azml_tasks.checks.data import unread_datasets
    from azml_tasks.checks.imports import absent_notes, import_notes
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
        here = [step for step in project.plan.steps if step.key in in_this_python]
        remarks += absent_notes(project.plan, here, snapshots, builder, project.problem)
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
    from azml_tasks.checks.data import data_notes, data_of_step

    keys = list(keys)
    builder = SnapshotBuilder(project.directory, hash_file=_readable)
    snapshots, _ = _snapshots(project, builder, (project.plan[key] for key in keys))
    known = KnownDisagreements(builder, project.pipeline.pipeline_parameters)
    for key, snapshot in snapshots.items():
        for found in known.of(project.plan[key], snapshot):
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

    That is what each file imports, and the mismatches of each step.
    """

    def __init__(self, project: Project, builder: SnapshotBuilder) -> None:
        self.mismatches: dict[str, list[Disagreement]] = {}
        self._builder = builder
        self._scripts = Counter(map(_script_of, project.pipeline.steps.values()))
        self._known = KnownDisagreements(builder)

    def look_for(self, step: StepPlan, snapshot: Snapshot) -> None:
        """Find the mismatches of a step, whose snapshot was just made."""
        self.mismatches[step.key] = self._known.of(step, snapshot)
        script = _script_of(step.step)
        self._scripts[script] -= 1
        if not self._scripts[script]:
            # Hundreds of syntax trees take long to allocate.
            self._builder.sources.forget_tree(str(snapshot.files[snapshot.script]))

    def save(self, *, complete: bool) -> None:
        """Store what was found; what else is stored stays, unless this is `complete`."""
        self._builder.remember(complete=complete)
        self._known.save(complete=complete)


def _script_of(step: Step) -> tuple[str, str]:
    return step.script_directory, step.script_name
