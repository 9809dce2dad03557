"""Whole files, and the model that they make."""

from __future__ import annotations

import pytest

from azml_tasks.model import (
    Auth,
    Compute,
    Dataset,
    Datastore,
    Destination,
    Environment,
    OutputFolder,
    Pipeline,
    Publish,
    Schedule,
    Step,
    StepTable,
)
from azml_tasks.model.schedule import BlobChange

CHURN = """\
# yaml-language-server: $schema=.azml/pipeline.schema.json
backend: local                        # where `invoke run` runs: local | azure
ws_name: churn-ws
resource_group: churn-rg
subscription_id: ${AZURE_SUBSCRIPTION_ID}
experiment_name: churn
env_name: churn-env                   # defaults of every step; a step may override both
compute_name: cpu-cluster

steps:                                # in order; keys are free, step_name defaults to the key
  prepare:
    script_name: prepare.py
    script_directory: steps
    step_config: {min_rows: 10}       # arrives as --config, a JSON object
    input_datasets: {--new-data: customers}
  train:
    script_name: train.py
    script_directory: steps
    step_config: {lr: 2.0e-5, epochs: 10, batch_size: 16}
  evaluate:
    script_name: evaluate.py
    script_directory: steps

environments:
  churn-env: {pip_packages: [pandas], python_version: "3.11"}
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, account_key: "${CHURN_STORAGE_KEY}"}
datasets:
  customers: {datastore_name: churn_blob, path: customers.csv, local_path: data/customers.csv}
computes:
  cpu-cluster: {vm_size: STANDARD_D4DS_V4, min_nodes: 0, max_nodes: 2}

publish: {name: churn, description: Weekly churn scores}
schedule: {frequency: Week, interval: 2}

targets:                              # deep-merged over the above by --target NAME
  dev: {backend: azure, ws_name: churn-dev, schedule: {enabled: false}}
  prod: {backend: azure, ws_name: churn-prod}
"""

CHURN_PIPELINE = Pipeline(
    backend="local",
    ws_name="churn-ws",
    resource_group="churn-rg",
    subscription_id="${AZURE_SUBSCRIPTION_ID}",
    experiment_name="churn",
    env_name="churn-env",
    compute_name="cpu-cluster",
    steps={
        "prepare": Step(
            script_name="prepare.py",
            script_directory="steps",
            step_config={"min_rows": 10},
            input_datasets={"--new-data": "customers"},
        ),
        "train": Step(
            script_name="train.py",
            script_directory="steps",
            step_config={"lr": 2e-5, "epochs": 10, "batch_size": 16},
        ),
        "evaluate": Step(script_name="evaluate.py", script_directory="steps"),
    },
    environments={"churn-env": Environment(pip_packages=("pandas",), python_version="3.11")},
    datastores={
        "churn_blob": Datastore(container_name="raw", account_name="churnstore", account_key="${CHURN_STORAGE_KEY}")
    },
    datasets={"customers": Dataset(datastore_name="churn_blob", path="customers.csv", local_path="data/customers.csv")},
    computes={"cpu-cluster": Compute(vm_size="STANDARD_D4DS_V4", min_nodes=0, max_nodes=2)},
    publish=Publish(name="churn", description="Weekly churn scores"),
    schedule=Schedule(frequency="Week", interval=2),
)


def test_a_file_with_every_section(load):
    project = load(CHURN)

    assert project.pipeline == CHURN_PIPELINE
    assert list(project.pipeline.steps) == ["prepare", "train", "evaluate"]
    assert project.notes == ()


@pytest.mark.parametrize(
    ("target", "changes"),
    [
        ("dev", {"ws_name": "churn-dev", "schedule": Schedule(frequency="Week", interval=2, enabled=False)}),
        ("prod", {"ws_name": "churn-prod"}),
    ],
)
def test_its_targets(load, target, changes):
    expected = CHURN_PIPELINE.model_copy(update={"backend": "azure", **changes})

    assert load(CHURN, target=target).pipeline == expected


def test_the_original_wrapper_s_example_has_a_valid_structure(problems):
    # Its placeholders break Azure's rules, and nothing else is wrong.
    text = """\
ws_name: nom du ws
resource_group: nom du resource group
subscription_id: id d'utilisateur
env_name: nom de l'environnement
compute_name: nom du compute
steps:
  step1:
    step_name: step name
    script_name: step_script.py
    step_config: {lr: 2e-5, epochs: 10, batch_size: 16}
    input_datasets: {--test-data: dataset_name_in_ws}
"""

    assert problems(text) == [
        "pipeline.yaml:1: ws_name: 'nom du ws' is not a valid name: a workspace name has 3 to 33 letters, digits, "
        "underscores and dashes, and starts with a letter or a digit",
        "pipeline.yaml:2: resource_group: 'nom du resource group' is not a valid name: a resource group name has 1 "
        "to 90 letters, digits, underscores, dashes, dots and parentheses, and does not end with a dot",
        'pipeline.yaml:3: subscription_id: "id d\'utilisateur" is not a valid name: a subscription ID is a GUID '
        "such as "
        "12345678-90ab-cdef-1234-567890abcdef (`az account show` prints yours)",
        "pipeline.yaml:5: compute_name: 'nom du compute' is not a valid name: a compute cluster name has 2 to 16 "
        "letters, "
        "digits and dashes, starts with a letter and does not end with a dash",
    ]


def test_the_original_wrapper_s_example_with_names_of_its_own(load):
    text = """\
ws_name: ws-name
resource_group: resource-group
subscription_id: 12345678-90ab-cdef-1234-567890abcdef
env_name: environment-name
compute_name: compute-name
steps:
  step1:
    step_name: step name
    script_name: step_script.py
    step_config: {lr: 2e-5, epochs: 10, batch_size: 16}
    input_datasets: {--test-data: dataset_name_in_ws}
"""

    assert load(text).pipeline == Pipeline(
        backend="azure",
        ws_name="ws-name",
        resource_group="resource-group",
        subscription_id="12345678-90ab-cdef-1234-567890abcdef",
        env_name="environment-name",
        compute_name="compute-name",
        steps={
            "step1": Step(
                step_name="step name",
                script_name="step_script.py",
                step_config={"lr": 2e-5, "epochs": 10, "batch_size": 16},
                input_datasets={"--test-data": "dataset_name_in_ws"},
            )
        },
    )


def test_every_key_that_a_file_may_have(load):
    text = """\
backend: azure
experiment_name: churn
description: Who leaves
tags: {team: growth}
continue_on_step_failure: true
pipeline_parameters: {alpha: 0.5, mode: fast, rounds: 3, dry: false}
steps:
  prepare:
    script_name: src/prepare
    script_directory: steps
    step_name: Prepare the data
    step_config: {nested: {list: [1, two, 3.0, null, true]}}
    input_datasets:
      --new-data: customers
      prices: customers_files
    input_folders: {}
    output_folders:
      --clean:
      --kept:
        destination: {datastore_name: churn_blob, path: "kept/{run-id}"}
        register_on_complete: kept_rows
    arguments: {--alpha: "${{ parameters.alpha }}", --flag: true, --rate: 2e-5}
    include: [params.json, "sql/**"]
    snapshot: directory
    environment_variables: {MODE: fast}
    max_run_duration_seconds: 60
    allow_reuse: false
    compute_name: gpu-cluster
    env_name: other-env
  train:
    script_name: train.py
    input_folders: {--features: prepare/--clean}
    input_datasets:
      merged: {step: prepare, output: --kept, format: delimited}
    output_folders: [--model, --report]
    arguments: [positional, --flag, --alpha, 0.5, 3, true]
    run_after: [prepare]
environments:
  churn-env:
    pip_packages: [pandas==2.2]
    conda_packages: [numpy]
    python_version: "3.11"
    base_image: mcr.microsoft.com/x:1
    environment_variables: {A: b}
  other-env: {conda_file: conda.yml, dockerfile: Dockerfile}
datastores:
  churn_blob: {container_name: raw, account_name: churnstore, sas_token: "${SAS}"}
  open_blob: {container_name: $root, account_name: openstore}
datasets:
  customers:
    datastore_name: churn_blob
    path: [2023/*.csv, 2024/*.csv]
    local_path: data/customers.csv
    separator: ;
    set_column_types: {id: string, age: long, rate: float, active: boolean, since: datetime}
    support_multi_line: true
    version: 3
    name: clients
    description: All of them
    tags: {source: crm}
  customers_files: {type: file, mode: mount, local_path: data}
  latest: {format: parquet, version: latest}
computes:
  cpu-cluster:
    vm_size: STANDARD_D4DS_V4
    vm_priority: lowpriority
    min_nodes: 1
    max_nodes: 4
    idle_seconds_before_scaledown: 120
publish: {name: churn}
schedule:
  on_blob_change: {datastore_name: churn_blob, path_on_datastore: incoming, polling_interval: 10}
  enabled: false
  name: on-arrival
  description: When files arrive
auth: {method: service_principal, tenant_id: "1234"}
"""

    assert load(text).pipeline == Pipeline(
        backend="azure",
        experiment_name="churn",
        description="Who leaves",
        tags={"team": "growth"},
        continue_on_step_failure=True,
        pipeline_parameters={"alpha": 0.5, "mode": "fast", "rounds": 3, "dry": False},
        steps={
            "prepare": Step(
                script_name="src/prepare.py",
                script_directory="steps",
                step_name="Prepare the data",
                step_config={"nested": {"list": [1, "two", 3.0, None, True]}},
                input_datasets={"--new-data": "customers", "prices": "customers_files"},
                input_folders={},
                output_folders={
                    "--clean": OutputFolder(),
                    "--kept": OutputFolder(
                        destination=Destination(datastore_name="churn_blob", path="kept/{run-id}"),
                        register_on_complete="kept_rows",
                    ),
                },
                arguments={"--alpha": "${{ parameters.alpha }}", "--flag": True, "--rate": 2e-5},
                include=("params.json", "sql/**"),
                snapshot="directory",
                environment_variables={"MODE": "fast"},
                max_run_duration_seconds=60,
                allow_reuse=False,
                compute_name="gpu-cluster",
                env_name="other-env",
            ),
            "train": Step(
                script_name="train.py",
                input_folders={"--features": "prepare/--clean"},
                input_datasets={"merged": StepTable(step="prepare", output="--kept", format="delimited")},
                output_folders={"--model": OutputFolder(), "--report": OutputFolder()},
                arguments=("positional", "--flag", "--alpha", 0.5, 3, True),
                run_after=("prepare",),
            ),
        },
        environments={
            "churn-env": Environment(
                pip_packages=("pandas==2.2",),
                conda_packages=("numpy",),
                python_version="3.11",
                base_image="mcr.microsoft.com/x:1",
                environment_variables={"A": "b"},
            ),
            "other-env": Environment(conda_file="conda.yml", dockerfile="Dockerfile"),
        },
        datastores={
            "churn_blob": Datastore(container_name="raw", account_name="churnstore", sas_token="${SAS}"),
            "open_blob": Datastore(container_name="$root", account_name="openstore"),
        },
        datasets={
            "customers": Dataset(
                datastore_name="churn_blob",
                path=("2023/*.csv", "2024/*.csv"),
                local_path="data/customers.csv",
                separator=";",
                set_column_types={
                    "id": "string",
                    "age": "long",
                    "rate": "float",
                    "active": "boolean",
                    "since": "datetime",
                },
                support_multi_line=True,
                version=3,
                name="clients",
                description="All of them",
                tags={"source": "crm"},
            ),
            "customers_files": Dataset(type="file", mode="mount", local_path="data"),
            "latest": Dataset(format="parquet", version="latest"),
        },
        computes={
            "cpu-cluster": Compute(
                vm_size="STANDARD_D4DS_V4",
                vm_priority="lowpriority",
                min_nodes=1,
                max_nodes=4,
                idle_seconds_before_scaledown=120,
            )
        },
        publish=Publish(name="churn"),
        schedule=Schedule(
            on_blob_change=BlobChange(datastore_name="churn_blob", path_on_datastore="incoming", polling_interval=10),
            enabled=False,
            name="on-arrival",
            description="When files arrive",
        ),
        auth=Auth(method="service_principal", tenant_id="1234"),
    )


def test_the_defaults(load):
    pipeline = load("steps: {a: {script_name: a}}\ndatasets: {d: {}}\ncomputes: {cc: {vm_size: S}}\n").pipeline

    assert pipeline.model_dump(exclude={"steps", "datasets", "computes"}) == {
        "backend": "azure",
        "ws_name": None,
        "resource_group": None,
        "subscription_id": None,
        "experiment_name": None,
        "description": None,
        "tags": {},
        "continue_on_step_failure": False,
        "pipeline_parameters": {},
        "env_name": None,
        "compute_name": None,
        "environments": {},
        "datastores": {},
        "publish": None,
        "schedule": None,
        "auth": {"method": "automatic", "tenant_id": None},
    }
    assert pipeline.steps["a"].model_dump() == {
        "script_name": "a.py",
        "script_directory": ".",
        "step_name": None,
        "step_config": None,
        "input_datasets": {},
        "input_folders": None,
        "output_folders": None,
        "arguments": (),
        "run_after": (),
        "include": (),
        "snapshot": "imports",
        "environment_variables": {},
        "max_run_duration_seconds": None,
        "allow_reuse": None,
        "compute_name": None,
        "env_name": None,
    }
    assert pipeline.datasets["d"].model_dump() == {
        "datastore_name": None,
        "path": None,
        "local_path": None,
        "type": "tabular",
        "mode": "direct",
        "format": "delimited",
        "separator": None,
        "set_column_types": {},
        "support_multi_line": False,
        "version": "latest",
        "name": None,
        "description": None,
        "tags": {},
    }
    assert pipeline.computes["cc"].model_dump() == {
        "vm_size": "S",
        "vm_priority": "dedicated",
        "min_nodes": 0,
        "max_nodes": 1,
        "idle_seconds_before_scaledown": None,
    }
    assert pipeline.experiment == "pipeline"


@pytest.mark.parametrize("method", ["automatic", "service_principal", "cli", "managed_identity", "interactive"])
def test_a_login_may_be_its_method_alone(load, method):
    assert load(f"steps: {{a: {{script_name: a.py}}}}\nauth: {method}\n").pipeline.auth == Auth(method=method)


def test_merge_keys_and_anchors_save_typing(load):
    text = """\
steps:
  one: &defaults
    script_name: work.py
    script_directory: steps
    step_config: &config {lr: 0.1, epochs: 3}
  two:
    <<: *defaults
    step_config: {<<: *config, lr: 0.2}
  three:
    <<: [{script_name: other.py}, *defaults]
"""

    steps = load(text).pipeline.steps

    assert steps == {
        "one": Step(script_name="work.py", script_directory="steps", step_config={"lr": 0.1, "epochs": 3}),
        "two": Step(script_name="work.py", script_directory="steps", step_config={"lr": 0.2, "epochs": 3}),
        "three": Step(script_name="other.py", script_directory="steps", step_config={"lr": 0.1, "epochs": 3}),
    }


def test_a_key_is_text_whatever_it_looks_like(load):
    text = "steps:\n  no: {script_name: a.py, step_config: {on: 1, 1: 2, null: 3, 2e-5: 4}}\n  7: {script_name: b.py}\n"

    steps = load(text).pipeline.steps

    assert list(steps) == ["no", "7"]
    assert steps["no"].step_config == {"on": 1, "1": 2, "null": 3, "2e-5": 4}


def test_the_pipeline_s_environment_and_compute_are_those_of_a_step_that_names_none(load):
    text = """\
env_name: all-env
compute_name: all-nodes
experiment_name: churn
steps:
  a: {script_name: a.py}
  b: {script_name: b.py, env_name: own-env, compute_name: own-nodes}
"""

    pipeline = load(text).pipeline

    assert [(pipeline.env_of(step), pipeline.compute_of(step)) for step in pipeline.steps.values()] == [
        ("all-env", "all-nodes"),
        ("own-env", "own-nodes"),
    ]
    assert pipeline.experiment == "churn"


def test_the_model_cannot_be_changed(load):
    pipeline = load("steps: {a: {script_name: a.py}}\n").pipeline

    with pytest.raises(Exception, match="Instance is frozen"):
        pipeline.backend = "local"
