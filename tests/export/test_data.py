"""What becomes of a dataset."""

from __future__ import annotations

import pytest

from tests.export.examples import DATA
from tests.export.projects import VARIABLES, documents, project, with_sdk

STEP = "steps: {a: {script_name: a.py, input_datasets: {--data: d}}}\n"
ADDRESS = "azureml://datastores/s/paths"


@pytest.mark.parametrize(
    ("dataset", "asset", "read"),
    [
        ("path: images/, type: file", ("uri_folder", f"{ADDRESS}/images/"), {"type": "uri_folder"}),
        ("path: images, type: file, mode: mount", ("uri_folder", f"{ADDRESS}/images"), {"type": "uri_folder"}),
        ("path: /a/b.bin, type: file", ("uri_file", f"{ADDRESS}/a/b.bin"), {"type": "uri_file"}),
        (
            "path: a/b.bin, type: file, mode: download",
            ("uri_file", f"{ADDRESS}/a/b.bin"),
            {"type": "uri_file", "mode": "download"},
        ),
        ("path: LICENSE, type: file, local_path: a.py", ("uri_file", f"{ADDRESS}/LICENSE"), {"type": "uri_file"}),
        ("path: d.v1, type: file, local_path: x", ("uri_file", f"{ADDRESS}/d.v1"), {"type": "uri_file"}),
        ("path: a/*.png, type: file", ("mltable", "d"), {"type": "mltable", "mode": "eval_mount"}),
        ("path: [a, b], type: file, mode: download", ("mltable", "d"), {"type": "mltable", "mode": "eval_download"}),
        ("path: a.csv", ("mltable", "d"), {"type": "mltable"}),
    ],
)
def test_a_dataset_becomes_an_asset_that_scripts_with_the_sdk_read(dataset, asset, read, tmp_path):
    text = f"{STEP}datasets: {{d: {{datastore_name: s, {dataset}}}}}\n"
    files = documents(with_sdk(project(tmp_path, text, {"a.py": ""})))

    assert (files["data/d.yml"]["type"], files["data/d.yml"]["path"]) == asset
    assert files["pipeline.yml"]["inputs"]["d"] == {"path": "azureml:d@latest", **read}


FILE, FOLDER = "uri_file", "uri_folder"


@pytest.mark.parametrize(
    ("dataset", "read"),
    [
        ("path: images/, type: file", [(FOLDER, "images/", None)]),
        ("path: /a/b.bin, type: file", [(FILE, "a/b.bin", None)]),
        ("path: a/b.bin, type: file, mode: download", [(FILE, "a/b.bin", "download")]),
        ("path: d.v1, type: file, local_path: x", [(FILE, "d.v1", None)]),
        ("path: x, type: file, local_path: a.py", [(FILE, "x", None)]),
        ("path: a/*.png, type: file", [(FOLDER, "a/", None)]),
        ("path: '*.png', type: file", [(FOLDER, "", None)]),
        ("path: a/b*/c/**, type: file", [(FOLDER, "a/", None)]),
        ("path: [a, b/c.bin], type: file, mode: download", [(FOLDER, "a", "download"), (FILE, "b/c.bin", "download")]),
        ("path: a.csv", [(FILE, "a.csv", None)]),
        ("path: [a/*.csv, b/]", [(FOLDER, "a/", None), (FOLDER, "b/", None)]),
    ],
)
def test_the_stand_in_reads_the_files_of_a_dataset_themselves(dataset, read, tmp_path):
    text = f"{STEP}datasets: {{d: {{datastore_name: s, {dataset}}}}}\n"
    inputs = documents(project(tmp_path, text, {"a.py": ""}))["pipeline.yml"]["inputs"]

    assert inputs == {
        name: {"type": kind, "path": f"{ADDRESS}/{path}", **({"mode": mode} if mode else {})}
        for name, (kind, path, mode) in zip(("d", "d_2"), read, strict=False)
    }


@pytest.mark.parametrize(
    ("dataset", "read"),
    [
        ("", {"type": "mltable", "path": "azureml:d@latest", "mode": "direct"}),
        ("datasets: {d: {local_path: a.py}}", {"type": "mltable", "path": "azureml:d@latest", "mode": "direct"}),
        (
            "datasets: {d: {type: file, mode: mount}}",
            {"type": "mltable", "path": "azureml:d@latest", "mode": "eval_mount"},
        ),
        (
            "datasets: {d: {type: file, mode: download, version: 2}}",
            {"type": "mltable", "path": "azureml:d:2", "mode": "eval_download"},
        ),
        (
            "datasets: {d: {datastore_name: s, path: a.csv, version: 2}}",
            {"type": "mltable", "path": "azureml:d:2", "mode": "direct"},
        ),
    ],
)
def test_what_v1_has_registered_is_read_as_an_mltable(dataset, read, tmp_path):
    files = documents(project(tmp_path, f"{STEP}{dataset}\n", {"a.py": ""}))

    assert files["pipeline.yml"]["inputs"]["d"] == read


def test_a_table_keeps_how_it_is_read(tmp_path):
    files = documents(project(tmp_path, DATA))
    schema = "https://azuremlschemas.azureedge.net/latest/MLTable.schema.json"

    assert files["data/customers/MLTable"] == {
        "$schema": schema,
        "type": "mltable",
        "paths": [{"file": "azureml://datastores/raw_store/paths/customers.csv"}],
        "transformations": [
            {
                "read_delimited": {
                    "delimiter": ";",
                    "encoding": "utf8",
                    "header": "all_files_same_headers",
                    "infer_column_types": {
                        "sample_size": 200,
                        "column_type_overrides": [
                            {"columns": ["id"], "column_type": "string"},
                            {"columns": ["age"], "column_type": "int"},
                        ],
                    },
                    "support_multi_line": True,
                }
            }
        ],
    }
    assert files["data/parts/MLTable"] == {
        "$schema": schema,
        "type": "mltable",
        "paths": [
            {"pattern": "azureml://datastores/raw_store/paths/a/*.parquet"},
            {"folder": "azureml://datastores/raw_store/paths/b/"},
        ],
        "transformations": [
            {"read_parquet": {"include_path_column": False}},
            {"convert_column_types": [{"columns": ["n"], "column_type": "float"}]},
        ],
    }


def test_a_table_names_the_workspace_where_the_file_does(tmp_path):
    text = f"{STEP}datasets: {{d: {{datastore_name: s, path: d.csv}}}}\n"
    text += "ws_name: churn-ws\nresource_group: churn-rg\nsubscription_id: ${AZURE_SUBSCRIPTION_ID}\n"

    assert documents(project(tmp_path, text))["data/d/MLTable"]["paths"] == [
        {
            "file": f"azureml://subscriptions/{VARIABLES['AZURE_SUBSCRIPTION_ID']}/resourcegroups/churn-rg/"
            "workspaces/churn-ws/datastores/s/paths/d.csv"
        }
    ]
