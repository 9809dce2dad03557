"""What the scripts of a step need in a job and do not have: `validate` and `doctor` say it, with lines."""

from __future__ import annotations

import yaml

from azml_tasks.azure.v2.backend import AzureV2Backend
from azml_tasks.lock.lockfile import write_lock
from azml_tasks.lock.wanted import wanted_of
from tests.azure.v2.projects import stocked, v2_project

SECRET = "from azureml.core import Run\nrun = Run.get_context()\nprint(run.get_secret('KEY'))\n"
READING = "from azureml.core import Run\nprint(Run.get_context().input_datasets['customers'].to_pandas_dataframe())\n"
TABLE = """\
datastores: {raw: {container_name: raw, account_name: churnstore}}
datasets: {customers: {datastore_name: raw, path: customers.parquet, format: parquet}}
steps:
  a: {script_name: a.py, input_datasets: {--data: customers}}
"""
ALONE = "steps:\n  a: {script_name: a.py}\n"
DECLARED = "environments: {env: {pip_packages: [scipy]}}\n"
VAULT = (
    "pipeline.yaml:10: step 'a': its script reads a secret; set AZML_KEY_VAULT_URL in environment_variables to the "
    "address of the key vault, such as https://NAME.vault.azure.net"
)


def notes(project):
    return [str(note) for note in AzureV2Backend(project).notes()]


def found(project):
    return [(one.verdict, one.message, one.remedy) for one in AzureV2Backend(project).examine()]


def test_a_secret_without_the_address_of_a_vault_is_a_note_at_the_step(tmp_path):
    project = v2_project(tmp_path, DECLARED + ALONE, {"a.py": SECRET})
    by_environment = DECLARED.replace("[scipy]", "[scipy], environment_variables: {AZML_KEY_VAULT_URL: https://v}")
    by_step = ALONE.replace("a.py", "a.py, environment_variables: {AZML_KEY_VAULT_URL: https://v}")

    assert VAULT in notes(project)
    for text in (by_environment + ALONE, DECLARED + by_step):
        assert VAULT not in notes(v2_project(tmp_path, text, {"a.py": SECRET}))
    assert notes(v2_project(tmp_path, DECLARED + ALONE, {"a.py": "print(1)\n"})) == []


def test_a_lock_without_what_only_the_script_shows_is_a_note(tmp_path):
    project = v2_project(tmp_path, DECLARED + ALONE, {"a.py": SECRET})
    write_lock(tmp_path, wanted_of(project.plan, "env", tmp_path), ("scipy==1.15.0",))

    assert (
        "pipeline.yaml:8: environment 'env': its lock does not have azure-identity and azure-keyvault-secrets, which "
        "its scripts need: add them to pip_packages and run `invoke lock`"
    ) in notes(project)


def test_an_environment_of_the_workspace_is_looked_into(azure_v2, tmp_path):
    stocked(azure_v2).add_datastore("raw")
    azure_v2.add_environment_v2("env")
    project = v2_project(tmp_path, TABLE, {"a.py": READING})
    list(AzureV2Backend(project).register(("dataset",), upload=False, dry=False, say=print))
    body = azure_v2.assets["environments"]["env"]["1"]["properties"]

    def with_packages(*packages):
        body["condaFile"] = yaml.safe_dump({"dependencies": ["python=3.11", {"pip": list(packages)}]})
        return [one for one in found(project) if one[0] == "bad"]

    missing = "environment 'env' of the workspace does not list"
    remedy = "add to the environment, or declare another in `environments:`"
    assert notes(project) == [
        "pipeline.yaml:6: environment 'env' is not in this file: it must contain pandas and pyarrow"
    ]
    assert with_packages("pandas") == [("bad", f"pipeline.yaml:6: {missing} pyarrow, which its scripts need", remedy)]
    assert with_packages("pandas==2.2", "pyarrow") == []
    assert with_packages("azureml-dataset-runtime[fuse]", "azureml-dataprep[pandas]") == []
    del body["condaFile"]  # what an image has is not known; the note is all that can be said
    assert [one for one in found(project) if one[0] == "bad"] == []


def test_a_compute_without_an_identity_cannot_read_secrets(azure_v2, tmp_path):
    stocked(azure_v2)
    project = v2_project(tmp_path, DECLARED + ALONE, {"a.py": SECRET})
    list(AzureV2Backend(project).register(("environment",), upload=False, dry=False, say=print))

    before = [one for one in found(project) if one[0] == "bad"]
    azure_v2.computes["cpu"].document["identity"] = {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"}
    after = [one for one in found(project) if one[0] == "bad"]

    assert before == [
        (
            "bad",
            "pipeline.yaml:10: step 'a' reads a secret, and its compute 'cpu' has no managed identity",
            "az ml compute update --name cpu --identity-type system_assigned, and give it the role Key Vault Secrets "
            "User",
        )
    ]
    assert after == []
    assert ("note", VAULT, "") in found(project)


def test_azureml_needs_no_package_in_a_job(tmp_path):
    from azml_tasks.checks.files import check_project

    script = "from azureml.core import Run\nimport yaml\nimport invoke\n"
    project = v2_project(tmp_path, DECLARED.replace("scipy", "pyyaml") + ALONE, {"a.py": script})

    notes = [str(note) for note in check_project(project).notes]

    assert len(notes) == 1
    assert "no package for `import invoke` in a.py:3" in notes[0]
