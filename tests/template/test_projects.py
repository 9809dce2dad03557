"""Generated projects run, as they come out of the template."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas
import pytest
import yaml

from azml_tasks.stub import render_stub
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
        pytest.param({"steps": "only"}, "only", {"sample.csv": ROWS}, marks=pytest.mark.thorough),
        pytest.param(
            {"steps": "first, second", "datasets": ""}, "second", {"example.csv": MADE_UP}, marks=pytest.mark.thorough
        ),
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


@pytest.mark.parametrize("answers", [{"azure_ml": "v2"}, {"azure_ml": "v2", "datasets": "", "steps": "only"}])
def test_a_project_for_v2_is_valid_there_and_doctor_looks_for_its_package(copy: Copy, answers: dict[str, str]):
    project = copy(**answers)
    for target in ("dev", "prod"):
        assert run(project, "invoke", "validate", "--strict", "--target", target).startswith("pipeline.yaml is valid: ")
    found = run(project, "invoke", "doctor")
    assert "Microsoft's client for Azure ML v2" in found
    assert "SDK" not in found


@pytest.mark.thorough
def test_fifty_steps_run(copy: Copy):
    project = copy(steps=",".join(f"step_{number}" for number in range(1, 51)))
    run(project, "invoke", "run")
    assert kept(project, "step_50") == {"sample.csv": ROWS}


@pytest.mark.thorough
def test_a_hyperparameter_reaches_the_script(copy: Copy):
    project = copy(steps="only")
    run(project, "invoke", "run", "--set", "only.max_rows=2")
    assert kept(project, "only") == {"sample.csv": ROWS[:2]}


@pytest.mark.thorough
def test_the_commands_of_the_readme_work(copy: Copy):
    project = copy()
    readme = (project / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\| `invoke ([^`]+)` \|", readme, re.MULTILINE)
    (setting,) = re.findall(r"such as `([^`]+)` \|", readme)
    for command in commands:
        run(project, "invoke", *command.replace("STEP.KEY=VALUE", setting).replace(" --open", "").split())
    assert commands == [
        *("run --set STEP.KEY=VALUE", "runs.show", "runs.report --open", "runs.download"),
        *("graph", "validate", "snapshot", "--list"),
    ]
    assert setting == "prepare.max_rows=5"


@pytest.mark.parametrize(
    "answers",
    [
        {},
        pytest.param({"steps": "null, on", "datasets": "no, new_data"}, marks=pytest.mark.thorough),
        pytest.param({"datasets": ""}, marks=pytest.mark.thorough),
        {"azure_ml": "v2"},
    ],
)
def test_a_project_passes_its_own_tests(copy: Copy, answers: dict[str, str]):
    project = copy(**answers)
    assert "failed" not in run(project, "pytest", "-q", "-p", "no:cacheprovider")


SHARED = "import pandas as pd\n\n\ndef clean(table: pd.DataFrame) -> pd.DataFrame:\n    return table.dropna()\n"
OF_SHARED = """\
import pandas as pd

from common import clean


def test_clean() -> None:
    assert len(clean(pd.DataFrame({"a": [1, None]}))) == 1
"""


@pytest.mark.thorough
def test_a_module_that_steps_share_is_found_by_ruff_pytest_and_mypy(copy: Copy):
    project = copy(steps="only")
    (project / "steps" / "common.py").write_text(SHARED)
    (project / "tests" / "test_common.py").write_text(OF_SHARED)
    script = project / "steps" / "only.py"
    text = script.read_text(encoding="utf-8").replace("import Run\n", "import Run\n\nfrom common import clean\n")
    script.write_text(text.replace("{name: table.iloc", "{name: clean(table).iloc"), encoding="utf-8")
    run(project, "ruff", "check", "--no-cache")
    assert "1 passed" in run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_common.py")
    run(project, "invoke", "validate")
    pytest.importorskip("mypy")
    run(project, "mypy")
    # The editor's types are those of the stand-in.
    (project / "steps" / "wrong.py").write_text("from azureml.core import Run\n\nRun.get_context().nothing()\n")
    with pytest.raises(AssertionError, match=r'wrong\.py:3: error: "_SubmittedRun" has no attribute'):
        run(project, "mypy")


def outcomes(project: Path) -> dict[str, str]:
    """Run the project's own tests, and return how each ended."""
    printed = run(project, "pytest", "-v", "-p", "no:cacheprovider", "--color=no")
    return {name: how.lower() for name, how in re.findall(r"^tests/\S+::(\S+) (\w+)", printed, re.MULTILINE)}


def test_the_demo_passes_its_own_tests(copy: Copy):
    project = copy(project_name="iris", datasets="iris", ci="none")
    shutil.copytree(ROOT / "docs" / "examples" / "iris", project, dirs_exist_ok=True)
    assert outcomes(project) == {
        "test_pipeline_yaml_is_valid": "passed",
        "test_the_pipeline_runs_locally": "passed",
        "test_step_accepts_its_arguments[prepare]": "passed",
        "test_step_accepts_its_arguments[train]": "passed",
        "test_step_accepts_its_arguments[evaluate]": "passed",
    }


# As scripts of Azure ML v1 are written: all at the top of the module, what is shared in a file beside.
AT_ONCE = """\
import argparse
import json

from azureml.core import Run
from shared import doubled

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--config", type=json.loads, dest="config")
parser.add_argument("--sample", type=str, dest="sample")
parser.add_argument("--output-folder", type=str, dest="output_folder")
args = parser.parse_args()
run.log("rows", doubled(args.config["max_rows"]))
run.complete()
"""


@pytest.mark.thorough
def test_scripts_of_any_shape_pass_the_project_s_tests(copy: Copy):
    project = copy(steps="at_once, asked, other")
    steps, more = project / "steps", project / "more"
    (steps / "shared.py").write_text("def doubled(number):\n    return 2 * number\n")
    (steps / "at_once.py").write_text(AT_ONCE)
    (steps / "asked.py").write_text(f"from shared import doubled\n{render_stub('asked')}")
    (steps / "other.py").unlink()
    more.mkdir()
    (more / "shared.py").write_text("def tripled(number):\n    return 3 * number\n")
    (more / "other.py").write_text(f"from shared import tripled\n{render_stub('other')}")
    file = project / "pipeline.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("other.py\n    script_directory: steps", "other.py\n    script_directory: more"))
    assert outcomes(project) == {
        "test_pipeline_yaml_is_valid": "passed",
        "test_the_pipeline_runs_locally": "passed",
        "test_step_accepts_its_arguments[at_once]": "skipped",
        "test_step_accepts_its_arguments[asked]": "passed",
        "test_step_accepts_its_arguments[other]": "passed",
    }


@pytest.mark.thorough
def test_an_argument_that_its_script_does_not_take_fails_the_project_s_tests(copy: Copy):
    project = copy(steps="only")
    file = project / "pipeline.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("--sample:", "--simple:"), encoding="utf-8")
    with pytest.raises(AssertionError, match="error: unrecognized arguments: --simple id"):
        run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_steps.py")


@pytest.mark.thorough
def test_moving_steps_breaks_no_script(copy: Copy):
    project = copy()
    file = project / "pipeline.yaml"
    pipeline = yaml.safe_load(file.read_text(encoding="utf-8"))
    pipeline["steps"] = dict(reversed(pipeline["steps"].items()))
    file.write_text(yaml.safe_dump(pipeline, sort_keys=False), encoding="utf-8")
    run(project, "invoke", "run")
    assert kept(project, "prepare") == {"example.csv": MADE_UP, "sample.csv": ROWS}


@pytest.mark.thorough
def test_an_added_step_is_the_same_stub_and_runs(copy: Copy):
    project = copy(steps="first")
    run(project, "invoke", "new-step", "second", "--dataset", "sample")
    run(project, "invoke", "run")
    run(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_steps.py")
    assert kept(project, "second") == {"sample.csv": ROWS}
