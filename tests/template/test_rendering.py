"""What the template writes for each set of answers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import copier
import pytest
import yaml

from azml_tasks.reading import load_project
from azml_tasks.reading.editor import PYTHON_FOLDER
from azml_tasks.stub import render_stub
from azml_tasks.tasks import namespace
from tests.template.conftest import Copy, contents

FIFTY = [f"step_{number}" for number in range(1, 51)]
DESCRIPTION = "A pipeline that runs on this machine and on Azure Machine Learning."
GITHUB = {".github/workflows/pipeline.yml"}


class Case(NamedTuple):
    """Answers, and what they give: the slug, the steps, their datasets and the files of the CI service."""

    answers: dict[str, str]
    slug: str = "churn"
    steps: list[str] = ["prepare", "train", "evaluate"]  # noqa: RUF012  (read only)
    datasets: list[str] = ["sample"]  # noqa: RUF012
    ci: set[str] = GITHUB

    @property
    def backend(self) -> str:
        return {"v1": "azure", "v2": "azure-v2"}[self.answers.get("azure_ml", "v1")]

    @property
    def python(self) -> str:
        return {"azure": "3.11", "azure-v2": "3.13"}[self.backend]

    @property
    def description(self) -> str:
        return self.answers.get("description", DESCRIPTION)


class Rendered(NamedTuple):
    case: Case
    project: Path


CASES = {
    "defaults": Case({}),
    "one step": Case({"steps": "only"}, steps=["only"]),
    "two steps": Case({"steps": "first,second"}, steps=["first", "second"]),
    "fifty steps": Case({"steps": ",".join(FIFTY)}, steps=FIFTY),
    "no dataset": Case({"datasets": ""}, datasets=[]),
    "one step, no dataset": Case({"steps": "only", "datasets": " "}, steps=["only"], datasets=[]),
    "three datasets": Case({"datasets": "customers, new_orders, Web"}, datasets=["customers", "new_orders", "Web"]),
    "YAML's words": Case(
        {"project_name": "no", "steps": "null,true,no,on,off,y", "datasets": "null,Yes,on,n"},
        slug="no",
        steps=["null", "true", "no", "on", "off", "y"],
        datasets=["null", "Yes", "on", "n"],
    ),
    "words of the field": Case(
        {"steps": "datasets, steps, run, main, model, data, tables, match, input_folder"},
        steps=["datasets", "steps", "run", "main", "model", "data", "tables", "match", "input_folder"],
    ),
    "the names that Azure knows": Case(
        {
            "ws_name": "2-churn",
            "resource_group": "(rg)",
            "subscription_id": "12345678-90ab-cdef-1234-567890abcdef",
        }
    ),
    "names that are numbers": Case({"project_name": "2024", "ws_name": "123", "resource_group": "1e3"}, slug="2024"),
    "accents": Case({"project_name": "Prévision d'été", "description": "L'été à Zoë 😀"}, slug="prevision-d-ete"),
    "quotes": Case(
        {"project_name": """"churn" 'n' \\""", "description": """a "b" 'c' \\ \\n # d: e, [f] {g} & *h"""},
        slug="churn-n",
    ),
    "variables": Case({"description": "$5 ${HOME} $$ ${{ parameters.a }}"}),
    "Jinja": Case({"project_name": "{{ 7 * 7 }}{% raw %}", "description": "{# x #}{{ steps }}"}, slug="7-7-raw"),
    "HTML": Case({"project_name": "<!-- churn", "description": "<script>"}),
    "long names": Case(
        {"steps": "s" * 64 + ", train", "datasets": "d" * 64}, steps=["s" * 64, "train"], datasets=["d" * 64]
    ),
    "Azure DevOps": Case({"ci": "azure-devops"}, ci={"azure-pipelines.yml"}),
    "Azure DevOps, no dataset": Case({"ci": "azure-devops", "datasets": ""}, datasets=[], ci={"azure-pipelines.yml"}),
    "no service": Case({"ci": "none"}, ci=set()),
    "Azure ML v2": Case({"azure_ml": "v2"}),
    "Azure ML v2, Azure DevOps, no dataset": Case(
        {"azure_ml": "v2", "ci": "azure-devops", "datasets": ""}, datasets=[], ci={"azure-pipelines.yml"}
    ),
}
ON_EACH_PYTHON = ("defaults", "accents", "Jinja", "Azure ML v2")


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=[] if name in ON_EACH_PYTHON else pytest.mark.thorough, id=name) for name in CASES
    ],
)
def rendered(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Return a case and its project, which the tests only read."""
    case = CASES[request.param]
    project = tmp_path_factory.mktemp("rendered") / "churn"
    copier.run_copy(str(template), project, case.answers, defaults=True, quiet=True)
    return Rendered(case, project)


def test_the_files_are_those_of_the_answers(rendered: Rendered):
    case = rendered.case
    assert set(contents(rendered.project)) == {
        ".amlignore",
        ".copier-answers.yml",
        ".env.example",
        ".gitignore",
        "AGENTS.md",
        "README.md",
        "pipeline.yaml",
        "pyproject.toml",
        "tasks.py",
        "tests/conftest.py",
        "tests/test_pipeline.py",
        "tests/test_steps.py",
        *(f"steps/{step}.py" for step in case.steps),
        *(f"data/{dataset}.csv" for dataset in case.datasets),
        *case.ci,
    }
    assert (rendered.project / "data").exists() is bool(case.datasets)


def test_the_storage_account_is_spoken_of_where_a_dataset_lies_in_it(rendered: Rendered):
    speaking = {path for path, text in contents(rendered.project).items() if b"AZURE_STORAGE" in text}
    everywhere = {".env.example", "pipeline.yaml", *rendered.case.ci}
    assert speaking == (everywhere if rendered.case.datasets else set())


def test_pipeline_yaml_holds_the_answers(rendered: Rendered):
    text = (rendered.project / "pipeline.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == expected_pipeline(rendered.case)
    assert text.startswith("# yaml-language-server: $schema=.azml/pipeline.schema.json\n")


def expected_pipeline(case: Case) -> dict:
    answers, slug, datastore = case.answers, case.slug, case.slug.replace("-", "_") + "_blob"
    pipeline = {
        "backend": "local",
        "ws_name": answers.get("ws_name", "${AZUREML_WORKSPACE_NAME}"),
        "resource_group": answers.get("resource_group", "${AZURE_RESOURCE_GROUP}"),
        "subscription_id": answers.get("subscription_id", "${AZURE_SUBSCRIPTION_ID}"),
        "experiment_name": slug,
        "env_name": f"{slug}-env",
        "compute_name": "cpu-cluster",
        "steps": {step: {"script_name": f"{step}.py", "script_directory": "steps"} for step in case.steps},
        "environments": {f"{slug}-env": {"python_version": case.python, "pip_packages": ["pandas"]}},
        "computes": {"cpu-cluster": {"vm_size": "STANDARD_D4DS_V4", "min_nodes": 0, "max_nodes": 2}},
        "publish": {"name": slug, "description": case.description.replace("$", "$$")},
        "schedule": {
            "frequency": "Week",
            "week_days": ["Monday"],
            "time_of_day": "06:00",
            "time_zone": "UTC",
        },
        "targets": {
            "dev": {
                "backend": case.backend,
                "experiment_name": f"{slug}-dev",
                "publish": {"name": f"{slug}-dev"},
                "schedule": {"enabled": False},
            },
            "prod": {"backend": case.backend},
        },
    }
    pipeline["steps"][case.steps[0]]["step_config"] = {"max_rows": 1000}
    if case.datasets:
        pipeline["steps"][case.steps[0]]["input_datasets"] = {
            "--" + dataset.replace("_", "-"): dataset for dataset in case.datasets
        }
        pipeline["datastores"] = {
            datastore: {
                "container_name": "raw",
                "account_name": "${AZURE_STORAGE_ACCOUNT}",
                "account_key": "${AZURE_STORAGE_KEY}",
            }
        }
        pipeline["datasets"] = {
            dataset: {
                "datastore_name": datastore,
                "path": f"{dataset}.csv",
                "local_path": f"data/{dataset}.csv",
            }
            for dataset in case.datasets
        }
    return pipeline


@pytest.mark.parametrize("target", [None, "dev", "prod"])
def test_pipeline_yaml_is_valid_for_each_target(rendered: Rendered, target: str | None):
    pipeline = load_project(rendered.project / "pipeline.yaml", target).pipeline
    assert list(pipeline.steps) == rendered.case.steps
    assert pipeline.publish.description == rendered.case.description


def test_each_step_is_the_stub_and_the_first_reads_the_datasets(rendered: Rendered):
    first, *others = rendered.case.steps
    written = {file.stem: file.read_text(encoding="utf-8") for file in (rendered.project / "steps").iterdir()}
    assert written == {
        first: render_stub(first, rendered.case.datasets),
        **{step: render_stub(step) for step in others},
    }


def test_the_project_passes_its_own_lint(rendered: Rendered):
    assert ruff(rendered.project, "check") == ""


def test_the_project_is_formatted(copy: Copy):
    assert ruff(copy(), "format", "--check") == ""


def ruff(project: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, "--no-cache", "--quiet", "."]
    done = subprocess.run(command, cwd=project, check=False, capture_output=True, text=True)
    return done.stdout + done.stderr


def test_the_readme_carries_the_name_and_the_description(rendered: Rendered):
    lines = (rendered.project / "README.md").read_text(encoding="utf-8").splitlines()
    name = rendered.case.answers.get("project_name", "churn")
    assert lines[0] == f"# {name.replace('<', '&lt;')}"
    assert lines[2] == rendered.case.description.replace("<", "&lt;")


def test_the_notes_for_agents_name_commands_and_files_of_the_project(rendered: Rendered):
    text = (rendered.project / "AGENTS.md").read_text(encoding="utf-8")
    names = {*re.findall(r"`?invoke (?:--\w+ )?([a-z][\w.-]*)", text)} - {"run"}
    assert names == {"validate", "snapshot", "lock", "runs.download", "runs.logs", "new-step", "register"}
    assert names - {"runs.logs"} <= set(namespace.task_names)
    for path in ("pipeline.yaml", "README.md", "pyproject.toml", f"steps/{rendered.case.steps[0]}.py"):
        assert path in text
        assert (rendered.project / path).exists()


def test_editors_and_tests_import_as_a_run_does(rendered: Rendered):
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((rendered.project / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert settings["pytest"]["ini_options"]["pythonpath"] == ["steps"]
    assert settings["ruff"]["src"] == ["steps"]
    assert settings["pyright"]["extraPaths"] == ["steps", PYTHON_FOLDER.as_posix()]
    assert settings["mypy"]["mypy_path"] == ["steps", PYTHON_FOLDER.as_posix()]


def test_what_is_installed_and_told_is_for_the_azure_ml_of_the_answer(rendered: Rendered):
    case, project = rendered
    tomllib = pytest.importorskip("tomllib")
    settings = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: packages for name, packages in settings["optional-dependencies"].items() if name != "dev"}
    assert list(extras) == (["azure", "azure-v2"] if case.backend == "azure" else ["azure-v2"])
    assert all(packages[0].startswith(f"azml-tasks[{name}] @ ") for name, packages in extras.items())
    assert settings["requires-python"] == ">=3.10"
    readme = (project / "README.md").read_text(encoding="utf-8")
    assert f'pip install -e ".[{case.backend}]"' in readme
    assert ("needs Python 3.10 or 3.11" in readme, "Azure ML v2" in readme) == (
        (True, False) if case.backend == "azure" else (False, True)
    )
    for path in case.ci:
        text = (project / path).read_text(encoding="utf-8")
        assert set(re.findall(r"(?:python-version|versionSpec): \"(.*?)\"", text)) == {case.python}
        assert set(re.findall(r"\.\[(.*?)\]", text)) == {"dev", case.backend}


V1_AND_V2 = pytest.mark.parametrize(("azure_ml", "extra"), [("v1", "azure"), ("v2", "azure-v2")])


@V1_AND_V2
def test_the_github_workflow_checks_each_change_and_puts_main_on_azure(copy: Copy, azure_ml: str, extra: str):
    workflow = read_yaml(copy(ci="github", azure_ml=azure_ml) / ".github/workflows/pipeline.yml")
    check, deploy = workflow["jobs"]["check"], workflow["jobs"]["deploy"]
    # YAML 1.1, which PyYAML reads, takes the key `on` for true.
    assert workflow[True] == {"pull_request": None, "push": {"branches": ["main"]}}
    assert [step["run"] for step in check["steps"] if "run" in step] == [
        'pip install -e ".[dev]"',
        "ruff check",
        "invoke validate --format github",
        "invoke run",
        "pytest",
    ]
    assert [step["run"] for step in deploy["steps"] if "run" in step] == [
        f'pip install -e ".[{extra}]"',
        "invoke validate --target prod --format github",
        "invoke register --target prod",
        "invoke schedule --target prod",
    ]
    assert deploy["needs"] == "check"
    assert deploy["if"] == "github.event_name == 'push' && vars.AZURE_CLIENT_ID != ''"
    assert deploy["permissions"] == {"contents": "read", "id-token": "write"}


@V1_AND_V2
def test_the_azure_devops_pipeline_checks_each_change_and_puts_main_on_azure(copy: Copy, azure_ml: str, extra: str):
    pipeline = read_yaml(copy(ci="azure-devops", azure_ml=azure_ml) / "azure-pipelines.yml")
    check, deploy = pipeline["stages"]
    assert [step["script"] for step in check["jobs"][0]["steps"] if "script" in step] == [
        'pip install -e ".[dev]"',
        "ruff check",
        "invoke validate --format azure-devops",
        "invoke run",
        "pytest",
    ]
    (stage,) = deploy["${{ if ne(variables.serviceConnection, '') }}"]
    steps = stage["jobs"][0]["strategy"]["runOnce"]["deploy"]["steps"]
    assert [step["script"] for step in steps if "script" in step] == [f'pip install -e ".[{extra}]"']
    assert steps[-1]["inputs"]["inlineScript"].splitlines() == [
        "set -e",
        "invoke validate --target prod --format azure-devops",
        "invoke register --target prod",
        "invoke schedule --target prod",
    ]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("ci", "file", "schema"),
    [
        ("github", ".github/workflows/pipeline.yml", ["vendor.github-workflows"]),
        (
            "azure-devops",
            "azure-pipelines.yml",
            [
                "vendor.azure-pipelines",
                "--data-transform",
                "azure-pipelines",
                "--regex-variant",
                "nonunicode",
            ],
        ),
    ],
)
@pytest.mark.parametrize("answers", [{}, {"datasets": ""}, {"azure_ml": "v2"}])
def test_the_service_s_file_follows_the_service_s_schema(
    copy: Copy, ci: str, file: str, schema: list[str], answers: dict[str, str]
):
    path = copy(ci=ci, **answers) / file
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "ok -- validation done\n")


def read_yaml(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))
