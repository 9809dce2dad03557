"""The project that a task is about, from its flags and from Invoke's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from invoke import Context

    from azml_tasks.reading import Project


def load(context: Context, target: str | None = None) -> Project:
    """Read the project around the current folder.

    The target is the flag's, else `azml.target` of Invoke's configuration (`invoke.yaml`, INVOKE_AZML_TARGET).

    Raises ProjectError.
    """
    from azml_tasks.reading import find_file, load_project

    return load_project(find_file(Path.cwd()), target or context.config.azml.target or None)


def is_dry(context: Context) -> bool:
    """Say whether Invoke's own --dry was given: say what would be done, change nothing."""
    return bool(context.config.run.dry)
