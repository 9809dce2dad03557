"""Generated projects run, as they come out of the template."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
import yaml

from tests.template.conftest import ROOT, Copy

(SAMPLE,) = (ROOT / "template").glob("*/*.csv")


def run(project: Path, *command: str) -> str:
    """Run a command of Python in the project; show what it printed when it fails."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=project,
        env=environment,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def kept(project: Path, step: str) -> dict[str, list[list[object]]]:
    """Return the rows of the tables that the step left under outputs/ in the only run."""
    (record,) = (project / ".azml" / "runs").iterdir()
    folder = record / "steps" / step / "artifacts" / "outputs"
    return {file.name: pandas.read_csv(file).to_numpy().tolist() for file in folder.iterdir()}


ROWS = pandas.read_csv(SAMPLE).to_numpy().tolist()
MADE_UP = [[1, 120], [2, 95], [3, 143]]


@pytest.mark.parametrize(
    ("answers", "last_step", "tables"),
    [
        ({}, "evaluate", {"sample.csv": ROWS}),
        ({"steps": "only"}, "only", {"sample.csv": ROWS}),
        ({"steps": "first, second", "datasets": ""}, "second", {"example.csv": MADE_UP}),
        (
            {"project_name": "null", "steps": "no, on", "datasets": "Yes, n, new_data"},
            "on",
            {"Yes.csv": ROWS, "n.csv": ROWS, "new_data.csv": ROWS},
        ),
        (
            {"project_name": """L'été "à" {{ Zoë }} \\""", "description": "$5 ${X} # 'y' \\"},
            "evaluate",
            {"sample.csv": ROWS},
        ),
    ],
)
def test_a_project_runs_at_once_and_passes_its_data_along(
    copy: Copy, answers: dict[str, str], last_step: str, tables: dict[str, list[list[object]]]
):
    project = copy("été 2024", **answers)
    run(project, "invoke", "run")
    assert kept(project, last_step) == tables


def test_fifty_steps_run(copy: Copy):
    project = copy(steps=",".join(f"step_{number}" for number in range(1, 51)))
    run(project, "invoke", "run")
    assert kept(project, "step_50") == {"sample.csv": ROWS}


def test_a_hyperparameter_reaches_the_script(copy: Copy):
    project = copy(steps="only")
    run(project, "invoke", "run", "--set", "only.max_rows=2")
    assert kept(project, "only") == {"sample.csv": ROWS[:2]}


def test_the_commands_of_the_readme_work(copy: Copy):
    project = copy()
    readme = (project / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| `invoke ([^`]+)` \|", readme, re.MULTILINE)
    for command in commands:
        run(project, "invoke", *command.split())
    assert commands == ["run --set prepare.max_rows=5", "runs.show", "graph", "validate", "--list"]


@pytest.mark.parametrize("answers", [{}, {"steps": "null, on", "datasets": "no, new_data"}, {"datasets": ""}])
def test_a_project_passes_its_own_tests(copy: Copy, answers: dict[str, str]):
    project = copy(**answers)
    assert "failed" not in run(project, "pytest", "-q", "-p", "no:cacheprovider")


def test_moving_steps_breaks_no_script(copy: Copy):
    project = copy()
    file = project / "pipeline.yaml"
    pipeline = yaml.safe_load(file.read_text(encoding="utf-8"))
    pipeline["steps"] = dict(reversed(pipeline["steps"].items()))
    file.write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
    run(project, "invoke", "run")
    assert kept(project, "prepare") == {"example.csv": MADE_UP, "sample.csv": ROWS}


def test_an_added_step_is_the_same_stub_and_runs(copy: Copy):
    project = copy(steps="first")
    run(project, "invoke", "new-step", "second", "--dataset", "sample")
    run(project, "invoke", "run")
    run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_steps.py")
    assert kept(project, "second") == {"sample.csv": ROWS}
