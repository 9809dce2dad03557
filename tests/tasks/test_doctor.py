"""`invoke doctor` on this machine: what it says, and how it ends."""

from __future__ import annotations

import platform
import sys

import pytest

import azml_tasks
from azml_tasks.checks.doctor import END_OF_SUPPORT
from tests.tasks.conftest import Invoke

PYTHON = f"ok    Python {platform.python_version()}, azml-tasks {azml_tasks.__version__}"
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
    machine, _, rest = out.partition(f"note  {END_OF_SUPPORT}\n")
    assert machine.startswith(f"{PYTHON}\n")
    assert "Azure ML SDK" in machine
    return rest.splitlines()


def test_a_file_that_is_fine(churn: Invoke):
    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.err, answer.status) == (
        ["ok    pipeline.yaml is valid (no target, backend local)"],
        "",
        0,
    )


def test_the_notes_of_validate(churn: Invoke, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "joblib", None)
    churn.write("train.py", "import joblib\n")
    churn.write("a.csv", "id;age\n1;2\n")
    churn.write(
        "pipeline.yaml",
        """\
        backend: local
        steps:
          train: {script_name: train.py, input_datasets: {a: a}}
        env_name: e
        environments:
          e: {pip_packages: [pandas]}
        datasets:
          a: {local_path: a.csv}
        """,
    )

    assert about_the_file(churn("doctor").out) == [
        "note  pipeline.yaml:6: environment 'e' has no package for `import joblib` in train.py:1; add `- joblib` to "
        "its pip_packages",
        "note  pipeline.yaml:8: dataset 'a': a.csv:1: only one column; should the dataset have `separator: \";\"`?",
        "note  pipeline.yaml:3: step 'train' imports joblib (train.py:1), which is not installed here; run `pip "
        "install joblib`",
        "ok    pipeline.yaml is valid (no target, backend local)",
    ]


@pytest.mark.parametrize("backend", ["azure", "azure-v2"])
def test_a_variable_that_is_not_set_is_reported_once(churn: Invoke, backend: str):
    named = "ws_name: '${SOME_WS}', resource_group: '${SOME_RG}', subscription_id: '${SOME_ID}'"
    churn.write("pipeline.yaml", f"{PIPELINE}    targets:\n      dev: {{backend: {backend}, {named}}}\n")

    answer = churn("doctor", "--target", "dev")

    lines = [line for line in answer.out.splitlines() if "SOME_" in line]
    assert lines == [
        f"error pipeline.yaml:5: set SOME_{name} in the environment or in .env" for name in ("WS", "RG", "ID")
    ]


def test_a_variable_that_only_azure_needs_is_a_note_that_says_so(churn: Invoke):
    churn.write("pipeline.yaml", f"{PIPELINE}    ws_name: '${{SOME_WS}}'\n")

    lines = [line for line in churn("doctor").out.splitlines() if "SOME_" in line]

    assert lines == ["note  pipeline.yaml:4: to use Azure ML, set SOME_WS in the environment or in .env"]


def test_try_is_for_azure_ml_v2(churn: Invoke):
    answer = churn("doctor", "--try", "--yes")

    refusal = "--try runs a small pipeline on Azure ML v2; select a target with `backend: azure-v2`\n"
    assert (answer.out, answer.err, answer.status) == ("", refusal, 2)
    assert churn("doctor", "--yes").err == "--yes only has a meaning with --try\n"


@pytest.mark.processes
def test_an_environment_whose_python_is_not_here_is_a_note(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE + "    environments: {e: {python_version: '3.99'}, f: {conda_file: x.yml}}\n")

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.status) == (
        [
            "error pipeline.yaml:4: environment 'f': x.yml does not exist",
            "note  pipeline.yaml:4: environment 'e': Python 3.99 is required but was not found; install it. "
            f"Until then, its steps run with Python {'.'.join(platform.python_version_tuple()[:2])}",
        ],
        2,
    )


def test_a_secret_in_the_file_is_a_note_with_what_mends_it(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "password: hunter2"))

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.status) == (
        [
            "ok    pipeline.yaml is valid (no target, backend local)",
            "note  pipeline.yaml:3: step 'train': step_config.password looks like a secret and would be stored "
            "with each run",
            "      -> keep it in .env and in the workspace's key vault, and read it in the script with "
            'run.get_secret("NAME")',
        ],
        0,
    )


def test_a_wrong_file_leaves_the_machine_to_be_looked_at(churn: Invoke):
    churn.write("pipeline.yaml", PIPELINE.replace("script_name", "script_nam") + "    tag: {a: b}\n")

    answer = churn("doctor")

    assert (about_the_file(answer.out), answer.err, answer.status) == (
        [
            "error pipeline.yaml:3: step 'train': 'script_nam' is not a key here; did you mean 'script_name'?",
            "error pipeline.yaml:4: 'tag' is not a key here; did you mean 'tags'?",
        ],
        "",
        2,
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            None,
            "error pipeline.yaml: not found in FOLDER or its parent folders; create a project with `copier copy`",
        ),
        ("steps: [", "error pipeline.yaml:1: missing value, or a '[' or '{' above is not closed"),
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
        ["error pipeline.yaml:1: 'dve' is not a target of this file: it has no targets"],
        2,
    )


@pytest.mark.parametrize(("backend", "verdict"), [("local", "note "), ("azure", "error")])
@pytest.mark.parametrize("has_extra", [True, False])
def test_a_wrong_file_for_azure_needs_the_sdk_all_the_same(
    churn: Invoke, monkeypatch, backend: str, verdict: str, has_extra: bool
):
    monkeypatch.setattr("azml_tasks.checks.doctor.SDK", ("azureml-that-there-is-not",))
    monkeypatch.setattr("azml_tasks.checks.doctor.SDK_PYTHON", (9, 9))
    churn.write("pipeline.yaml", PIPELINE.replace("script_name", "script_nam").replace("local", backend))

    if has_extra:
        extras = 'dev = [\n  "pytest",\n]\nazure = ["azml-tasks[azure]"]\n'
        churn.write("pyproject.toml", f"[project]\nname = 'x'\n[project.optional-dependencies]\n{extras}[tool.x]\n")
    else:
        churn.write("pyproject.toml", "[project.optional-dependencies]\ndev = []\n[tool.x]\nazure = 1\n")

    assert churn("doctor").out.splitlines()[1:3] == [
        f"{verdict} the Azure ML SDK is not installed (azureml-that-there-is-not); local runs do not need it",
        '      -> pip install -e ".[azure]"' if has_extra else '      -> pip install "azml-tasks[azure]"',
    ]


def test_findings_are_wrapped_to_the_width_of_a_terminal(churn: Invoke, monkeypatch):
    churn.write("pipeline.yaml", PIPELINE.replace("lr: 0.1", "password: hunter2"))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")

    lines = churn("doctor").out.splitlines()

    assert all(len(line) <= 80 for line in lines)
    assert lines[-4:] == [
        "note  pipeline.yaml:3: step 'train': step_config.password looks like a secret",
        "      and would be stored with each run",
        "      -> keep it in .env and in the workspace's key vault, and read it in the",
        '         script with run.get_secret("NAME")',
    ]
