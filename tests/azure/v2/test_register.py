"""Registering on Azure ML v2: created, updated, unchanged; never under the name of a v1 dataset."""

from __future__ import annotations

import os
from datetime import date

import pytest

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.backend import KINDS
from azml_tasks.checks.doctor import examine
from azml_tasks.errors import ProjectError, ServiceError
from tests.azure.v2.projects import WHERE, add_data, run, stocked, v2_project, write_project

PROJECT = """\
environments:
  env: {pip_packages: [pandas], python_version: "3.12"}
datastores:
  raw: {container_name: raw, account_name: churnstore, account_key: "${KEY}"}
datasets:
  customers: {datastore_name: raw, path: customers.csv, local_path: customers.csv}
  images: {datastore_name: raw, path: images/, type: file, tags: {team: crm}}
computes:
  cluster: {vm_size: STANDARD_D4DS_V4, max_nodes: 2, idle_seconds_before_scaledown: 120}
steps:
  a: {script_name: a.py}
"""
EVERYTHING = [
    "environment env: created (version 1)",
    "datastore raw: created (raw in churnstore)",
    "dataset customers: created (version 1)",
    "dataset images: created (version 1)",
    "compute cluster: created (STANDARD_D4DS_V4, 0 to 2 nodes)",
]


def register(folder, text=PROJECT, *, kinds=KINDS, upload=False, dry=False, key="a2V5"):
    (folder / "customers.csv").write_text("id,age\n1,30\n")
    backend = AzureV2Backend(v2_project(folder, text, {"a.py": "print(1)\n"}, KEY=key))
    return [str(change) for change in backend.register(kinds, upload=upload, dry=dry, say=print)]


def test_everything_is_made_once(azure_v2, tmp_path):
    first = register(tmp_path)
    azure_v2.requests.clear()
    again = register(tmp_path)

    assert first == EVERYTHING
    assert again == [
        "environment env: unchanged (version 1)",
        "datastore raw: unchanged",
        "dataset customers: unchanged (version 1)",
        "dataset images: unchanged (version 1)",
        "compute cluster: unchanged",
    ]
    assert [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []
    assert azure_v2.assets["data"]["images"]["1"]["properties"]["dataType"] == "uri_folder"
    assert azure_v2.assets["data"]["customers"]["1"]["properties"]["dataType"] == "mltable"
    assert azure_v2.datastores["raw"].credential == "a2V5"
    assert azure_v2.computes["cluster"].settings["scaleSettings"]["maxNodeCount"] == 2


def test_dry_says_so_and_changes_nothing(azure_v2, tmp_path):
    made = register(tmp_path, dry=True)

    assert [line.partition(" (")[0] for line in made] == [
        "environment env: would be created",
        "datastore raw: would be created",
        "dataset customers: would be created",
        "dataset images: would be created",
        "compute cluster: would be created",
    ]
    assert azure_v2.assets["environments"] == {}
    assert [record for record in azure_v2.requests if record.method in ("PUT", "PATCH", "DELETE")] == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("[pandas]", "[pandas, numpy]", "environment env: updated (version 1 -> 2): pip package numpy added"),
        ('"3.12"', '"3.13"', "environment env: updated (version 1 -> 2): python_version 3.12 -> 3.13"),
        ("raw, account_name", "new, account_name", "datastore raw: updated: container_name raw -> new"),
        (
            "path: images/",
            "path: pictures/",
            "dataset images: updated (version 1 -> 2): path raw/images -> raw/pictures",
        ),
        (
            "path: customers.csv, l",
            "path: c.csv, l",
            "dataset customers: updated (version 1 -> 2): its MLTable changed",
        ),
        ("team: crm", "team: it", "dataset images: updated (version 1 -> 2): tag team crm -> it"),
        ("max_nodes: 2", "max_nodes: 5", "compute cluster: updated: max_nodes 2 -> 5"),
        ("scaledown: 120", "scaledown: 240", "compute cluster: updated: idle_seconds_before_scaledown 120 -> 240"),
    ],
)
def test_a_change_is_named_and_made(azure_v2, tmp_path, old, new, line):
    register(tmp_path)

    made = register(tmp_path, PROJECT.replace(old, new))

    assert [change for change in made if "unchanged" not in change] == [line]
    assert [change for change in register(tmp_path, PROJECT.replace(old, new)) if "unchanged" not in change] == []


def test_another_secret_is_set_without_being_shown(azure_v2, tmp_path):
    register(tmp_path)

    made = register(tmp_path, key="bmV3", kinds=("datastore",))

    assert made == ["datastore raw: updated: account_key changed"]
    assert azure_v2.datastores["raw"].credential == "bmV3"


def test_an_environment_that_someone_else_made_alike_is_unchanged(azure_v2, tmp_path):
    register(tmp_path, kinds=("environment",))
    body = azure_v2.assets["environments"]["env"]["1"]["properties"]
    body["tags"] = {}

    assert register(tmp_path, kinds=("environment",)) == ["environment env: unchanged (version 1)"]


def test_a_dockerfile_is_compared_by_its_content(azure_v2, tmp_path):
    (tmp_path / "Dockerfile").write_text("FROM python:3.12\n")
    text = PROJECT.replace('{pip_packages: [pandas], python_version: "3.12"}', "{dockerfile: Dockerfile}")
    first = register(tmp_path, text, kinds=("environment",))
    again = register(tmp_path, text, kinds=("environment",))
    (tmp_path / "Dockerfile").write_text("FROM python:3.13\n")

    changed = register(tmp_path, text, kinds=("environment",))

    assert first == ["environment env: created (version 1)"]
    assert again == ["environment env: unchanged (version 1)"]
    assert changed == ["environment env: updated (version 1 -> 2): the Dockerfile or its packages changed"]


def test_a_v1_dataset_of_the_name_is_never_broken(azure_v2, tmp_path):
    azure_v2.add_datastore("raw")
    azure_v2.add_table("customers", "raw", "customers.csv", {"id": "int"})

    with pytest.raises(ServiceError) as raised:
        register(tmp_path)

    text = str(raised.value)
    assert text.startswith("pipeline.yaml:13: the dataset 'customers' is not registered: v1 has a dataset of this name")
    assert "rename the dataset, for example to 'customers-v2'" in text
    assert "customers" not in azure_v2.assets["data"]
    assert list(azure_v2.assets["data"]["images"]) == ["1"]  # the rest is registered


def test_files_are_uploaded_to_where_the_file_says(azure_v2, tmp_path):
    text = PROJECT.replace("  images: {datastore_name: raw, path: images/, type: file, tags: {team: crm}}\n", "")
    made = register(tmp_path, text, kinds=("datastore", "dataset"), upload=True)

    assert made[1] == "dataset customers: created (1 file uploaded; version 1)"
    assert azure_v2.blob("churnstore", "raw", "customers.csv") == b"id,age\n1,30\n"
    dry = register(tmp_path, text, kinds=("dataset",), upload=True, dry=True)
    assert dry == ["dataset customers: unchanged (1 file to upload; version 1)"]


def test_a_cluster_of_another_size_is_refused(azure_v2, tmp_path):
    register(tmp_path, kinds=("compute",))

    with pytest.raises(ServiceError, match="has the size STANDARD_D4DS_V4, which Azure cannot change to STANDARD_D8"):
        register(tmp_path, PROJECT.replace("STANDARD_D4DS_V4", "STANDARD_D8DS_V4"), kinds=("compute",))


def test_a_datastore_is_unregistered(azure_v2, tmp_path):
    register(tmp_path)
    backend = AzureV2Backend(v2_project(tmp_path, PROJECT, {}, KEY="a2V5"))

    done = [str(backend.unregister_datastore("raw", dry=dry)) for dry in (True, False, False)]

    assert done == [
        "datastore raw: would be removed",
        "datastore raw: removed",
        "datastore raw: unchanged (it was not registered)",
    ]
    assert "raw" not in azure_v2.datastores


def test_an_unset_secret_is_named_before_anything_is_sent(azure_v2, tmp_path):
    (tmp_path / "customers.csv").write_text("id\n1\n")
    backend = AzureV2Backend(v2_project(tmp_path, PROJECT, {"a.py": "print(1)\n"}))

    with pytest.raises(ProjectError, match="KEY"):
        list(backend.register(KINDS, upload=False, dry=False, say=print))

    assert [record for record in azure_v2.requests if record.method == "PUT"] == []


def test_two_commands_that_add_a_version_at_once_make_two(azure_v2, tmp_path):
    register(tmp_path, kinds=("environment",))
    azure_v2.fail("PUT", "/environments/env/versions/2$", status=409)

    made = register(tmp_path, PROJECT.replace("[pandas]", "[numpy]"), kinds=("environment",))

    assert made[0].startswith("environment env: updated (version 1 -> 2)")


def test_doctor_finds_what_is_missing(azure_v2, tmp_path):
    backend = AzureV2Backend(v2_project(tmp_path, PROJECT, {"a.py": "print(1)\n"}, KEY="a2V5"))

    before = [(finding.verdict, finding.message, finding.remedy) for finding in backend.examine()]
    azure_v2.add_compute("cpu")
    register(tmp_path)
    after = [(finding.verdict, finding.message) for finding in backend.examine()]

    assert before[0] == ("good", "the workspace 'churn-ws' was opened", "")
    assert ("bad", "environment env: would be created", "invoke register-env") in before
    assert (
        "bad",
        "the workspace 'churn-ws' has no compute 'cpu'",
        "declare it in `computes:`, or correct the name",
    ) in before
    assert after == [("good", "the workspace 'churn-ws' was opened")]


def test_doctor_does_not_repeat_what_the_look_at_the_file_finds(azure_v2, tmp_path):
    text = (WHERE + PROJECT).replace("resource_group: ", "resource_group: ${NOT_SET_HERE} #")
    project = write_project(tmp_path, text, {"a.py": "print(1)\n"}, {**os.environ, "KEY": "a2V5"})

    assert list(AzureV2Backend(project).examine()) == []
    said = [one.message for one in examine(project, date(2026, 1, 1)) if "NOT_SET_HERE" in one.message]
    assert len(said) == 1
    assert said[0].endswith(": set NOT_SET_HERE in the environment or in .env")


def test_names_that_differ_in_case_are_two_assets(azure_v2, tmp_path):
    text = """\
datastores:
  raw: {container_name: raw, account_name: churnstore}
datasets:
  images: {datastore_name: raw, path: a/, type: file}
  Images: {datastore_name: raw, path: b/, type: file}
steps:
  a: {script_name: a.py}
"""
    made = register(tmp_path, text, kinds=("dataset",))

    assert made == ["dataset images: created (version 1)", "dataset Images_2: created (version 1)"]


def test_a_run_needs_no_variables_of_what_it_does_not_send(azure_v2, tmp_path):
    stocked(azure_v2).on_submit = "execute"
    text = PROJECT.replace("account_name: churnstore", 'account_name: "${NOT_SET_HERE}"')

    assert run(v2_project(tmp_path, text, {"a.py": "print(1)\n"})).status == "completed"


@pytest.mark.parametrize("dry", [True, False])
def test_v1_registers_no_dataset_under_the_name_of_a_data_asset(azure_v2, tmp_path, dry):
    pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK can be installed on Python 3.10 and 3.11 only")
    from azml_tasks.azure.v1.backend import AzureV1Backend
    from tests.azure.connections import forget_connections

    forget_connections()
    add_data(azure_v2, "customers")
    azure_v2.state.storage.add_container("churnstore", "raw")
    text = WHERE.replace("azure-v2", "azure") + PROJECT
    backend = AzureV1Backend(write_project(tmp_path, text, {"a.py": "print(1)\n"}, {**os.environ, "KEY": "a2V5"}))
    made = []

    with pytest.raises(
        ServiceError, match=r"^the dataset 'customers' is not registered: v2 has a data asset of this name"
    ):
        made.extend(backend.register(("datastore", "dataset"), upload=False, dry=dry, say=print))

    assert "customers" not in azure_v2.datasets
