from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from tests.export.projects import project
from tests.launcher.jobs import Job, Workspace
from tests.launcher.tracking import Server, tracking_server


@pytest.fixture
def server() -> Iterator[Server]:
    with tracking_server() as running:
        yield running


@pytest.fixture
def job(tmp_path: Path) -> Callable[[str], Job]:
    """Return a function that makes a job of a script without inputs."""

    def made(script: str, more: str = "") -> Job:
        text = f"steps:\n  train: {{script_name: train.py, output_folders: []{more}}}\n"
        return Workspace(tmp_path, project(tmp_path / "project", text, {"train.py": dedent(script)})).job("train")

    return made
