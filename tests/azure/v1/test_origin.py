"""What git knows of a project's files goes with their snapshots."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.azure.projects import line_of_steps, write_project

pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.v1.submit import run
from tests.azure.workspace import stocked


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("dirty", [False, True])
def test_a_snapshot_reports_the_commit_the_branch_and_the_repository_without_its_login(azure, tmp_path, dirty):
    project = write_project(tmp_path, line_of_steps(1))
    git(tmp_path, "init", "--initial-branch=trunk")
    git(tmp_path, "remote", "add", "origin", "https://me:hidden@example.org/churn.git")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message=first")
    if dirty:
        (tmp_path / "steps/s1.py").write_text("print('edited')\n", encoding="utf-8")

    run(project, stocked(azure), wait=False)

    commit = git(tmp_path, "rev-parse", "HEAD")
    [snapshot] = azure.snapshots.values()
    assert snapshot.properties == {
        "azureml.git.commit": commit,
        "azureml.git.branch": "trunk",
        "azureml.git.repository_uri": "https://example.org/churn.git",
        "azureml.git.dirty": str(dirty),
        "mlflow.source.git.commit": commit,
        "mlflow.source.git.branch": "trunk",
        "mlflow.source.git.repoURL": "https://example.org/churn.git",
    }
    assert not [name for name in os.environ if name.startswith("AZUREML_GIT_")]


def test_a_project_outside_of_any_repository_reports_nothing(azure, tmp_path):
    run(write_project(tmp_path, line_of_steps(1)), stocked(azure), wait=False)

    assert [snapshot.properties for snapshot in azure.snapshots.values()] == [{}]
