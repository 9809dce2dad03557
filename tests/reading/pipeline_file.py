"""A pipeline.yaml written in place, and what reading it gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.reading import Project, load_project

Load = Callable[..., Project]
Problems = Callable[..., list[str]]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Read the text as a project's pipeline.yaml, with these variables alone."""

    def load(text: str | bytes, target: str | None = None, **variables: str) -> Project:
        file = tmp_path / "pipeline.yaml"
        file.write_bytes(text.encode() if isinstance(text, str) else text)
        return load_project(file, target, variables)

    return load


@pytest.fixture
def problems(load: Load) -> Problems:
    """Return the lines of the error that reading the text raises; none when it is fine."""

    def problems(text: str | bytes, target: str | None = None, **variables: str) -> list[str]:
        try:
            load(text, target, **variables)
        except ProjectError as error:
            return str(error).split("\n")
        return []

    return problems
