"""Environments: what is sent for each key of the file, and when a new version is made."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azureml.core", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v1.resources.environments import (
    environment_definition,
    find_environment,
    pinned_environment,
    register_environment,
)
from azml_tasks.errors import ProjectError
from tests.azure.projects import write_project
from tests.azure.workspace import opened
from tests.service.service import Service

READS = {
    "nothing": "{script_name: a.py}",
    "a table": "{script_name: a.py, input_datasets: {--data: table}}",
    "files": "{script_name: a.py, input_datasets: {--data: files}}",
}
DATASETS = """
datasets:
  table: {datastore_name: d, path: t.csv}
  files: {datastore_name: d, path: f, type: file, mode: mount}
"""


def definition(folder: Path, declared: str, reads: str = "nothing") -> Any:
    """Return the environment `env` of a file that declares it so."""
    text = f"env_name: env\nsteps: {{a: {READS[reads]}}}\nenvironments: {{env: {declared}}}\n{DATASETS}"
    project = write_project(folder, text)
    return environment_definition(project.plan, "env", project.directory)


def conda(environment: Any) -> Any:
    return environment.python.conda_dependencies.as_dict()


@pytest.mark.parametrize(
    ("declared", "reads", "dependencies"),
    [
        ("{}", "nothing", ["python=3.10", "pip", {"pip": ["azureml-defaults"]}]),
        ("{pip_packages: [pandas]}", "nothing", ["python=3.10", "pip", {"pip": ["pandas", "azureml-defaults"]}]),
        (
            "{pip_packages: [pandas]}",
            "a table",
            [
                "python=3.10",
                "pip",
                {
                    "pip": [
                        "pandas",
                        "azureml-defaults",
                        "azureml-dataset-runtime[fuse]",
                        "azureml-dataprep[pandas]",
                    ]
                },
            ],
        ),
        (
            "{}",
            "files",
            ["python=3.10", "pip", {"pip": ["azureml-defaults", "azureml-dataset-runtime[fuse]"]}],
        ),
        (
            "{pip_packages: [AzureML_Defaults==1.60, 'azureml-dataset-runtime[pandas,fuse]', azureml-dataprep]}",
            "a table",
            [
                "python=3.10",
                "pip",
                {"pip": ["AzureML_Defaults==1.60", "azureml-dataset-runtime[pandas,fuse]", "azureml-dataprep"]},
            ],
        ),
        (
            '{conda_packages: [numpy, "scikit-learn=1.5"], python_version: "3.11"}',
            "nothing",
            ["python=3.11", "numpy", "scikit-learn=1.5", "pip", {"pip": ["azureml-defaults"]}],
        ),
        (
            "{conda_packages: [python=3.9, pip=24]}",
            "nothing",
            ["python=3.9", "pip=24", {"pip": ["azureml-defaults"]}],
        ),
    ],
)
def test_the_run_gets_what_it_needs_unless_the_file_names_it(
    tmp_path: Path, declared: str, reads: str, dependencies: Any
) -> None:
    found = conda(definition(tmp_path, declared, reads))
    assert found == {"channels": ["conda-forge", "nodefaults"], "dependencies": dependencies}


def test_a_conda_file_is_taken_as_it_is_with_what_the_run_needs(tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text(
        "name: mine\nchannels: [pytorch, conda-forge]\ndependencies: [python=3.11, torch, {pip: [wheel]}]\n"
    )
    assert conda(definition(tmp_path, "{conda_file: conda.yml}")) == {
        "name": "mine",
        "channels": ["pytorch", "conda-forge"],
        "dependencies": ["python=3.11", "torch", "pip", {"pip": ["wheel", "azureml-defaults"]}],
    }


def test_a_conda_file_without_channels_does_not_get_the_anaconda_channel(tmp_path: Path) -> None:
    (tmp_path / "conda.yml").write_text("dependencies: [numpy]\n")
    assert conda(definition(tmp_path, "{conda_file: conda.yml}")) == {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": ["python=3.10", "numpy", "pip", {"pip": ["azureml-defaults"]}],
    }


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "conda.yml: cannot be read: No such file or directory"),
        ("a: [", "conda.yml:1: missing value, or a '[' or '{' above is not closed"),
        ("channels: [a]\n", "conda.yml: this is not a conda file: no list of `dependencies`"),
    ],
)
def test_a_conda_file_that_is_none_is_named(tmp_path: Path, content: str | None, sentence: str) -> None:
    if content is not None:
        (tmp_path / "conda.yml").write_text(content)
    with pytest.raises(ProjectError) as error:
        definition(tmp_path, "{conda_file: conda.yml}")
    assert str(error.value) == sentence


def test_the_images_own_python_runs_the_steps_when_no_package_is_named(tmp_path: Path) -> None:
    imaged = definition(tmp_path, "{base_image: python:3.11}")
    assert (imaged.docker.base_image, imaged.python.user_managed_dependencies) == ("python:3.11", True)
    layered = definition(tmp_path, "{base_image: python:3.11, pip_packages: [pandas]}")
    assert (layered.docker.base_image, layered.python.user_managed_dependencies) == ("python:3.11", False)


def test_a_dockerfile_is_sent_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM python:3.11\nRUN pip install azureml-defaults\n")
    docked = definition(tmp_path, "{dockerfile: Dockerfile}")
    assert (docked.docker.base_image, docked.docker.base_dockerfile) == (
        None,
        "FROM python:3.11\nRUN pip install azureml-defaults\n",
    )


def test_only_the_files_own_variables_are_set(tmp_path: Path) -> None:
    assert definition(tmp_path, "{}").environment_variables == {}
    assert definition(tmp_path, '{environment_variables: {A: "1"}}').environment_variables == {"A": "1"}


CHANGES = {
    "pip package polars added, pip package pandas removed": ("{pip_packages: [pandas]}", "{pip_packages: [polars]}"),
    "conda package scipy added, conda package numpy removed": (
        "{conda_packages: [numpy]}",
        "{conda_packages: [scipy]}",
    ),
    "python_version 3.10 -> 3.11": ("{}", '{python_version: "3.11"}'),
    "base_image IMAGE -> python:3.11": ("{pip_packages: [a]}", "{pip_packages: [a], base_image: python:3.11}"),
    "variable A 1 -> 2": ('{environment_variables: {A: "1"}}', '{environment_variables: {A: "2"}}'),
    "channels [conda-forge] -> [pytorch]": ("{conda_file: one.yml}", "{conda_file: two.yml}"),
    "the Dockerfile changed": ("{dockerfile: one}", "{dockerfile: two}"),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_changed_definition_is_a_new_version_that_reports_what_changed(
    azure: Service, tmp_path: Path, changed: str
) -> None:
    for name, channel in (("one", "conda-forge"), ("two", "pytorch")):
        (tmp_path / f"{name}.yml").write_text(f"channels: [{channel}]\ndependencies: [numpy]\n")
        (tmp_path / name).write_text(f"FROM {name}\n")
    ws = opened()
    before, after = CHANGES[changed]
    said = [
        re.sub(r"mcr\S+", "IMAGE", str(register_environment(ws, definition(tmp_path, declared))[1]))
        for declared in (before, before, after, after)
    ]
    assert said == [
        "environment env: created (version 1)",
        "environment env: unchanged (version 1)",
        f"environment env: updated (version 1 -> 2): {changed}",
        "environment env: unchanged (version 2)",
    ]
    assert list(azure.environments["env"]) == ["1", "2"]
    assert len(azure.requests.matching("PUT")) == 2


def test_the_order_of_packages_is_no_change(azure: Service, tmp_path: Path) -> None:
    ws = opened()
    register_environment(ws, definition(tmp_path, "{pip_packages: [a, b]}"))
    again = register_environment(ws, definition(tmp_path, "{pip_packages: [b, a]}"))[1]
    assert again.outcome == "unchanged"


def test_another_default_image_of_the_sdk_is_no_change(azure: Service, tmp_path: Path) -> None:
    ws = opened()
    older = definition(tmp_path, "{pip_packages: [a]}")
    older.docker.base_image = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:20230101.v1"
    register_environment(ws, older)
    assert register_environment(ws, definition(tmp_path, "{pip_packages: [a]}"))[1].outcome == "unchanged"


def test_dry_writes_nothing_and_reports_what_would_be_done(azure: Service, tmp_path: Path) -> None:
    ws = opened()
    wanted = definition(tmp_path, "{pip_packages: [a]}")
    assert str(register_environment(ws, wanted, dry=True)[1]) == "environment env: would be created"
    register_environment(ws, wanted)
    other = definition(tmp_path, "{pip_packages: [b]}")
    assert str(register_environment(ws, other, dry=True)[1]) == (
        "environment env: would be updated (version 1 -> a new one): pip package b added, pip package a removed"
    )
    assert list(azure.environments["env"]) == ["1"]


def test_a_run_pins_the_version_of_what_the_file_declares(azure: Service, tmp_path: Path) -> None:
    ws = opened()
    project = write_project(
        tmp_path, "env_name: env\nsteps: {a: {script_name: a.py}}\nenvironments: {env: {pip_packages: [a]}}\n"
    )
    pinned = [pinned_environment(ws, project.plan, "env", project.directory) for _ in range(2)]
    assert [(environment.name, environment.version) for environment in pinned] == [("env", "1"), ("env", "1")]
    assert azure.requests.counts()["environments.register_environment"] == 1


def test_other_names_are_looked_up_and_not_registered(azure: Service, tmp_path: Path) -> None:
    ws = opened()
    for packages in ("[a]", "[b]"):
        register_environment(ws, definition(tmp_path, f"{{pip_packages: {packages}}}"))
    assert [find_environment(ws, name).version for name in ("env", "env@1", "env@latest")] == ["2", "1", "2"]
    curated = find_environment(ws, "AzureML-sklearn-1.0-ubuntu20.04-py38-cpu")
    assert (curated.name, curated.version) == ("AzureML-sklearn-1.0-ubuntu20.04-py38-cpu", "1")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "en",
            "no environment 'en' in the file or the workspace 'churn-ws'; did you mean 'env'?",
        ),
        ("env@7", "the environment 'env' has no version 7 in the workspace 'churn-ws'"),
    ],
)
def test_a_name_that_is_not_there_is_an_error_that_names_a_close_one(
    azure: Service, tmp_path: Path, name: str, sentence: str
) -> None:
    ws = opened()
    register_environment(ws, definition(tmp_path, "{}"))
    with pytest.raises(MissingError) as error:
        find_environment(ws, name)
    assert str(error.value) == sentence
