"""The scripts of v1, untouched, on Azure ML v2: the same file, the same metrics and files as on this machine."""

from __future__ import annotations

import os
import shutil

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.azure.v2.client.connection import connect
from azml_tasks.azure.v2.documents import documents
from azml_tasks.azure.v2.register import register
from azml_tasks.backend import RunRequest, Watch
from azml_tasks.local.backend import LocalBackend
from azml_tasks.reading import load_project
from azml_tasks.runs.metrics import Metrics
from tests.azure.projects import write_project
from tests.azure.v2.projects import AT_ONCE, WHERE, run, stocked
from tests.export.projects import ROOT
from tests.service.names import GROUP, SUBSCRIPTION, WORKSPACE
from tests.three_steps import PIPELINE, SCRIPTS, VARIABLES

_IRIS = {
    "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
    "AZURE_RESOURCE_GROUP": GROUP,
    "AZUREML_WORKSPACE_NAME": WORKSPACE,
    "AZURE_STORAGE_ACCOUNT": "irisstore",
    "AZURE_STORAGE_KEY": "aXJpcw==",
}


def metrics_of(record):
    return {
        step.key: {series.name: list(series.values) for series in Metrics.of(step.metrics()).series}
        for step in record.steps
    }


def test_iris_gives_the_same_metrics_as_on_this_machine(azure_v2, tmp_path):
    folder = tmp_path / "iris"
    ignored = shutil.ignore_patterns(".azml", "__pycache__")
    shutil.copytree(ROOT / "docs" / "examples" / "iris", folder, ignore=ignored)
    file = folder / "pipeline.yaml"
    file.write_text(file.read_text().replace("  prod: {backend: azure}", "  prod: {backend: azure-v2}"))
    before = {path: path.read_bytes() for path in (folder / "steps").iterdir()}
    project = load_project(file, "prod", {**os.environ, **_IRIS})
    azure_v2.on_submit = "execute"
    client = connect(project)
    with documents(project) as found:
        made = [str(change) for change in register(client, found, upload=True)]

    record = run(project)

    assert made == [
        "environment iris-env: created (version 1)",
        "datastore iris_blob: created (iris in irisstore)",
        "dataset iris: created (1 file uploaded; version 1)",
        "compute cpu-cluster: created (STANDARD_D4DS_V4, 0 to 1 nodes)",
    ]
    assert record.status == "completed"
    on_azure = metrics_of(AzureV2Backend(project).runs.find(record.id))
    local = LocalBackend(load_project(file, None, {**os.environ, **_IRIS}))
    here = local.runs.find(local.run(RunRequest(), Watch(pace=AT_ONCE)).id)
    assert on_azure == metrics_of(here)
    assert on_azure["evaluate"]
    assert before == {path: path.read_bytes() for path in before}


def test_a_table_of_a_datastore_is_read_by_its_name(azure_v2, tmp_path):
    text = (
        WHERE.replace("env_name: env\ncompute_name: cpu\n", "")
        + PIPELINE
        + "environments: {env: {pip_packages: [pandas]}}\n"
    )
    project = write_project(tmp_path, text, SCRIPTS, {**os.environ, **VARIABLES})
    stocked(azure_v2).on_submit = "execute"
    azure_v2.put_blob("churnstore", "raw", "customers.csv", b"id,age\n1,30\n2,40\n3,50\n")
    azure_v2.add_datastore("churn_blob")

    record = run(project, settings=("train.lr=0.5", "prepare.min_age=45"))

    found = AzureV2Backend(project).runs.find(record.id)
    assert metrics_of(found)["prepare"] == {"rows": [1]}
    assert azure_v2.job_runs()["evaluate"].tags["model"] == "lr 0.5"
    log = azure_v2.artifacts(azure_v2.job_runs()["train"])["user_logs/std_log.txt"].decode()
    assert log == "id,age\n3,50\n fast {'lr': 0.5}\n"
