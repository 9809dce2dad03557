"""Load the project of a task, from its flags and Invoke's configuration, and choose its backend."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke import Context

    from azml_tasks.backend import Backend, Runs
    from azml_tasks.errors import Problem
    from azml_tasks.reading import Project


def project_file(context: Context) -> Path:
    """Return the pipeline.yaml next to the tasks.py that Invoke loaded, or the nearest one from the current folder up.

    Raises ProjectError.
    """
    from azml_tasks.reading import find_file

    # The folder of the project's invoke.yaml. It has no public name, and programs with their own namespace do not set
    # it. It may be relative (`invoke -r alpha`).
    loaded = getattr(context.config, "_project_prefix", None)
    return find_file(Path.cwd(), Path(os.path.abspath(loaded)) if loaded else None)


def project_file_or_none(context: Context) -> Path | None:
    """Return the pipeline.yaml of the project; None if there is none."""
    from azml_tasks.errors import ProjectError

    try:
        return project_file(context)
    except ProjectError:
        return None


def load(context: Context, target: str | None = None, with_files: bool = False, needs_values: bool = True) -> Project:
    """Read the project of the task.

    The target is that of the flag, else `azml.target` of Invoke's configuration (`invoke.yaml`, INVOKE_AZML_TARGET).

    Raises ProjectError; with `with_files`, it includes the problems of the files that an invalid pipeline.yaml names.
    Without `needs_values`, variables may be unset.
    """
    from azml_tasks.reading import load_project

    beside = _files if with_files else None
    return load_project(project_file(context), _chosen(context, target), beside=beside, needs_values=needs_values)


def _files(project: Project) -> list[Problem]:
    from azml_tasks.checks.files import file_problems

    return file_problems(project)


def _local() -> type[Backend]:
    from azml_tasks.local.backend import LocalBackend

    return LocalBackend


def _azure() -> type[Backend]:
    from azml_tasks.azure.v1.backend import AzureV1Backend

    return AzureV1Backend


def _azure_v2() -> type[Backend]:
    from azml_tasks.azure.v2.backend import AzureV2Backend

    return AzureV2Backend


# The values of the key `backend` in pipeline.yaml.
BACKENDS: Mapping[str, Callable[[], type[Backend]]] = {"local": _local, "azure": _azure, "azure-v2": _azure_v2}


def backend_of(project: Project) -> Backend:
    """Return the backend that the project runs on; it reports its progress on standard error."""
    backend = BACKENDS[project.pipeline.backend]()(project)
    backend.progress = _note
    return backend


def _note(line: str) -> None:
    from azml_tasks.text import printable

    print(printable(f"note: {line}"), file=sys.stderr, flush=True)


def runs_of(context: Context, target: str | None = None) -> Runs:
    """Return the runs of the project on its backend.

    Those of a backend that keeps them in the project's folder do not depend on the rest of the file. Raises
    ProjectError.
    """
    file = project_file(context)
    kind = _stated_in(file, _chosen(context, target))
    runs = kind.runs_in(file.parent) if kind else None
    return runs or backend_of(load(context, target)).runs


def runs_in(folder: Path, target: str | None = None) -> Runs:
    """Return the runs of the project in a folder, or in the nearest one above it, for programs.

    Raises ProjectError.
    """
    from azml_tasks.reading import find_file, load_project

    file = find_file(folder)
    kind = _stated_in(file, target)
    runs = kind.runs_in(file.parent) if kind else None
    return runs or backend_of(load_project(file, target)).runs


def local_runs(context: Context) -> Runs:
    """Return the runs in the project's folder, whatever its backend. Raises ProjectError."""
    from azml_tasks.local.backend import LocalRuns

    return LocalRuns(project_file(context).parent)


def stated_backend(context: Context, target: str | None = None) -> type[Backend] | None:
    """Return the backend that the file sets, or None if it sets none or cannot be read."""
    from azml_tasks.errors import ProjectError

    try:
        return _stated_in(project_file(context), _chosen(context, target))
    except ProjectError:
        return None


def _stated_in(file: Path, target: str | None) -> type[Backend] | None:
    """Return the backend that a file sets; None if not set or not a backend. Raises ProjectError."""
    from azml_tasks.reading import stated_backend as name_of

    name = name_of(file, target)
    return BACKENDS[name]() if isinstance(name, str) and name in BACKENDS else None


def _chosen(context: Context, target: str | None) -> str | None:
    return target or context.config.azml.target or None


def is_dry(context: Context) -> bool:
    """Return whether Invoke's --dry is set: show what would be done, and change nothing."""
    return bool(context.config.run.dry)
