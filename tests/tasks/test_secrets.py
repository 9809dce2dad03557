"""No command shows a secret, whatever goes wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

SAS = "https://a.blob.core.windows.net/raw/t.csv?sv=2022-11-02&sr=b&sig=CANARY3bX2c9qL8mN7pR5tV1wY4aS6dF0gH%3D"


@pytest.fixture
def project(invoke):
    """A project whose .env has a secret with a name and one without."""
    invoke.write("pipeline.yaml", "backend: local\nsteps: {a: {script_name: a.py, step_config: {src: x}}}\n")
    invoke.write("a.py", "")
    invoke.write(".env", f"DB_KEY=CANARYhunter2\nSRC='{SAS}'\n")
    return invoke


@pytest.mark.parametrize(
    "line",
    [
        'environments: {e: {pip_packages: ["-r .env"]}}',
        "environments: {e: {conda_file: .env}}",
        "environments: {e: {dockerfile: .env}}",
        'environments: {e: {pip_packages: ["${SRC}"]}}',
        "tags: {a: '${SRC}'}",
        f"tags: {{a: '{SAS}'}}",
        f"'{SAS}': 3",
        f"experiment_name: '{SAS}'",
        f"backend: '{SAS}'",
        f"steps: '{SAS}'",
    ],
)
@pytest.mark.parametrize("command", ["validate", "register-env", "run", "graph"])
def test_what_is_refused_is_not_shown(project, line, command):
    key = line.partition(":")[0]
    kept = [
        kept for kept in (project.folder / "pipeline.yaml").read_text().splitlines() if not kept.startswith(f"{key}:")
    ]
    project.write("pipeline.yaml", "\n".join([*kept, line, ""]))

    answer = project(command)

    assert answer.status == 2
    assert "CANARY" not in answer.out + answer.err
    assert not list((project.folder / ".azml").rglob("*.json"))


@pytest.mark.parametrize("setting", [f"a.src={SAS}", SAS, f"b.src={SAS}", f"a={SAS}", f"a.src.x={SAS}"])
def test_what_is_set_is_not_shown_or_stored(project, setting):
    answer = project("run", "--set", setting)

    assert answer.status == 2
    assert "CANARY" not in answer.out + answer.err
    assert not (project.folder / ".azml/runs").exists()


def test_the_traceback_of_a_bug_shows_no_secret(project):
    bug = (
        "import sys\nfrom invoke import Program\nfrom azml_tasks.tasks import namespace\n"
        "import azml_tasks.plan.diagram\n"
        f"def fails(plan): raise KeyError('CANARYhunter2 and {SAS}')\n"
        "azml_tasks.plan.diagram.as_text = fails\n"
        "Program(namespace=namespace).run(['invoke', 'graph'])\n"
    )

    done = subprocess.run([sys.executable, "-c", bug], cwd=project.folder, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "KeyError: '*** and ***'" in done.stderr
    assert "CANARY" not in done.stderr + done.stdout
