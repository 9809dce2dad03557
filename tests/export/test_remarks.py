"""What is left to do by hand, each at its line."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.export import export
from tests.export.examples import DATA, ENVIRONMENTS, FILES, HOURLY, ORDER, PARAMETERS
from tests.export.projects import project, remarks, with_sdk


def test_an_order_without_data_is_kept_by_an_output_that_no_step_reads(tmp_path):
    order = "v2 orders jobs only by their data, so it gets the output"

    assert remarks(project(tmp_path, ORDER)) == [
        f"pipeline.yaml:7: step 'last' runs after 'clean': {order} 'done' of 'clean' as an input, which it does not "
        "read",
        f"pipeline.yaml:7: step 'last' runs after 'fetch': {order} 'output_folder' of 'fetch' as an input, which it "
        "does not read",
        f"pipeline.yaml:8: step 'end' runs after 'clean': {order} 'done' of 'clean' as an input, which it does not "
        "read",
        f"pipeline.yaml:8: step 'end' runs after 'last': {order} 'output_folder' of 'last' as an input, which it "
        "does not read",
    ]


def test_how_a_script_reads_what_v1_handed_over_by_name(tmp_path):
    path = "is a path in v2, not an id"
    table = "read it with mltable.load(PATH).to_pandas_dataframe(), not with"
    alone = "v2 passes data only in arguments, so the script must also accept"

    assert [remark for remark in remarks(with_sdk(project(tmp_path, DATA))) if ": step '" in remark] == [
        f"pipeline.yaml:8: step 'read': --new-data {path}; {table} run.input_datasets['customers']",
        f"pipeline.yaml:8: step 'read': --parts {path}; {table} run.input_datasets['parts']",
        f"pipeline.yaml:8: step 'read': --u {path}; {table} run.input_datasets['unknown']",
        f"pipeline.yaml:8: step 'read': --v {path}; {table} run.input_datasets['pinned']",
        f"pipeline.yaml:8: step 'read': {alone} --raw PATH; read the files there, not with run.input_datasets['raw']",
        f"pipeline.yaml:9: step 'merge': --o {path}; {table} run.input_datasets['odd_name']",
        "pipeline.yaml:13: step 'train': --lines is the folder that 'merge' wrote; read it with "
        "pandas.read_csv(FILE, dtype=str), not with run.input_datasets['lines']",
        f"pipeline.yaml:13: step 'train': {alone} --merged PATH; read it with pandas.read_parquet(PATH), not "
        "with run.input_datasets['merged']",
    ]


def test_nothing_is_to_be_done_for_data_that_the_stand_in_reads(tmp_path):
    assert [remark for remark in remarks(project(tmp_path, DATA)) if ": step '" in remark] == []


def test_what_is_to_be_said_of_datastores_and_datasets(tmp_path):
    made = "its secret is not exported; set it when you create the datastore: az ml datastore create --file"

    assert [remark for remark in remarks(with_sdk(project(tmp_path, DATA))) if ": step '" not in remark] == [
        "pipeline.yaml:8: the dataset 'unknown' is not declared in this file; it must exist in the workspace",
        f"pipeline.yaml:15: datastore 'raw_store': {made} azureml-v2/datastores/raw_store.yml "
        '--set credentials.account_key="$CHURN_STORAGE_KEY"',
        f"pipeline.yaml:17: datastore 'sas_store': {made} azureml-v2/datastores/sas_store.yml "
        '--set credentials.sas_token="$CHURN_SAS"',
        "pipeline.yaml:18: the MLTable files refer to data without the workspace, which mltable may not accept "
        "outside a job; set ws_name, resource_group and subscription_id, and export again",
        "pipeline.yaml:24: dataset 'customers': v2 needs the format of dates, so the type of 'born' will be "
        "detected; set it in azureml-v2/data/customers/MLTable",
        "pipeline.yaml:32: dataset 'pinned': version 3 is a v1 version; the pipeline reads it unchanged",
        "pipeline.yaml:33: dataset 'odd name' is called odd-name in v2, where names cannot contain spaces",
    ]


def test_environments_that_are_microsoft_s_are_looked_for_in_its_registry(tmp_path):
    registry = (
        "is from Microsoft's registry, where those of v1 will be removed: az ml environment list --registry-name "
        "azureml lists them"
    )

    found = [remark for remark in remarks(project(tmp_path, ENVIRONMENTS, FILES)) if "registry" in remark]

    assert found == [
        f"pipeline.yaml:10: environment 'AzureML-sklearn-1.5' {registry}",
        f"pipeline.yaml:11: environment 'AzureML-sklearn-1.5@7' {registry}",
    ]


def test_an_image_of_its_own_has_to_hold_what_the_scripts_need(tmp_path):
    text = """
        steps: {a: {script_name: a.py, env_name: own}}
        environments: {own: {base_image: mine}}
    """

    assert remarks(with_sdk(project(tmp_path, text, FILES))) == [
        "a.py:3: run.log is SDK v1: in v2, use mlflow.log_metric(name, value)",
        "pipeline.yaml:5: environment 'own' is an image without packages: it must contain azureml-defaults and "
        "azureml-mlflow",
    ]


def test_an_environment_that_is_not_built_here_has_to_hold_what_the_stand_in_imports(tmp_path):
    text = """
        steps:
          a: {script_name: a.py, env_name: own, input_datasets: {--t: t}}
          b: {script_name: a.py, env_name: theirs, input_folders: {}, input_datasets: {--u: u}}
        environments: {own: {base_image: mine}}
        datasets: {t: {datastore_name: workspaceblobstore, path: a.csv}}
    """

    assert [remark for remark in remarks(project(tmp_path, text, FILES)) if "must contain" in remark] == [
        "pipeline.yaml:6: environment 'theirs' is not in this file: it must contain mltable and pandas",
        "pipeline.yaml:7: environment 'own' is an image without packages: it must contain pandas",
    ]


def test_what_a_script_cannot_do_in_a_job_with_the_stand_in(tmp_path):
    script = """\
        from azureml.core import Dataset, Datastore, Environment, Model, Run
        from azureml.data import TabularDataset
        run = Run.get_context()
        run.log("key", run.get_secret("key"))
        Datastore.get(run.experiment.workspace, "d")
        Model(run.experiment.workspace, "m")
        Dataset.get_by_name(run.experiment.workspace, "d")
        run.complete()
    """
    text = "steps: {a: {script_name: a.py, env_name: own}}\nenvironments: {own: {pip_packages: [pandas]}}\n"

    assert remarks(project(tmp_path, text, {"a.py": script})) == [
        "a.py:1: azureml.core.Environment: in a job of v2, this needs SDK v1 in the environment, with Python 3.10 or "
        "3.11",
        "a.py:4: run.get_secret: in a job of v2, it reads the key vault whose address is in the variable "
        "AZML_KEY_VAULT_URL (set it in environment_variables), with the managed identity of the compute target, which "
        "needs the role Key Vault Secrets User",
        "a.py:5: Datastore: in a job of v2, declare the data as an input of the step, or write to an output with a "
        "destination",
        "a.py:6: Model: in a job of v2, a script finds only the models that its own step has registered",
        "a.py:7: Dataset: in a job of v2, a script finds by name only the datasets of its input_datasets, and "
        "registers none",
        "pipeline.yaml:3: step 'a': its script reads a secret; set AZML_KEY_VAULT_URL in environment_variables to the "
        "address of the key vault, such as https://NAME.vault.azure.net",
    ]


def test_an_apostrophe_in_a_parameter(tmp_path):
    assert remarks(project(tmp_path, PARAMETERS)) == [
        "pipeline.yaml:4: pipeline parameter 'text': v2 puts the value in single quotes in a command; write a "
        "single quote in another value as '''"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            HOURLY,
            [
                "pipeline.yaml:4: a schedule of v2 keeps the versions of environments and data that are the latest "
                "when it is created; create it again for newer ones",
                "pipeline.yaml:4: v2 creates every schedule enabled; disable it after you create it: az ml schedule "
                "disable --name often",
                "pipeline.yaml:4: v2 starts the first run immediately if a schedule has no start_time; set one",
            ],
        ),
        (
            "steps: {a: {script_name: a.py}}\nschedule: {on_blob_change: {datastore_name: workspaceblobstore}}\n",
            [
                "pipeline.yaml:4: the datastore 'workspaceblobstore' is not declared in this file; it must exist in "
                "the workspace",
                "pipeline.yaml:4: v2 has no schedules on blob changes, so none is exported: an Event Grid trigger, "
                "such as a Logic App, can start the pipeline",
            ],
        ),
        (
            "steps: {a: {script_name: a.py}}\npublish: {name: churn}\n",
            [
                "pipeline.yaml:4: v2 has no published pipelines: component.yml is the pipeline as a component; "
                "register it with `az ml component create --file azureml-v2/component.yml --version 1`, and for a URL, "
                "deploy it to a batch endpoint"
            ],
        ),
        (
            "steps: {a: {script_name: a.py, input_datasets: {--d: d}}, b: {script_name: b.py, allow_reuse: true}}\n"
            "datasets: {d: {datastore_name: s, path: d/, type: file, mode: mount}}\n"
            "datastores: {s: {container_name: raw, account_name: abc}}\n"
            "schedule: {frequency: Day, start_time: 2031-01-01T00:00:00}\n",
            [
                "pipeline.yaml:6: a schedule of v2 keeps the versions of environments and data that are the latest "
                "when it is created; create it again for newer ones",
                "pipeline.yaml:6: a scheduled run in v2 reruns all steps (force_rerun), including 'b' with "
                "allow_reuse: true",
            ],
        ),
        (
            "steps:\n  a:\n    script_name: a.py\n    output_folders:\n      --out: {register_on_complete: my model}\n",
            ["pipeline.yaml:7: step 'a': 'my model' is registered as my-model, a valid name in v2"],
        ),
    ],
)
def test_what_v2_does_otherwise(text, found, tmp_path):
    assert remarks(project(tmp_path, text)) == found


def test_what_keeps_a_pipeline_from_azure_keeps_it_from_v2_too(tmp_path):
    made = project(tmp_path, "steps: {a: {script_name: a.py}}\n")
    (tmp_path / "a.py").unlink()
    with pytest.raises(ProjectError, match=r"^pipeline.yaml:3: step 'a': a.py: the script does not exist$"):
        export(made)
