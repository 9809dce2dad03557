"""What uses a lock: virtual environments, the environment on Azure ML, and the reuse of results."""

from __future__ import annotations

import platform

import pytest

from azml_tasks.local.environments import environment_spec, find
from azml_tasks.local.store.paths import ProjectPaths
from azml_tasks.lock.lockfile import lock_path, write_lock
from azml_tasks.lock.wanted import wanted_of
from azml_tasks.reading import load_project
from tests.lock.conftest import pipeline
from tests.lock.index import PackageIndex
from tests.tasks.conftest import Invoke

HERE = ".".join(platform.python_version_tuple()[:2])
PINS = ("azureml-defaults==1.61.0", "numpy==2.2.6", "tiny==1.0")


def locked(project: Invoke, *pins: str, python: str = HERE, name: str = "e"):
    """Write a lock of what the file says, and return the project."""
    file = project.folder / "pipeline.yaml"
    if not file.exists():
        project.write("a.py", "print(1)")
        project.write(
            "pipeline.yaml", pipeline(f'{name}: {{pip_packages: [tiny, "--pre"], python_version: "{python}"}}')
        )
    loaded = load_project(file, variables={})
    write_lock(project.folder, wanted_of(loaded.plan, name, project.folder), pins)
    return loaded


def test_a_virtual_environment_is_held_to_the_lock_and_made_anew_when_it_changes(invoke: Invoke):
    plan = locked(invoke, *PINS).plan
    spec = environment_spec(plan, "e", invoke.folder)

    assert spec.requirements == ("tiny", "--pre", f"-c {lock_path(invoke.folder, 'e')}")
    locked(invoke, *PINS[:-1], "tiny==1.1")
    assert environment_spec(plan, "e", invoke.folder).digest != spec.digest


def test_a_lock_of_what_the_file_said_before_is_not_used(invoke: Invoke):
    locked(invoke, *PINS)
    invoke.write("pipeline.yaml", pipeline(f'e: {{pip_packages: [tiny>=1], python_version: "{HERE}"}}'))
    plan = load_project(invoke.folder / "pipeline.yaml", variables={}).plan

    assert environment_spec(plan, "e", invoke.folder).requirements == ("tiny>=1",)


@pytest.mark.processes
def test_a_changed_lock_reruns_the_steps_and_says_so(invoke: Invoke):
    locked(invoke, *PINS)
    lock_path(invoke.folder, "e").unlink()
    assert invoke("run").status == 0
    locked(invoke, *PINS)
    assert f"its environment is now locked ({len(PINS)} packages)" in invoke("run").out
    assert "reused" in invoke("run").out
    locked(invoke, *PINS[:-1], "tiny==1.1")

    assert "locked package tiny ==1.0 -> ==1.1" in invoke("--dry", "run").out
    assert "locked package tiny ==1.0 -> ==1.1" in invoke("run").out


@pytest.mark.sdk
def test_the_environment_on_azure_is_made_from_the_lock(invoke: Invoke):
    pytest.importorskip("azureml.core")
    from azml_tasks.azure.v1.resources.environments import environment_definition

    plan = locked(invoke, *PINS, python="3.10").plan
    dependencies = environment_definition(plan, "e", invoke.folder).python.conda_dependencies.as_dict()["dependencies"]

    assert dependencies == ["python=3.10", "pip", {"pip": ["--pre", *PINS]}]
    lock_path(invoke.folder, "e").unlink()
    dependencies = environment_definition(plan, "e", invoke.folder).python.conda_dependencies.as_dict()["dependencies"]
    assert dependencies[-1] == {"pip": ["tiny", "--pre", "azureml-defaults"]}


@pytest.mark.processes
def test_register_env_installs_the_locked_versions(churn: Invoke, index: PackageIndex):
    churn.write("pipeline.yaml", pipeline(f'e: {{pip_packages: [tiny], python_version: "{HERE}"}}'))
    locked(churn, "azureml-defaults==1.61.0", "tiny==1.0")
    assert churn("register-env").status == 0

    environment = find(ProjectPaths.of(churn.folder), "e")
    assert environment.distributions["tiny"] == "1.0"
    assert "unchanged" in churn("register-env").out
    locked(churn, "azureml-defaults==1.61.0", "tiny==1.5")
    assert "environment e: updated" in churn("register-env").out
    assert find(ProjectPaths.of(churn.folder), "e").distributions["tiny"] == "1.5"
