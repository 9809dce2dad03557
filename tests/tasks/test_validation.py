"""`invoke validate --format`: annotations for CI services, and JSON."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from azml_tasks.errors import Problem
from azml_tasks.tasks.validation import FORMATS, Validation
from tests.tasks.conftest import Answer, Invoke

PIPELINE = """\
    backend: local
    compute_name: cpu
    steps:
      prepare: {script_name: prepare.py}
      train: {script_name: train.py}
    schedule: {on_blob_change: {datastore_name: d, path_on_datastore: in}}
"""
NOTES = [
    "the compute 'cpu' is not declared in this file; it must exist in the workspace",
    "the datastore 'd' is not declared in this file; it must exist in the workspace",
]
ERROR = "step 'train': train.py: the script does not exist"


@pytest.fixture
def churn(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.delenv("BUILD_SOURCESDIRECTORY", raising=False)
    invoke.write("pipeline.yaml", PIPELINE)
    invoke.write("prepare.py", "")
    invoke.write("train.py", "")
    return invoke


LIMITS = [
    "each blob that is added or changed starts its own run: ten blobs start ten runs",
    "only blobs directly in 'in' are detected, not in subfolders",
    "the datastore 'd' needs an account key and must not be in a virtual network",
]


def test_notes_are_warnings_on_github_and_limits_are_notices(churn: Invoke):
    assert churn("validate", "--format", "github") == Answer(
        f"::warning file=pipeline.yaml,line=2::pipeline.yaml:2: {NOTES[0]}\n"
        f"::warning file=pipeline.yaml,line=6::pipeline.yaml:6: {NOTES[1]}\n"
        + "".join(f"::notice file=pipeline.yaml::pipeline.yaml: {limit}\n" for limit in LIMITS)
        + "pipeline.yaml is valid: 2 steps.\n",
        "",
        0,
    )
    strict = churn("validate", "--format", "github", "--strict")
    assert strict.out.replace("::warning", "::error").splitlines()[:2] == strict.out.splitlines()[:2]
    assert (strict.out.count("::error"), strict.out.count("::notice"), strict.status) == (2, 3, 2)


def test_errors_on_github_name_the_file_from_the_root_of_the_repository(churn: Invoke, monkeypatch):
    (churn.folder / "train.py").unlink()
    monkeypatch.setenv("GITHUB_WORKSPACE", str(churn.folder.parent))

    assert churn("validate", "--format", "github") == Answer(
        f"::error file={churn.folder.name}/pipeline.yaml,line=5::pipeline.yaml:5: {ERROR}\n", "", 2
    )


def test_issues_on_azure_devops_have_whole_paths(churn: Invoke):
    file = churn.folder / "pipeline.yaml"

    assert churn("validate", "--format", "azure-devops") == Answer(
        f"##vso[task.logissue type=warning;sourcepath={file};linenumber=2;]pipeline.yaml:2: {NOTES[0]}\n"
        f"##vso[task.logissue type=warning;sourcepath={file};linenumber=6;]pipeline.yaml:6: {NOTES[1]}\n"
        + "".join(f"##vso[task.logissue type=warning;sourcepath={file};]pipeline.yaml: {limit}\n" for limit in LIMITS)
        + "pipeline.yaml is valid: 2 steps.\n",
        "",
        0,
    )
    (churn.folder / "train.py").unlink()
    assert churn("validate", "--format", "azure-devops") == Answer(
        f"##vso[task.logissue type=error;sourcepath={file};linenumber=5;]pipeline.yaml:5: {ERROR}\n", "", 2
    )


def test_paths_on_azure_devops_begin_as_the_agent_names_the_folder_of_the_sources(churn: Invoke, monkeypatch, tmp_path):
    link = tmp_path.with_name(f"{tmp_path.name}-link")
    link.symlink_to(churn.folder.parent)
    (churn.folder / "train.py").unlink()
    monkeypatch.setenv("BUILD_SOURCESDIRECTORY", str(link))

    assert churn("validate", "--format", "azure-devops").out == (
        f"##vso[task.logissue type=error;sourcepath={link}/{churn.folder.name}/pipeline.yaml;linenumber=5;]"
        f"pipeline.yaml:5: {ERROR}\n"
    )


@pytest.mark.parametrize("code", ["", "import sklearn", "def f():\n    import sklearn", "x = 1 +"])
@pytest.mark.parametrize("flags", [(), ("--strict",)])
def test_the_levels_in_json_decide_the_exit_status(invoke: Invoke, code: str, flags: tuple[str, ...]):
    invoke.write("a.py", code)
    environment = "env_name: e\nenvironments: {e: {environment_variables: {A: b}}}\n"
    invoke.write("pipeline.yaml", f"backend: local\n{environment}steps: {{a: {{script_name: a.py}}}}\n")

    answer = invoke("validate", "--format", "json", *flags)

    found = json.loads(answer.out)
    has_error = any(one["level"] == "error" for one in found["problems"])
    assert (answer.status, found["valid"]) == (2 if has_error else 0, not has_error)


def test_json_of_a_valid_file(churn: Invoke):
    answer = churn("validate", "--format", "json")

    assert (json.loads(answer.out), answer.err, answer.status) == (
        {
            "version": 1,
            "file": "pipeline.yaml",
            "target": None,
            "valid": True,
            "counts": {"steps": 2, "datasets": 0, "environments": 0, "computes": 0},
            "problems": [
                {"file": "pipeline.yaml", "line": 2, "level": "note", "message": NOTES[0]},
                {"file": "pipeline.yaml", "line": 6, "level": "note", "message": NOTES[1]},
                *({"file": "pipeline.yaml", "line": None, "level": "note", "message": limit} for limit in LIMITS),
            ],
        },
        "",
        0,
    )
    answer = churn("validate", "--format", "json", "--strict")
    assert ([one["level"] for one in json.loads(answer.out)["problems"]], answer.status) == (
        ["error", "error", "note", "note", "note"],
        2,
    )


@pytest.mark.parametrize(
    ("change", "file", "line", "message"),
    [
        (lambda folder: (folder / "train.py").unlink(), "pipeline.yaml", 5, ERROR),
        (
            lambda folder: (folder / "train.py").write_text("x = 1 +\n"),
            "train.py",
            1,
            r"Python \S+ cannot read this file: invalid syntax",
        ),
        (lambda folder: (folder / "pipeline.yaml").write_text("steps: [\n"), "pipeline.yaml", 1, r".+"),
    ],
)
def test_json_of_a_file_with_errors(churn: Invoke, change, file: str, line: int, message: str):
    change(churn.folder)
    answer = churn("validate", "--format", "json")
    found = json.loads(answer.out)

    assert (answer.err, answer.status, found["valid"], found["counts"]) == ("", 2, False, None)
    (problem,) = found["problems"]
    assert (problem["file"], problem["line"], problem["level"]) == (file, line, "error")
    assert re.fullmatch(message, problem["message"])


def test_json_where_there_is_no_project(invoke: Invoke):
    found = json.loads(invoke("validate", "--format", "json").out)

    assert (found["file"], found["valid"], len(found["problems"])) == (None, False, 1)


def test_an_unknown_format(churn: Invoke):
    assert churn("validate", "--format", "gihub") == Answer(
        "", "--format must be text, github, azure-devops or json, not 'gihub'; did you mean 'github'?\n", 2
    )


def shown(validation: Validation, name: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a format prints."""
    validation.show(name)
    return capsys.readouterr().out


def test_each_service_gets_its_own_escapes(capsys: pytest.CaptureFixture[str], monkeypatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a;b]c,d:e%f"
    folder.mkdir()
    problem = Problem("x.py", 3, "100% of `a`; [b], c: d")
    validation = Validation(None, folder / "pipeline.yaml", (problem,))

    assert shown(validation, "github", capsys) == (
        "::error file=a;b]c%2Cd%3Ae%25f/x.py,line=3::x.py:3: 100%25 of `a`; [b], c: d\n"
    )
    escaped = str(folder).replace("%", "%AZP25").replace(";", "%3B").replace("]", "%5D")
    assert shown(validation, "azure-devops", capsys) == (
        f"##vso[task.logissue type=error;sourcepath={escaped}/x.py;linenumber=3;]x.py:3: 100%AZP25 of `a`; [b], c: d\n"
    )


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_prints_a_secret_or_starts_a_second_command(name: str, capsys: pytest.CaptureFixture[str]):
    token = "ghp_" + "aB3dE6gH9" * 4
    problem = Problem("x.py", 1, f"bad\n::error::other\r##vso[task.complete]{token}")

    printed = shown(Validation(None, None, (problem,)), name, capsys)

    assert token not in printed
    assert name == "json" or printed.count("\n") == 1


def test_commands_in_messages_name_the_target(capsys: pytest.CaptureFixture[str]):
    problem = Problem("pipeline.yaml", 1, "run `invoke register-env`")

    assert "`invoke register-env --target dev`" in shown(Validation("dev", None, (problem,)), "github", capsys)
