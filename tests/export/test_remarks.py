"""What is left to do by hand, each at its line."""

from __future__ import annotations

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.export import export
from tests.export.examples import DATA, ENVIRONMENTS, FILES, HOURLY, ORDER, PARAMETERS
from tests.export.projects import project, remarks


def test_an_order_without_data_is_kept_by_an_output_that_nobody_reads(tmp_path):
    order = "v2 orders jobs by their data alone, so it is given the address of the output"

    assert remarks(project(tmp_path, ORDER)) == [
        f"pipeline.yaml:7: step 'last' runs after 'clean': {order} 'done' of 'clean', which it does not read",
        f"pipeline.yaml:7: step 'last' runs after 'fetch': {order} 'output_folder' of 'fetch', which it does not read",
        f"pipeline.yaml:8: step 'end' runs after 'clean': {order} 'done' of 'clean', which it does not read",
        f"pipeline.yaml:8: step 'end' runs after 'last': {order} 'output_folder' of 'last', which it does not read",
    ]


def test_how_a_script_reads_what_v1_handed_over_by_name(tmp_path):
    path = "holds a path in v2 and no id"
    table = "mltable.load(PATH).to_pandas_dataframe() reads it, in place of"
    alone = "v2 hands over data by arguments alone, so the script has to take"

    assert [remark for remark in remarks(project(tmp_path, DATA)) if ": step '" in remark] == [
        f"pipeline.yaml:8: step 'read': --new-data {path}; {table} run.input_datasets['customers']",
        f"pipeline.yaml:8: step 'read': --parts {path}; {table} run.input_datasets['parts']",
        f"pipeline.yaml:8: step 'read': --u {path}; {table} run.input_datasets['unknown']",
        f"pipeline.yaml:8: step 'read': --v {path}; {table} run.input_datasets['pinned']",
        f"pipeline.yaml:8: step 'read': {alone} --raw PATH besides; "
        "the files lie there, in place of run.input_datasets['raw']",
        f"pipeline.yaml:9: step 'merge': --o {path}; {table} run.input_datasets['odd_name']",
        "pipeline.yaml:13: step 'train': --lines holds the folder that 'merge' wrote; "
        "pandas.read_csv(FILE, dtype=str) reads it, in place of run.input_datasets['lines']",
        f"pipeline.yaml:13: step 'train': {alone} --merged PATH besides; "
        "pandas.read_parquet(PATH) reads it, in place of run.input_datasets['merged']",
    ]


def test_what_is_to_be_said_of_datastores_and_datasets(tmp_path):
    made = "its secret is not written; give it when you make the datastore: az ml datastore create --file"

    assert [remark for remark in remarks(project(tmp_path, DATA)) if ": step '" not in remark] == [
        "pipeline.yaml:1: environment 'e' is not in this file: see that it has azureml-dataprep[pandas] and mltable",
        "pipeline.yaml:8: the dataset 'unknown' is not declared in this file, so it is taken to exist in the workspace",
        f"pipeline.yaml:15: datastore 'raw_store': {made} azureml-v2/datastores/raw_store.yml "
        '--set credentials.account_key="$CHURN_STORAGE_KEY"',
        f"pipeline.yaml:17: datastore 'sas_store': {made} azureml-v2/datastores/sas_store.yml "
        '--set credentials.sas_token="$CHURN_SAS"',
        "pipeline.yaml:18: the MLTable files name their data without the workspace, which mltable may not take outside "
        "a job; set ws_name, resource_group and subscription_id, and export again",
        "pipeline.yaml:24: dataset 'customers': v2 wants the format of dates, so the type of 'born' is left to be "
        "guessed; state it in azureml-v2/data/customers/MLTable",
        "pipeline.yaml:32: dataset 'pinned': version 3 is one of v1, which the pipeline reads as it is",
        "pipeline.yaml:33: dataset 'odd name' is called odd-name in v2, where names have no spaces",
    ]


def test_environments_that_are_microsoft_s_are_looked_for_in_its_registry(tmp_path):
    registry = (
        "is looked for in Microsoft's registry, and those of v1 are retired in time: "
        "az ml environment list --registry-name azureml shows which there are"
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

    assert remarks(project(tmp_path, text, FILES)) == [
        "a.py:3: run.log is SDK v1: in v2 mlflow.log_metric(name, value) logs a metric",
        "pipeline.yaml:5: environment 'own' is an image without packages: "
        "see that it has azureml-defaults and azureml-mlflow",
    ]


def test_an_apostrophe_in_a_parameter(tmp_path):
    assert remarks(project(tmp_path, PARAMETERS)) == [
        "pipeline.yaml:4: pipeline parameter 'text': v2 puts the value between apostrophes in a command, so one in it "
        "is written '\\'' there, and whoever gives another value has to write it so"
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            HOURLY,
            [
                "pipeline.yaml:4: v2 makes every schedule switched on; switch it off when it is made: "
                "az ml schedule disable --name often",
                "pipeline.yaml:4: v2 starts the first run as soon as a schedule without a start_time is made; "
                "state one",
            ],
        ),
        (
            "steps: {a: {script_name: a.py}}\nschedule: {on_blob_change: {datastore_name: workspaceblobstore}}\n",
            [
                "pipeline.yaml:4: the datastore 'workspaceblobstore' is not declared in this file, "
                "so it is taken to exist in the workspace",
                "pipeline.yaml:4: v2 has no schedule on blob change, so none is written: an Event Grid trigger, "
                "such as a Logic App's, can start the pipeline",
            ],
        ),
        (
            "steps: {a: {script_name: a.py}}\npublish: {name: churn}\n",
            [
                "pipeline.yaml:4: v2 has no published pipelines: a schedule runs the pipeline as it is, "
                "and a batch endpoint with a pipeline deployment gives it an address to be run by"
            ],
        ),
        (
            "steps: {a: {script_name: a.py, input_datasets: {--d: d}}, b: {script_name: b.py, allow_reuse: true}}\n"
            "datasets: {d: {datastore_name: s, path: d/, type: file, mode: mount}}\n"
            "datastores: {s: {container_name: raw, account_name: abc}}\n"
            "schedule: {frequency: Day, start_time: 2031-01-01T00:00:00}\n",
            [
                "pipeline.yaml:6: a scheduled run in v2 runs all steps anew (force_rerun), "
                "so too 'b' with allow_reuse: true"
            ],
        ),
        (
            "steps:\n  a:\n    script_name: a.py\n    output_folders:\n      --out: {register_on_complete: my model}\n",
            ["pipeline.yaml:7: step 'a': 'my model' is registered as my-model, as v2 takes names"],
        ),
    ],
)
def test_what_v2_does_otherwise(text, found, tmp_path):
    assert remarks(project(tmp_path, text)) == found


def test_what_keeps_a_pipeline_from_azure_keeps_it_from_v2_too(tmp_path):
    made = project(tmp_path, "steps: {a: {script_name: a.py}}\n")
    (tmp_path / "a.py").unlink()
    with pytest.raises(ProjectError, match=r"^pipeline.yaml:3: step 'a': a.py: there is no such script$"):
        export(made)
