"""Environments on Azure ML v2 beside v1: what v1 needs stays, and locks are used as on v1."""

from __future__ import annotations

import os
import re
from dataclasses import replace

import pytest
import yaml

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v2.assets import find_environment
from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.errors import ServiceError
from azml_tasks.lock.lockfile import write_lock
from azml_tasks.lock.wanted import wanted_of
from azml_tasks.reading.environment import conda
from tests.azure.v2 import projects
from tests.azure.v2.projects import run, stocked, v2_project

TABLE = """\
environments:
  env: {pip_packages: [scikit-learn], python_version: "3.11"}
datastores: {raw: {container_name: raw, account_name: churnstore}}
datasets: {customers: {datastore_name: raw, path: customers.csv}}
steps:
  a: {script_name: a.py, input_datasets: {--data: customers}}
"""
SCRIPTS = {"a.py": "from azureml.core import Run\nprint(Run.get_context().input_datasets['customers'])\n"}
# As v1 registers the environment of TABLE.
OF_V1 = ["scikit-learn", "azureml-defaults", "azureml-dataset-runtime[fuse]", "azureml-dataprep[pandas]"]


def of_v1(service, packages=OF_V1, python="3.11", **more):
    """Register an environment as SDK v1 does."""
    specification = {
        "name": "project_environment",
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [f"python={python}", "pip", {"pip": packages}],
    }
    body = {
        "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:20240101.v1",
        "condaFile": yaml.safe_dump(specification),
        "isAnonymous": False,
        "osType": "Linux",
        **more,
    }
    versions = service.assets["environments"].setdefault("env", {})
    versions[str(len(versions) + 1)] = {"properties": body, "created": "2026-01-05T08:00:00.0000000Z"}


def register(folder, text=TABLE, scripts=None, dry=False):
    backend = AzureV2Backend(v2_project(folder, text, SCRIPTS if scripts is None else scripts))
    return list(backend.register(("environment",), upload=False, dry=dry, say=print))


def packages(service, version):
    text = service.assets["environments"]["env"][version]["properties"]["condaFile"]
    return sorted(conda.pip_packages(yaml.safe_load(text)))


def test_an_environment_that_v1_registered_from_this_file_is_not_registered_again(azure_v2, tmp_path):
    of_v1(azure_v2)

    (change,) = register(tmp_path)

    assert str(change) == "environment env: unchanged (version 1)"
    assert change.notes == ("environment env: it keeps azureml-defaults, because v1 pipelines use its newest version",)
    assert list(azure_v2.assets["environments"]["env"]) == ["1"]


def test_a_change_keeps_what_v1_needs_also_the_next_time(azure_v2, tmp_path):
    of_v1(azure_v2)
    changed = TABLE.replace("scikit-learn", "scikit-learn, lightgbm")

    (first,) = register(tmp_path, changed)
    (again,) = register(tmp_path, changed)
    (back,) = register(tmp_path)

    assert str(first) == "environment env: updated (version 1 -> 2): pip package lightgbm added"
    assert str(again) == "environment env: unchanged (version 2)"
    assert str(back) == "environment env: updated (version 2 -> 3): pip package lightgbm removed"
    assert packages(azure_v2, "2") == sorted([*OF_V1, "lightgbm"])
    assert packages(azure_v2, "3") == sorted(OF_V1)


def test_an_environment_of_v2_alone_has_nothing_of_v1(azure_v2, tmp_path):
    register(tmp_path)
    (change,) = register(tmp_path, TABLE.replace("scikit-learn", "scipy"))

    assert change.notes == ()
    assert packages(azure_v2, "1") == ["pandas", "scikit-learn"]
    assert packages(azure_v2, "2") == ["pandas", "scipy"]


def test_azureml_defaults_that_the_file_listed_for_v2_can_be_removed(azure_v2, tmp_path):
    register(tmp_path, TABLE.replace("scikit-learn", "scikit-learn, azureml-defaults"))

    (change,) = register(tmp_path)

    assert str(change) == "environment env: updated (version 1 -> 2): pip package azureml-defaults removed"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"3.11"', '"3.13"', "which cannot be installed on Python 3.13"),
        (
            '{pip_packages: [scikit-learn], python_version: "3.11"}',
            "{base_image: python}",
            "which an environment with an image or a Dockerfile of its own does not get on v2",
        ),
    ],
)
def test_an_environment_that_would_break_v1_is_refused(azure_v2, tmp_path, old, new, why):
    of_v1(stocked(azure_v2))
    azure_v2.add_datastore("raw")

    with pytest.raises(ServiceError) as raised:
        register(tmp_path, TABLE.replace(old, new))
    with pytest.raises(ServiceError):
        run(v2_project(tmp_path, TABLE.replace(old, new), SCRIPTS))

    assert str(raised.value) == (
        "pipeline.yaml:9: the environment 'env' is not registered: its newest version 1 has azureml-defaults, "
        f"{why}; v1 pipelines that use the newest version would fail without it. Use another name on v2, for example "
        "'env-v2'"
    )
    assert list(azure_v2.assets["environments"]["env"]) == ["1"]
    assert azure_v2.jobs == {}


def lock(project, pins, backend="azure-v2"):
    needed = conda.packages_needed(project.plan, "env", backend=backend)
    write_lock(project.directory, wanted_of(project.plan, "env", project.directory, needed), tuple(pins))


def test_a_lock_is_what_the_environment_is_made_of(azure_v2, tmp_path):
    project = v2_project(tmp_path, TABLE, SCRIPTS)
    register(tmp_path)
    lock(project, ["numpy==2.2.6", "pandas==2.3.0", "scikit-learn==1.7.0"])

    (change,) = register(tmp_path)
    lock(project, ["numpy==2.2.6", "pandas==2.3.1", "scikit-learn==1.7.0"])
    (planned,) = register(tmp_path, dry=True)
    (newer,) = register(tmp_path)

    assert packages(azure_v2, "2") == ["numpy==2.2.6", "pandas==2.3.0", "scikit-learn==1.7.0"]
    assert str(change).startswith("environment env: updated (version 1 -> 2): pip package ")
    assert str(planned) == (
        "environment env: would be updated (version 2 -> a new one): pip package pandas ==2.3.0 -> ==2.3.1"
    )
    assert str(newer) == "environment env: updated (version 2 -> 3): pip package pandas ==2.3.0 -> ==2.3.1"


def test_a_lock_for_v1_serves_v2_if_it_has_what_v2_needs(azure_v2, tmp_path):
    project = v2_project(tmp_path, TABLE, SCRIPTS)
    pins = ["azureml-defaults==1.61.0", "pandas==2.1.0", "scikit-learn==1.5.0"]
    lock(project, pins, backend="azure")

    register(tmp_path)
    lock(project, pins[:1], backend="azure")
    register(tmp_path)

    assert packages(azure_v2, "1") == pins
    assert packages(azure_v2, "2") == ["pandas", "scikit-learn"]


def test_a_lock_of_another_file_is_not_used_and_validate_says_so(azure_v2, tmp_path):
    from azml_tasks.checks.files import environment_notes

    project = v2_project(tmp_path, TABLE, SCRIPTS)
    lock(project, ["pandas==2.3.0"])
    changed = v2_project(tmp_path, TABLE.replace("scikit-learn", "scipy"), SCRIPTS)

    register(tmp_path, TABLE.replace("scikit-learn", "scipy"))

    assert packages(azure_v2, "1") == ["pandas", "scipy"]
    assert any("changed since locks/env.txt was written" in str(note) for note in environment_notes(changed))


def test_a_lock_without_what_v1_needs_is_not_registered_under_v1_s_name(azure_v2, tmp_path):
    of_v1(azure_v2)
    lock(v2_project(tmp_path, TABLE, SCRIPTS), ["pandas==2.3.0", "scikit-learn==1.7.0"])

    with pytest.raises(ServiceError, match=r"which its lock does not have \(`invoke lock` for the v1 target adds it\)"):
        register(tmp_path)


def test_a_version_that_does_not_exist_is_named(azure_v2, tmp_path):
    azure_v2.add_environment_v2("env")
    client = connect(v2_project(tmp_path))

    assert find_environment(client, "env@1") == "1"
    with pytest.raises(MissingError, match=r"^the environment 'env' has no version 7 in the workspace 'churn-ws'$"):
        find_environment(client, "env@7")
    with pytest.raises(MissingError, match=r"^no environment 'evn' in .*; did you mean 'env'\?$"):
        find_environment(client, "evn@7")


@pytest.mark.sdk
def test_v1_makes_the_environment_that_the_other_tests_take_for_its(tmp_path):
    pytest.importorskip("azureml.core", exc_type=ImportError)
    from azml_tasks.azure.v1.resources.environments import environment_definition

    plan = v2_project(tmp_path, TABLE, SCRIPTS).plan
    of_v1 = replace(plan, pipeline=plan.pipeline.model_copy(update={"backend": "azure"}))
    made = environment_definition(of_v1, "env", tmp_path).python.conda_dependencies.as_dict()

    assert made["dependencies"] == ["python=3.11", "pip", {"pip": OF_V1}]


CURATED = """\
environments: {other: {pip_packages: [numpy]}}
publish: {name: churn}
schedule: {frequency: Week}
env_name: AzureML-sklearn-1.5
steps:
  a: {script_name: a.py}
  b: {script_name: b.py, env_name: other}
"""
NOT_THERE = r"^no environment 'AzureML-sklearn-1.5' in Microsoft's registry 'azureml'; `az ml environment list"


def curated(folder, name="AzureML-sklearn-1.5"):
    text = projects.WHERE.replace("env_name: env\n", "") + CURATED.replace("AzureML-sklearn-1.5", name)
    return projects.write_project(folder, text, None, {**os.environ})


def test_an_environment_that_microsofts_registry_does_not_have_is_found_before_anything_is_made(azure_v2, tmp_path):
    stocked(azure_v2).gone = {"AzureML-sklearn-1.5"}
    backend = AzureV2Backend(curated(tmp_path))

    for start in (
        lambda: run(curated(tmp_path)),
        lambda: list(backend.publish(prune=False, dry=False)),
        lambda: backend.schedule(run_now=False, dry=False),
    ):
        with pytest.raises(MissingError, match=NOT_THERE):
            start()
    assert [one.message for one in backend.examine() if re.match(NOT_THERE, one.message)]
    assert [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []


def test_a_version_that_microsofts_registry_does_not_have_is_named(azure_v2, tmp_path):
    stocked(azure_v2).gone = {"AzureML-sklearn-1.5@7"}

    with pytest.raises(MissingError, match=r"^the environment 'AzureML-sklearn-1.5' has no version 7 in Microsoft's"):
        run(curated(tmp_path, "AzureML-sklearn-1.5@7"))


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("/discovery$", {"status": 403}),
        ("/discovery$", {"status": 200, "body": b"{}"}),
        ("/registries/.*/environments/", {"status": 0}),
        ("/registries/.*/environments/", {"status": 404, "body": b"<html></html>"}),
    ],
)
def test_a_registry_that_cannot_be_asked_stops_nothing(azure_v2, tmp_path, path, fault):
    stocked(azure_v2).gone = {"AzureML-sklearn-1.5"}
    azure_v2.fail("GET", path, times=9, **fault)

    assert run(curated(tmp_path)).status == "completed"


def test_the_registry_is_asked_once_for_runs_of_the_same_environment(azure_v2, tmp_path):
    stocked(azure_v2)

    run(curated(tmp_path), wait=False)
    assert len(azure_v2.requests.matching("GET", "/registries/")) == 2
    run(curated(tmp_path), wait=False)
    assert len(azure_v2.requests.matching("GET", "/registries/")) == 2
