"""Names that the file does not declare: the workspace may have them, this machine needs its data."""

from __future__ import annotations

import pytest

WORKSPACE = "is not declared in this file; it must exist in the workspace"


def notes(load, text: str, **options: str) -> list[str]:
    return [str(note) for note in load(text, **options).notes]


def test_names_that_only_the_workspace_can_know(load):
    text = """\
env_name: churn-evn
compute_name: gpu
steps:
  a:
    script_name: a.py
    input_datasets: {--in: custmers, prices: prices, --again: again}
    output_folders:
      --out:
        destination:
          path: p
          datastore_name: blob
  b:
    script_name: b.py
    env_name: AzureML-sklearn-1.5
    compute_name: gpu
    input_datasets: {--in: custmers, --own: customers}
environments: {churn-env: {}}
datastores: {churn_blob: {container_name: raw, account_name: acc}}
datasets:
  customers:
    datastore_name: churn_blobs
    path: c.csv
  again: {}
computes: {cpu-cluster: {vm_size: S}}
schedule:
  on_blob_change:
    polling_interval: 5
    datastore_name: incoming
"""

    assert notes(load, text) == [
        f"pipeline.yaml:6: the dataset 'custmers' {WORKSPACE}; did you mean 'customers'?",
        f"pipeline.yaml:6: the dataset 'prices' {WORKSPACE}",
        f"pipeline.yaml:1: the environment 'churn-evn' {WORKSPACE}; did you mean 'churn-env'?",
        f"pipeline.yaml:14: the environment 'AzureML-sklearn-1.5' {WORKSPACE}",
        f"pipeline.yaml:2: the compute 'gpu' {WORKSPACE}",
        f"pipeline.yaml:21: the datastore 'churn_blobs' {WORKSPACE}; did you mean 'churn_blob'?",
        f"pipeline.yaml:11: the datastore 'blob' {WORKSPACE}",
        f"pipeline.yaml:28: the datastore 'incoming' {WORKSPACE}",
    ]


def test_the_first_twenty_get_a_suggestion(load, problems):
    inputs = ", ".join(f"--a{number}: data{number:02}" for number in range(25))
    text = f"steps: {{a: {{script_name: a.py, input_datasets: {{{inputs}}}}}}}\ndatasets: {{data: {{}}}}\n"

    close = ["; did you mean 'data'?" if number < 20 else "" for number in range(25)]
    assert notes(load, text) == [
        f"pipeline.yaml:1: the dataset 'data{number:02}' {WORKSPACE}{close[number]}" for number in range(25)
    ]
    assert problems("backend: local\n" + text) == [
        f"pipeline.yaml:2: step 'a' reads the dataset 'data{number:02}', which is not in datasets: a local run needs "
        f"its local_path{close[number]}"
        for number in range(25)
    ]


def test_a_version_reports_that_the_name_was_not_mistyped(load):
    text = "env_name: churn-env@3\nsteps: {a: {script_name: a.py}}\nenvironments: {churn-env: {}}\n"

    assert notes(load, text) == [f"pipeline.yaml:1: the environment 'churn-env@3' {WORKSPACE}"]


def test_what_is_declared_needs_no_remark(load):
    text = """\
backend: local
env_name: e
compute_name: cc
steps: {a: {script_name: a.py, input_datasets: {--in: d}}}
environments: {e: {}}
datastores: {s: {container_name: raw, account_name: acc}}
datasets: {d: {datastore_name: s, path: d.csv, local_path: d.csv}}
computes: {cc: {vm_size: S}}
"""

    assert notes(load, text) == []


def test_remarks_are_those_of_the_target(load):
    text = "steps: {a: {script_name: a.py}}\ntargets:\n  dev:\n    compute_name: cpu\n"

    assert notes(load, text) == []
    assert notes(load, text, target="dev") == [f"pipeline.yaml:4: the compute 'cpu' {WORKSPACE}"]


@pytest.mark.parametrize(
    ("datasets", "lines"),
    [
        (
            "datasets: {customer: {local_path: c.csv}}",
            [
                "pipeline.yaml:5: step 'a' reads the dataset 'customers', which is not in datasets: a local run "
                "needs its local_path; did you mean 'customer'?"
            ],
        ),
        (
            "tags: {}",
            [
                "pipeline.yaml:5: step 'a' reads the dataset 'customers', which is not in datasets: a local run "
                "needs its local_path"
            ],
        ),
        (
            "datasets: {customers: {datastore_name: blob, path: c.csv}}",
            ["pipeline.yaml:6: dataset 'customers' has no local_path, which a local run needs"],
        ),
        ("datasets: {customers: {local_path: c.csv}}", []),
    ],
)
def test_a_local_run_needs_its_data_here(problems, datasets, lines):
    text = f"backend: local\nsteps:\n  a:\n    script_name: a.py\n    input_datasets: {{--in: customers}}\n{datasets}\n"

    assert problems(text) == lines


def test_a_dataset_that_is_wrong_otherwise_is_there_all_the_same(problems):
    text = """\
backend: local
steps: {a: {script_name: a.py, input_datasets: {--in: d, --other: e}}}
datasets:
  d: nothing
  e: {local_path: e.csv, format: csv}
"""

    assert problems(text) == [
        "pipeline.yaml:4: dataset 'd': expected a mapping, found 'nothing'",
        "pipeline.yaml:5: dataset 'e': format: expected 'delimited' or 'parquet', found 'csv'",
    ]


def test_azure_needs_no_data_here(problems):
    text = "backend: azure\nsteps: {a: {script_name: a.py, input_datasets: {--in: customers}}}\n"

    assert problems(text) == []
