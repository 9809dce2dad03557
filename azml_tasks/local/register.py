"""Register without a workspace: create environments, check the data of datasets."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from azml_tasks.backend import KINDS, Change, Kind
from azml_tasks.checks.data import DatasetReport, inspect_dataset, unknown_column
from azml_tasks.checks.places import place_problem
from azml_tasks.errors import Problem, ProjectError, RunError
from azml_tasks.local import environments
from azml_tasks.local.environments import EnvironmentSpec
from azml_tasks.local.runs import list_runs
from azml_tasks.local.step.environment import installing_environment
from azml_tasks.local.store.long_reads import Pace
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.local.store.runs import refuse_links
from azml_tasks.reading import Project
from azml_tasks.reading.environment.files import is_too_old
from azml_tasks.reading.project import files_of
from azml_tasks.standin.azml_local.formats.copies import size_of
from azml_tasks.standin.azml_local.formats.files import files, local_paths
from azml_tasks.text import listed

Say = Callable[[str], None]
_MOST_COLUMNS = 8


def register(
    project: Project,
    kinds: Collection[Kind] = KINDS,
    dry: bool = False,
    say: Say = lambda line: None,
    progress: Say = lambda line: None,
) -> Iterator[Change]:
    """Register these kinds on this machine, and yield each change.

    `say` gets pip's output, and `progress` how far large files have been read.

    Raises ProjectError at the end, with everything that is missing; RunError.
    """
    problems: list[Problem] = []
    parts = {"environment": register_environments(project, dry, say), "dataset": register_datasets(project, progress)}
    for kind, part in parts.items():
        try:
            yield from part if kind in kinds else ()
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)


def register_environments(project: Project, dry: bool = False, say: Say = lambda line: None) -> Iterator[Change]:
    """Create a virtual environment for each environment of the file, unless it is up to date.

    `say` gets the progress, line by line. Raises ProjectError at the end, with the environments that cannot be created
    on this machine; RunError.
    """
    layout = ProjectPaths.of(project.directory)
    refuse_links(layout)
    problems: list[Problem] = []
    for name in project.pipeline.environments:
        try:
            yield _environment(project, layout, name, dry, say)
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)


def _environment(project: Project, layout: ProjectPaths, name: str, dry: bool, say: Say) -> Change:
    files = files_of(project, name)
    problems = [*files.faults(), *files.missing()]
    if problems:
        raise ProjectError(problems)
    wanted = _wanted(project, name)
    found = environments.find(layout, name)
    if found is not None and found.digest == wanted.digest and not is_too_old(found.python_version):
        return Change("environment", name, "unchanged", f"Python {found.python_version}{_lacks(wanted, found.missing)}")
    problem = next(files.old_pythons(), None) or _missing_python(project, name, wanted)
    if problem:
        raise ProjectError([problem])
    outcome = "created" if found is None else "updated"
    if dry:
        tries = f"; {listed(wanted.conda)} if on the package index" if wanted.conda else ""
        return Change("environment", name, outcome, f"Python {wanted.python}{_lacks(wanted)}{tries}", dry=True)
    environment = installing_environment(project.pipeline, layout.project, os.environ)
    say(f"environment {name}: installing into a new virtual environment")
    # A running run needs its environment.
    clears = not any(run.status == "running" for run in list_runs(layout.project))
    try:
        made = environments.make(layout, name, wanted, environment, lambda line: say(f"  {line}"), clears)
    except OSError as error:
        text = f"could not create the virtual environment '{name}': {error.strerror}: {error.filename}"
        raise RunError(text) from error
    return Change("environment", name, outcome, f"Python {made.python_version}{_lacks(wanted, made.missing)}")


def _lacks(wanted: EnvironmentSpec, missing: Sequence[str] = ()) -> str:
    """Describe the parts of the definition that are missing in the virtual environment."""
    lacks = f"; without {listed(wanted.left_out)}, which only Azure ML uses" if wanted.left_out else ""
    if missing:
        lacks += f"; without {listed(missing)}, which pip could not install; they are installed on Azure ML only"
    return lacks


def missing_pythons(project: Project) -> Iterator[Problem]:
    """Yield problems of environments that are not created yet: their Python is not installed.

    Raises ProjectError for a conda file that cannot be read.
    """
    layout = ProjectPaths.of(project.directory)
    for name in project.pipeline.environments:
        wanted = _wanted(project, name)
        found = environments.find(layout, name)
        problem = _missing_python(project, name, wanted)
        if problem and not (found and found.digest == wanted.digest):
            yield problem


def _wanted(project: Project, name: str) -> EnvironmentSpec:
    return environments.environment_spec(project.plan, name, project.directory)


def _missing_python(project: Project, name: str, wanted: EnvironmentSpec) -> Problem | None:
    try:
        environments.interpreter_of(wanted.python)
    except environments.NoPythonError as error:
        key = "conda_file" if project.pipeline.environments[name].conda_file else "python_version"
        return project.problem(("environments", name, key), f"environment '{name}': {error}")
    return None


def register_datasets(project: Project, progress: Say = lambda line: None) -> Iterator[Change]:
    """Check the local data of each dataset and yield a report.

    `progress` is called now and then while large files are read. Raises ProjectError at the end, with all problems.
    """
    problems: list[Problem] = []
    pace = Pace()
    pace.say = progress
    for name, dataset in project.pipeline.datasets.items():
        if wrong := place_problem(project, name):
            problems.append(wrong)
            continue
        place = os.path.normpath(project.directory / (dataset.local_path or ""))
        with pace.reading(f"dataset {name}", lambda: size_of(files(local_paths(place, dataset.paths)))):  # noqa: B023
            data = inspect_dataset(name, dataset, project.directory, advance=pace.advance)
        found = [project.problem(("datasets", name, key), sentence) for key, sentence in data.problems]
        found += (
            project.problem(("datasets", name, "set_column_types", column), unknown_column(name, column, data))
            for column in data.unknown
        )
        problems += found
        if not found:
            notes = tuple(sentence for _, sentence in data.remarks)
            yield Change("dataset", name, "checked", _seen(data, project.directory), notes=notes)
    if problems:
        raise ProjectError(problems)


def _seen(data: DatasetReport, directory: Path) -> str:
    first = os.path.relpath(data.files[0], directory).replace(os.sep, "/")
    where = first if len(data.files) == 1 else f"{len(data.files):,} files such as {first}"
    if data.columns is None or data.rows is None:
        return where
    columns = data.columns
    more = f" and {len(columns) - _MOST_COLUMNS} more" if len(columns) > _MOST_COLUMNS else ""
    shown = ", ".join(columns[:_MOST_COLUMNS]) if more else listed(columns)
    rows = "1 row" if data.rows == 1 else f"{data.rows:,} rows"
    return f"{rows} of {shown}{more} in {where}"
