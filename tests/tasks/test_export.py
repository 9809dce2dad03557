"""`invoke export-v2`: what it prints, what it writes and how it ends."""

from __future__ import annotations

import pytest

from tests.tasks.conftest import Answer, Invoke

CHURN = """\
    backend: local
    compute_name: cpu
    env_name: e
    environments: {e: {pip_packages: [pandas]}}
    computes: {cpu: {vm_size: STANDARD_DS3_V2}}
    steps:
      prepare: {script_name: prepare.py, script_directory: steps, include: [a.json, b.json]}
      train: {script_name: train.py, script_directory: steps}
    targets:
      dev: {experiment_name: churn-dev}
"""
NOTE = (
    "pipeline.yaml:8: note: step 'train': its script reads a secret; set AZML_KEY_VAULT_URL in environment_variables "
    "to the address of the key vault, such as https://NAME.vault.azure.net\n"
    "steps/train.py:2: note: run.get_secret: in a job of v2, it reads the key vault whose address is in the variable "
    "AZML_KEY_VAULT_URL (set it in environment_variables), with the managed identity of the compute target, which "
    "needs the role Key Vault Secrets User\n"
)


@pytest.fixture
def churn(invoke: Invoke) -> Invoke:
    for name in ("prepare.py", "a.json", "b.json"):
        invoke.write(f"steps/{name}", "")
    invoke.write("steps/train.py", "from azureml.core import Run\nRun.get_context().get_secret('a')\n")
    invoke.write("pipeline.yaml", CHURN)
    return invoke


def lines(**done: str) -> str:
    """Return the lines of the files; what became of those that are not named is told by `usual`."""
    usual = done["usual"]
    return (
        f"azureml-v2/pipeline.yml: {done.get('pipeline', usual)}\n"
        f"azureml-v2/components/prepare.yml: {usual}\n"
        f"azureml-v2/components/train.yml: {usual}\n"
        f"azureml-v2/environments/e/conda.yml: {usual}\n"
        f"azureml-v2/environments/e.yml: {usual}\n"
        f"azureml-v2/computes/cpu.yml: {usual}\n"
        f"azureml-v2/code/prepare: {usual} (4 files)\n"
        f"azureml-v2/code/train: {usual} (2 files)\n"
    )


def test_the_files_are_named_and_what_is_left_to_do(churn: Invoke):
    assert churn("export-v2") == Answer(lines(usual="created") + NOTE, "", 0)
    assert churn("export-v2") == Answer(lines(usual="unchanged") + NOTE, "", 0)
    assert churn("export-v2", "--target", "dev") == Answer(lines(usual="unchanged", pipeline="updated") + NOTE, "", 0)


def test_a_dry_run_writes_nothing(churn: Invoke):
    assert churn("--dry", "export-v2") == Answer(lines(usual="would be created") + NOTE, "", 0)
    assert not (churn.folder / "azureml-v2").exists()


def test_a_file_of_a_step_s_code_that_became_something_else_has_a_line_of_its_own(churn: Invoke):
    churn("export-v2")
    churn.write("steps/b.json", "{}")

    assert [line for line in churn("export-v2").out.splitlines() if "/prepare" in line] == [
        "azureml-v2/components/prepare.yml: unchanged",
        "azureml-v2/code/prepare/a.json: unchanged",
        "azureml-v2/code/prepare/b.json: updated",
        "azureml-v2/code/prepare: unchanged (2 files)",
    ]


def test_a_file_with_mistakes_is_not_exported(churn: Invoke):
    churn.write("pipeline.yaml", CHURN.replace("compute_name: cpu", "computename: cpu"))

    assert churn("export-v2") == Answer(
        "", "pipeline.yaml:2: 'computename' is not a key here; did you mean 'compute_name'?\n", 2
    )


def test_a_pipeline_that_azure_would_not_take_is_not_exported(churn: Invoke):
    churn.write("pipeline.yaml", CHURN.replace("compute_name: cpu", "# none"))
    needs = "has no compute: Azure needs compute_name, in the step or at the top level"

    assert churn("export-v2") == Answer(
        "", f"pipeline.yaml:7: step 'prepare' {needs}\npipeline.yaml:8: step 'train' {needs}\n", 2
    )
