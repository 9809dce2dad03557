"""What registering means without a workspace: environments are made, the data of datasets are looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.checks.data import DatasetReport, inspect_dataset, unknown_column
from azml_tasks.errors import Problem, ProjectError, RunError, listed
from azml_tasks.local import virtual_environment
from azml_tasks.local.environment import installing_environment
from azml_tasks.local.layout import Layout
from azml_tasks.local.runs import list_runs, refuse_links
from azml_tasks.local.virtual_environment import Wanted
from azml_tasks.reading import Project
from azml_tasks.reading.environment import files_of, is_too_old

Say = Callable[[str], None]
_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Made:
    """What became of one environment, or what was seen of one dataset."""

    kind: str
    name: str
    outcome: str
    detail: str = ""
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.outcome}" + (f" ({self.detail})" if self.detail else "")


def register(project: Project, dry: bool = False, say: Say = lambda line: None) -> Iterator[Made]:
    """Do all that registering means on this machine, and yield each thing as it is done; `say` gets pip's lines.

    Raises ProjectError at the end, with everything that the file asks for and is not here; RunError.
    """
    problems: list[Problem] = []
    for part in (register_environments(project, dry, say), register_datasets(project)):
        try:
            yield from part
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)


def register_environments(project: Project, dry: bool = False, say: Say = lambda line: None) -> Iterator[Made]:
    """Make a virtual environment of each environment of the file, unless it is there as the file has it.

    `say` gets what is done meanwhile, line by line.

    Raises ProjectError at the end, with the environments that cannot be made on this machine; RunError.
    """
    layout = Layout.of(project.directory)
    refuse_links(layout)
    problems: list[Problem] = []
    for name in project.pipeline.environments:
        try:
            yield _environment(project, layout, name, dry, say)
        except ProjectError as error:
            problems += error.problems
    if problems:
        raise ProjectError(problems)


def _environment(project: Project, layout: Layout, name: str, dry: bool, say: Say) -> Made:
    files = files_of(project, name)
    problems = [*files.faults(), *files.missing()]
    if problems:
        raise ProjectError(problems)
    wanted = _wanted(project, name)
    found = virtual_environment.find(layout, name)
    if found is not None and found.digest == wanted.digest and not is_too_old(found.python_version):
        return Made("environment", name, "unchanged", f"Python {found.python_version}{_lacks(wanted, found.missing)}")
    problem = next(files.old_pythons(), None) or _missing_python(project, name, wanted)
    if problem:
        raise ProjectError([problem])
    outcome = "created" if found is None else "updated"
    if dry:
        tries = f"; {listed(wanted.conda)} as far as the package index has it" if wanted.conda else ""
        return Made("environment", name, f"would be {outcome}", f"Python {wanted.python}{_lacks(wanted)}{tries}")
    environment = installing_environment(project.pipeline, layout.project, os.environ)
    say(f"environment {name}: installing into a new virtual environment")
    # A run that goes on needs the one that it began with.
    clears = not any(run.status == "running" for run in list_runs(layout.project))
    try:
        made = virtual_environment.make(layout, name, wanted, environment, lambda line: say(f"  {line}"), clears)
    except OSError as error:
        text = f"the virtual environment '{name}' could not be made: {error.strerror}: {error.filename}"
        raise RunError(text) from error
    return Made("environment", name, outcome, f"Python {made.python_version}{_lacks(wanted, made.missing)}")


def _lacks(wanted: Wanted, missing: Sequence[str] = ()) -> str:
    """Say what of the file's definition is not in the virtual environment."""
    lacks = f"; without {listed(wanted.left_out)}, which only Azure ML uses" if wanted.left_out else ""
    if missing:
        lacks += f"; without {listed(missing)}, which pip could not install: only Azure ML does"
    return lacks


def missing_pythons(project: Project) -> Iterator[Problem]:
    """Yield what keeps environments that are still to be made from it: their Python is not on this machine.

    Raises ProjectError for a conda file that cannot be read.
    """
    layout = Layout.of(project.directory)
    for name in project.pipeline.environments:
        wanted = _wanted(project, name)
        found = virtual_environment.find(layout, name)
        problem = _missing_python(project, name, wanted)
        if problem and not (found and found.digest == wanted.digest):
            yield problem


def _wanted(project: Project, name: str) -> Wanted:
    return virtual_environment.wanted(project.plan, name, project.directory)


def _missing_python(project: Project, name: str, wanted: Wanted) -> Problem | None:
    try:
        virtual_environment.interpreter_of(wanted.python)
    except virtual_environment.NoPythonError as error:
        key = "conda_file" if project.pipeline.environments[name].conda_file else "python_version"
        return project.problem(("environments", name, key), f"environment '{name}': {error}")
    return None


def register_datasets(project: Project) -> Iterator[Made]:
    """Look at the local data of each dataset of the file and say what is there.

    Raises ProjectError at the end, with everything that is wrong with any.
    """
    problems: list[Problem] = []
    for name, dataset in project.pipeline.datasets.items():
        data = inspect_dataset(name, dataset, project.directory)
        found = [project.problem(("datasets", name, key), sentence) for key, sentence in data.problems]
        found += (
            project.problem(("datasets", name, "set_column_types", column), unknown_column(name, column, data))
            for column in data.unknown
        )
        problems += found
        if not found:
            notes = tuple(sentence for _, sentence in data.remarks)
            yield Made("dataset", name, _seen(data, project.directory), notes=notes)
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
