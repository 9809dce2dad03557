from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import copier
import pytest

ROOT = Path(__file__).parents[2]

Copy = Callable[..., Path]


def checkout(folder: Path) -> Path:
    """Write what Copier reads of this repository into the folder.

    Copying from the repository itself would render its last tag, not what lies here.
    """
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "template", folder / "template", ignore=ignored)
    shutil.copytree(ROOT / "azml_tasks" / "stub", folder / "azml_tasks" / "stub", ignore=ignored)
    shutil.copy(ROOT / "copier.yml", folder)
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = [
        "-c",
        "user.name=A tester",
        "-c",
        "user.email=tester@example.org",
        "-c",
        "commit.gpgsign=false",
    ]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=folder,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def commit(folder: Path, message: str, tag: str | None = None) -> None:
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    if tag:
        git(folder, "tag", tag)


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file under the folder, git's own left out, by its path."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in sorted(folder.rglob("*"))
        if file.is_file() and ".git" not in file.relative_to(folder).parts
    }


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkout(tmp_path_factory.mktemp("template"))


@pytest.fixture
def copy(template: Path, tmp_path: Path) -> Copy:
    """Return a function that answers some questions, takes the defaults of the others, and gives the project."""

    def copy(folder: str = "churn", **answers: str) -> Path:
        project = tmp_path / folder
        copier.run_copy(str(template), project, answers, defaults=True, quiet=True)
        return project

    return copy
