"""What becomes of an environment, and how a step names it."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.export import export
from tests.export.examples import ENVIRONMENTS, FILES
from tests.export.projects import documents, project, texts, with_sdk

IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"


def test_an_environment_is_an_image_or_a_dockerfile_with_packages_or_without(tmp_path):
    files = documents(project(tmp_path, ENVIRONMENTS, FILES))
    schema = {"$schema": "https://azuremlschemas.azureedge.net/latest/environment.schema.json"}

    assert {path: files[path] for path in files if path.startswith("environments/") and path.count("/") == 1} == {
        "environments/packages.yml": {
            **schema,
            "name": "packages",
            "image": IMAGE,
            "conda_file": "packages/conda.yml",
        },
        "environments/file.yml": {**schema, "name": "file", "image": IMAGE, "conda_file": "file/conda.yml"},
        "environments/image.yml": {**schema, "name": "image", "image": "example.azurecr.io/mine:1"},
        "environments/docker.yml": {
            **schema,
            "name": "docker",
            "build": {"path": "docker", "dockerfile_path": "Dockerfile"},
        },
        "environments/both.yml": {
            **schema,
            "name": "both",
            "build": {"path": "both", "dockerfile_path": "Dockerfile"},
        },
    }


def test_packages_on_a_dockerfile_are_installed_by_its_last_lines(tmp_path):
    files = texts(export(project(tmp_path, ENVIRONMENTS, FILES)))

    assert files["environments/docker/Dockerfile"] == FILES["Dockerfile"]
    assert files["environments/both/Dockerfile"] == FILES["Dockerfile"] + (
        "\n"
        "# The packages of the environment, which v1 added automatically.\n"
        "COPY conda.yml /tmp/conda.yml\n"
        "RUN conda env create --prefix /azureml-envs/packages --file /tmp/conda.yml && conda clean --all --yes\n"
        "ENV PATH=/azureml-envs/packages/bin:$PATH\n"
    )


def test_how_a_step_names_its_environment(tmp_path):
    files = documents(project(tmp_path, ENVIRONMENTS, FILES))

    assert {path[11:12]: file["environment"] for path, file in files.items() if path.startswith("components/")} == {
        "a": "azureml:e@latest",
        "b": "azureml:file@latest",
        "c": "azureml:image@latest",
        "d": "azureml:docker@latest",
        "e": "azureml:both@latest",
        "f": "azureml://registries/azureml/environments/AzureML-sklearn-1.5/labels/latest",
        "g": "azureml://registries/azureml/environments/AzureML-sklearn-1.5/versions/7",
        "h": "azureml:ours@latest",
    }


@pytest.mark.parametrize(
    ("script", "inputs", "packages"),
    [
        ("import pandas", "{}", ["pandas"]),
        ("import azureml.core", "{}", ["pandas", "azureml-defaults"]),
        ("import azureml.core\nrun.log_image('a', None)", "{}", ["pandas", "azureml-defaults", "azureml-mlflow"]),
        ("", "{--t: table}", ["pandas", "azureml-dataprep[pandas]", "mltable"]),
        ("", "{--f: files}", ["pandas"]),
    ],
)
def test_an_environment_gets_what_its_scripts_need_in_v2_with_the_sdk(script, inputs, packages, tmp_path):
    text = f"""
        steps: {{a: {{script_name: a.py, env_name: own, input_datasets: {inputs}}}}}
        environments: {{own: {{pip_packages: [pandas]}}}}
        datasets: {{table: {{datastore_name: s, path: a.csv}}, files: {{datastore_name: s, path: a/, type: file}}}}
    """

    assert documents(with_sdk(project(tmp_path, text, {"a.py": script})))["environments/own/conda.yml"] == {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": ["python=3.10", "pip", {"pip": packages}],
    }


USE = "from azureml.core import Run\nrun = Run.get_context()\n"


@pytest.mark.parametrize(
    ("script", "inputs", "packages"),
    [
        ("import pandas", "{--t: table}", []),
        (USE + "run.log('a', 1)", "{--f: files}", []),
        (USE, "{--t: table}", ["pandas"]),
        (USE, "{--t: columns}", ["pandas", "pyarrow"]),
        (USE, "{--t: {step: b}}", ["pandas", "pyarrow"]),
        (USE, "{--t: {step: b, format: delimited}}", ["pandas"]),
        (USE, "{--t: unknown}", ["mltable", "pandas"]),
        (USE + "run.get_secret('a')", "{}", ["azure-identity", "azure-keyvault-secrets"]),
    ],
)
def test_an_environment_gets_what_the_stand_in_imports(script, inputs, packages, tmp_path):
    text = f"""
        steps:
          b: {{script_name: b.py, env_name: other}}
          a: {{script_name: a.py, env_name: own, input_folders: {{}}, input_datasets: {inputs}}}
        environments: {{own: {{pip_packages: [numpy]}}, other: {{}}}}
        datasets:
          table: {{datastore_name: s, path: a.csv}}
          columns: {{datastore_name: s, path: a.parquet, format: parquet}}
          files: {{datastore_name: s, path: a/, type: file}}
    """

    assert documents(project(tmp_path, text, {"a.py": script}))["environments/own/conda.yml"] == {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": ["python=3.10", "pip", {"pip": ["numpy", *packages]}],
    }


def test_a_package_of_conda_is_not_added_again(tmp_path):
    text = """
        steps: {a: {script_name: a.py, env_name: own, input_datasets: {--t: t}}}
        environments: {own: {conda_packages: [pandas=2.2]}}
        datasets: {t: {datastore_name: s, path: a.csv}}
    """

    assert documents(project(tmp_path, text, {"a.py": USE}))["environments/own/conda.yml"]["dependencies"] == [
        "python=3.10",
        "pandas=2.2",
        "pip",
        {"pip": []},
    ]


def test_a_variable_of_the_step_counts_before_one_of_its_environment(tmp_path):
    text = """
        steps: {a: {script_name: a.py, env_name: own, environment_variables: {A: step}}}
        environments: {own: {pip_packages: [pandas], environment_variables: {A: environment, B: environment}}}
    """

    job = documents(project(tmp_path, text))["pipeline.yml"]["jobs"]["a"]

    assert job["environment_variables"] == {"A": "step", "B": "environment"}


@pytest.mark.parametrize("key", ["conda_file", "dockerfile"])
def test_a_file_that_is_not_there_is_reported_in_a_sentence(key, tmp_path):
    made = project(tmp_path, f"steps: {{a: {{script_name: a.py}}}}\nenvironments: {{e: {{{key}: missing}}}}\n")

    with pytest.raises(ProjectError, match=r"^missing: cannot be read: No such file or directory$"):
        export(made)
