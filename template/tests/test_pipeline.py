"""Test the whole pipeline with the commands of the project."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def invoke(*arguments: str) -> int:
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def test_pipeline_yaml_is_valid():
    assert invoke("validate") == 0


def test_the_pipeline_runs_locally():
    assert invoke("run") == 0
