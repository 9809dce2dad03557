"""What the tasks say of environments, before anything is sent or installed."""

from __future__ import annotations

import pytest

from tests.tasks.conftest import Answer, Invoke

AZURE = """\
backend: azure
ws_name: test-ws
resource_group: g
subscription_id: 12345678-1234-1234-1234-123456789abc
env_name: e
compute_name: c-1
environments: {e: {pip_packages: ["-r requirements.txt"]}, f: {conda_file: env.yml}}
computes: {c-1: {vm_size: STANDARD_D4DS_V4}}
steps: {a: {script_name: a.py}}
"""


@pytest.mark.parametrize(
    "words", [["validate"], ["register-env"], ["register"], ["run"], ["--dry", "run"]], ids=" ".join
)
def test_files_that_azure_does_not_see_are_said_before_the_login(invoke: Invoke, words: list[str]):
    for name, text in (("pipeline.yaml", AZURE), ("requirements.txt", "x\n"), ("env.yml", "name: x\n"), ("a.py", "")):
        invoke.write(name, text)

    answer = invoke(*words)

    assert answer.status == 2
    assert answer.err.splitlines() == [
        "env.yml: this is not a conda file: no list of `dependencies`",
        "pipeline.yaml:7: environment 'e': '-r requirements.txt' is a path on this machine, but Azure ML receives only "
        "the text: copy its lines to pip_packages",
    ]


def test_an_export_is_made_and_reports_it(invoke: Invoke):
    for name, text in (("requirements.txt", "x\n"), ("env.yml", "dependencies: [python]\n"), ("a.py", "")):
        invoke.write(name, text)
    invoke.write("pipeline.yaml", AZURE)

    answer = invoke("export-v2")

    assert (answer.status, answer.err) == (0, "")
    assert (
        "pipeline.yaml:7: note: environment 'e': '-r requirements.txt' is a path on this machine, but Azure ML "
        "receives only the text: copy its lines to pip_packages\n"
    ) in answer.out


LOCAL = """\
backend: local
env_name: e
environments: {e: {python_version: "3.9"}}
steps: {a: {script_name: a.py}}
"""


@pytest.mark.processes
def test_a_python_that_is_too_old_is_a_remark_of_validate_and_keeps_no_run(invoke: Invoke):
    invoke.write("pipeline.yaml", LOCAL)
    invoke.write("a.py", "print(1)")
    sentence = (
        "environment 'e': a local run needs Python 3.10 or later, so `invoke register-env` cannot create it with "
        "Python 3.9\n"
    )
    end = (
        "pipeline.yaml:3: note: environment 'e': Python 3.9 has had no security fixes since 2025-10-31; use 3.11 "
        "(https://devguide.python.org/versions/, as of 2026-08-13)\n"
    )

    assert invoke("validate") == Answer(
        f"pipeline.yaml:3: note: {sentence}{end}pipeline.yaml is valid: 1 step and 1 environment.\n", "", 0
    )
    assert invoke("validate", "--strict").status == 2
    assert sentence in invoke("doctor").out
    assert invoke("run").status == 0
    assert invoke("register-env") == Answer("", f"pipeline.yaml:3: {sentence}", 2)


@pytest.mark.processes
def test_what_pip_prints_is_shown_as_it_comes(invoke: Invoke, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    invoke.write("own/pyproject.toml", "")
    text = "environments: {e: {pip_packages: [no-such-package]}}\nsteps: {a: {script_name: a.py}}\n"
    invoke.write("pipeline.yaml", f"backend: local\n{text}")
    invoke.write("a.py", "")

    answer = invoke("register-env")

    assert answer.status == 1
    assert answer.out.startswith("environment e: installing into a new virtual environment\n  ")
    assert "  ERROR: No matching distribution found for no-such-package" in answer.out
    assert answer.err.startswith("pip could not install the packages of 'e':\nERROR: ")


@pytest.mark.parametrize(("file", "line"), [("env.yml", 4), ("requirements.txt", 1)])
def test_a_token_that_is_refused_in_any_file_is_reported_with_its_line(invoke: Invoke, file: str, line: int):
    token = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
    address = f"git+https://{token}@github.com/o/r.git"
    for name, text in (("requirements.txt", f"{address}\n"), ("a.py", "")):
        invoke.write(name, text)
    invoke.write("env.yml", f"dependencies:\n- python=3.11\n- pip:\n  - {address}\n")
    invoke.write("pipeline.yaml", AZURE)

    answer = invoke("validate")

    assert answer.status == 2
    assert f"{file}:{line}: this looks like a secret (a token in a URL) and would be stored with the" in answer.err
    assert token not in answer.err
