"""The files that environments name: what of them never is to be stored with a run, or sent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.model import Pipeline
from azml_tasks.reading.tree import TreeError, read_text
from azml_tasks.wiring import Finding


def environment_text(directory: Path, name: str) -> str:
    """Return the text of a file that an environment names.

    Raises ProjectError for one that cannot be read.
    """
    try:
        return read_text(directory / name)
    except TreeError as error:
        raise ProjectError([Problem(name, error.line, error.message)]) from None


def refused_files(pipeline: Pipeline, directory: Path) -> Iterator[Finding]:
    """Find conda files and Dockerfiles that lie outside the project, lead out of it, or look like secrets."""
    named = (
        ("environments", name, key)
        for name, environment in pipeline.environments.items()
        for key in ("conda_file", "dockerfile")
        if getattr(environment, key) is not None
    )
    for path in named:
        file = getattr(pipeline.environments[path[1]], path[2])
        problem = _problem(file, str(directory))
        if problem:
            yield Finding(path, f"environment '{path[1]}': its {path[2]} '{file}' {problem}")


def _problem(file: str, directory: str) -> str:
    from azml_tasks.snapshot.ignore import is_never_sent
    from azml_tasks.snapshot.include import is_inside
    from azml_tasks.snapshot.links import RealPaths
    from azml_tasks.secrets import looks_secret

    if not is_inside(file):
        return "lies outside the project"
    path = os.path.normpath(os.path.join(directory, file))
    real_paths = RealPaths(directory)
    inside = real_paths.inside(path)
    if inside is None:
        return "leads out of the project by a link"
    try:
        is_secret = is_never_sent(inside) or looks_secret(path) or looks_secret(real_paths.of(path))
    except OSError:
        return ""  # One that cannot be read is told where it is read.
    return "looks like a secret, or never is to be sent" if is_secret else ""
