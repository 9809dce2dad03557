"""`invoke doctor` on this machine: what it says, and how it ends."""

from __future__ import annotations

import platform

import pytest

import azml_tasks
from azml_tasks.diagnosis import END_OF_SUPPORT
from tests.tasks.conftest import Invoke

PYTHON = f"ok   Python {platform.python_version()}, azml-tasks {azml_tasks.__version__}"
PIPELINE = """\
    backend: local
    steps:
      train: {script_name: train.py, step_config: {lr: 0.1}}
"""


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    invoke.write("train.py", "")
    invoke.write("pipeline.yaml", PIPELINE)
    return invoke


def about_the_file(out: str) -> list[str]:
    """Return the lines behind those that tell of the machine."""
    machine, _, rest = out.partition(f"note {END_OF_SUPPORT}\n")
    assert machine.startswith(f"{PYTHON}\n")
    assert "Azure ML SDK" in machine
    return rest.splitlines()


def test_a_file_that_is_fine(churn: Invoke):
    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.err, answer.status) == (
        ["ok   pipeline.yaml is fine (no target, backend local)"],
        "",
        0,
    )


def test_an_environment_whose_python_is_not_here_is_a_note(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE + "    environments: {e: {python_version: '3.99'}, f: {conda_file: x.yml}}\n")

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.status) == (
        [
            "BAD  pipeline.yaml:4: environment 'f': there is no x.yml",
            "note pipeline.yaml:4: environment 'e': Python 3.99 is asked for, and there is no python3.99 on the PATH "
            "of this machine: install it; until then its steps run in the Python that runs here, "
            f"{'.'.join(platform.python_version_tuple()[:2])}",
        ],
        2,
    )


def test_a_secret_in_the_file_is_a_note_with_what_mends_it(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "password: hunter2"))

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.status) == (
        [
            "ok   pipeline.yaml is fine (no target, backend local)",
            "note pipeline.yaml:3: step 'train': step_config.password looks like a secret, and what stands here is "
            "stored with each run",
            "     -> keep it in .env and in the workspace's key vault, and let the script read it with "
            'run.get_secret("NAME")',
        ],
        0,
    )


def test_a_wrong_file_leaves_the_machine_to_be_looked_at(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE.replace("script_name", "script_nam") + "    tag: {a: b}\n")

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.err, answer.status) == (
        [
            "BAD  pipeline.yaml:3: step 'train': 'script_nam' is not a key here; did you mean 'script_name'?",
            "BAD  pipeline.yaml:4: 'tag' is not a key here; did you mean 'tags'?",
        ],
        "",
        2,
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            None,
            "BAD  pipeline.yaml: there is none in FOLDER or in a folder above it; "
            "`copier copy` makes a project with one",
        ),
        ("steps: [", "BAD  pipeline.yaml:1: a value is missing here, or a '[' or '{' above is not closed"),
    ],
)
def test_without_a_file_that_can_be_read_the_machine_is_looked_at(churn: Invoke, text: str | None, line: str):
    (churn.folder / "pipeline.yaml").unlink()
    if text is not None:
        churn.write("pipeline.yaml", text)

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.status) == ([line.replace("FOLDER", str(churn.folder))], 2)


def test_an_unknown_target_is_bad(churn: Invoke):
    answer = churn("doctor", "--target", "dve")

    assert (about_the_file(answer.out), answer.status) == (
        ["BAD  pipeline.yaml:1: 'dve' is not a target of this file: it has no targets"],
        2,
    )


@pytest.mark.parametrize(("backend", "verdict"), [("local", "note"), ("azure", "BAD ")])
@pytest.mark.parametrize("has_extra", [True, False])
def test_a_wrong_file_for_azure_needs_the_sdk_all_the_same(
    churn: Invoke, monkeypatch, backend: str, verdict: str, has_extra: bool
):
    monkeypatch.setattr("azml_tasks.diagnosis.SDK", ("azureml-that-there-is-not",))
    monkeypatch.setattr("azml_tasks.diagnosis.SDK_PYTHON", (9, 9))
    churn.write("pipeline.yaml", PIPELINE.replace("script_name", "script_nam").replace("local", backend))

    if has_extra:
        extras = 'dev = [\n  "pytest",\n]\nazure = ["azml-tasks[azure]"]\n'
        churn.write("pyproject.toml", f"[project]\nname = 'x'\n[project.optional-dependencies]\n{extras}[tool.x]\n")
    else:
        churn.write("pyproject.toml", "[project.optional-dependencies]\ndev = []\n[tool.x]\nazure = 1\n")

    assert churn("doctor").out.splitlines()[1:3] == [
        f"{verdict} the Azure ML SDK is not installed (azureml-that-there-is-not); local runs need none",
        '     -> pip install -e ".[azure]"' if has_extra else '     -> pip install "azml-tasks[azure]"',
    ]
