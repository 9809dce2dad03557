"""What registering means without a workspace: environments are made, the data of datasets are looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError, RunError, listed
from azml_tasks.local import virtual_environment
from azml_tasks.local.layout import Layout
from azml_tasks.local.tables import LocalData, look_at
from azml_tasks.reading import Project

_MOST_COLUMNS = 8


@dataclass(frozen=True)
class Made:
    """What became of one environment, or what was seen of one dataset."""

    kind: str
    name: str
    outcome: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.outcome}" + (f" ({self.detail})" if self.detail else "")


def register(project: Project, dry: bool = False) -> Iterator[Made]:
    """Do all that registering means on this machine, and yield each thing as it is done.

    Raises ProjectError, NotInstalledError, RunError.
    """
    yield from register_environments(project, dry)
    yield from register_datasets(project)


def register_environments(project: Project, dry: bool = False) -> Iterator[Made]:
    """Make a virtual environment of each environment of the file, unless it is there as the file has it.

    Raises ProjectError, NotInstalledError, RunError.
    """
    layout = Layout.of(project.directory)
    for name, declared in project.pipeline.environments.items():
        try:
            wanted = virtual_environment.wanted(project.plan, name, project.directory)
        except OSError as error:
            message = f"environment '{name}': {declared.conda_file} cannot be read: {error.strerror}"
            raise ProjectError([project.problem(("environments", name, "conda_file"), message)]) from None
        found = virtual_environment.find(layout, name)
        lacks = f"; without {listed(wanted.left_out)}, which only Azure ML installs" if wanted.left_out else ""
        if found is not None and found.digest == wanted.digest:
            yield Made("environment", name, "unchanged", f"Python {found.python_version}{lacks}")
            continue
        outcome = "created" if found is None else "updated"
        if dry:
            yield Made("environment", name, f"would be {outcome}", f"Python {wanted.python}{lacks}")
        else:
            try:
                made = virtual_environment.make(layout, name, wanted)
            except OSError as error:
                text = f"the virtual environment '{name}' could not be made: {error.strerror}: {error.filename}"
                raise RunError(text) from error
            yield Made("environment", name, outcome, f"Python {made.python_version}{lacks}")


def register_datasets(project: Project) -> Iterator[Made]:
    """Look at the local data of each dataset of the file and say what is there.

    Raises ProjectError at the end, with everything that is wrong with any.
    """
    problems: list[Problem] = []
    for name, dataset in project.pipeline.datasets.items():
        data = look_at(name, dataset, project.directory)
        problems += (project.problem(("datasets", name, key), sentence) for key, sentence in data.problems)
        if not data.problems:
            yield Made("dataset", name, _seen(data, project.directory))
    if problems:
        raise ProjectError(problems)


def _seen(data: LocalData, directory: Path) -> str:
    first = os.path.relpath(data.files[0], directory).replace(os.sep, "/")
    where = first if len(data.files) == 1 else f"{len(data.files):,} files such as {first}"
    if data.columns is None or data.rows is None:
        return where
    columns = data.columns
    more = f" and {len(columns) - _MOST_COLUMNS} more" if len(columns) > _MOST_COLUMNS else ""
    shown = ", ".join(columns[:_MOST_COLUMNS]) if more else listed(columns)
    rows = "1 row" if data.rows == 1 else f"{data.rows:,} rows"
    return f"{rows} of {shown}{more} in {where}"
