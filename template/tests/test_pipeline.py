"""The pipeline as a whole, by the commands that people type."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def invoke(*arguments: str) -> int:
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


def test_pipeline_yaml_is_right():
    assert invoke("validate") == 0


def test_the_pipeline_runs_on_this_machine():
    assert invoke("run") == 0
