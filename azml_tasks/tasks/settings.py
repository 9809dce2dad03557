"""The project that a task is about, from its flags and from Invoke's configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke import Context

    from azml_tasks.errors import Problem
    from azml_tasks.reading import Project


def project_file(context: Context) -> Path:
    """Return the pipeline.yaml beside the tasks.py that Invoke loaded, else the nearest one from the current folder up.

    Raises ProjectError.
    """
    from azml_tasks.reading import find_file

    # The folder that Invoke reads the project's invoke.yaml from; it has no public name. A program that brings its own
    # namespace has none. It may be relative (`invoke -r alpha`).
    loaded = getattr(context.config, "_project_prefix", None)
    return find_file(Path.cwd(), Path(os.path.abspath(loaded)) if loaded else None)


def load(context: Context, target: str | None = None, with_files: bool = False, needs_values: bool = True) -> Project:
    """Read the project of the task.

    The target is the flag's, else `azml.target` of Invoke's configuration (`invoke.yaml`, INVOKE_AZML_TARGET).

    Raises ProjectError; `with_files`, for a task that needs them, with what is wrong with the files that a
    pipeline.yaml with mistakes names, too. Without `needs_values`, variables may be unset.
    """
    from azml_tasks.reading import load_project

    beside = _files if with_files else None
    return load_project(project_file(context), _chosen(context, target), beside=beside, needs_values=needs_values)


def _files(project: Project) -> list[Problem]:
    from azml_tasks.checks import file_problems

    return file_problems(project)


def local_runs(context: Context, target: str | None = None) -> Path | None:
    """Return the folder of the project whose runs are on this machine, or None for a target that runs on Azure.

    Whatever else may be wrong with the file keeps nobody from looking at local runs. Raises ProjectError.
    """
    from azml_tasks.reading import stated_backend

    file = project_file(context)
    if stated_backend(file, _chosen(context, target)) == "local":
        return file.parent
    project = load(context, target)
    return project.directory if project.pipeline.backend == "local" else None


def stated(context: Context, target: str | None = None) -> object:
    """Return the backend that the file states; None when it states none, or cannot be read."""
    from azml_tasks.errors import ProjectError
    from azml_tasks.reading import stated_backend

    try:
        return stated_backend(project_file(context), _chosen(context, target))
    except ProjectError:
        return None


def _chosen(context: Context, target: str | None) -> str | None:
    return target or context.config.azml.target or None


def is_dry(context: Context) -> bool:
    """Say whether Invoke's own --dry was given: say what would be done, change nothing."""
    return bool(context.config.run.dry)
