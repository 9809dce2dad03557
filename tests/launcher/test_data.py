"""A script reads in a job what it reads in a local run, whatever its data are and however it gets them."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from azml_tasks.local.run.runner import run_pipeline
from tests.export.projects import project
from tests.launcher.jobs import Job, Workspace

PIPELINE = """
steps:
  read:
    script_name: read.py
    output_folders: [--out, --lines]
    input_datasets:
      --customers: customers
      --parts: parts
      --some: some
      --images: images
      --pictures: pictures
      --one: one
      --list: listed
      raw: raw
  use:
    script_name: use.py
    input_folders: {--folder: read/--lines}
    output_folders: []
    input_datasets: {merged: {step: read, output: --out}, --lines: {step: read, output: --lines, format: delimited}}
datastores:
  store: {container_name: raw, account_name: churnstore}
datasets:
  customers:
    datastore_name: store
    path: customers.csv
    local_path: blobs/store/customers.csv
    separator: ";"
    support_multi_line: true
    set_column_types: {id: string, age: long}
  parts: {datastore_name: store, path: "parts/*.parquet", local_path: blobs/store/parts, format: parquet}
  some: {datastore_name: store, path: ["deep/**/*.csv"], local_path: blobs/store/deep}
  images: {datastore_name: store, path: images/, local_path: blobs/store/images, type: file, mode: mount}
  pictures:
    {datastore_name: store, path: "images/**/*.png", local_path: "blobs/store/images/**/*.png", type: file, mode: mount}
  one: {datastore_name: store, path: model.bin, local_path: blobs/store/model.bin, type: file, mode: download}
  listed: {datastore_name: store, path: images/, local_path: blobs/store/images, type: file}
  raw: {datastore_name: store, path: customers.csv, local_path: blobs/store/customers.csv, type: file}
"""
READ = """
import argparse, json, os, sys
import pandas as pd
from azureml.core import Dataset, Run

run = Run.get_context()
parser = argparse.ArgumentParser()
for name in ("customers", "parts", "some", "images", "pictures", "one", "list", "out", "lines"):
    parser.add_argument(f"--{name}")
args = parser.parse_args()

def table(dataset):
    frame = dataset.to_pandas_dataframe()
    types = {name: str(kind) for name, kind in frame.dtypes.items()}
    return {"types": types, "rows": frame.astype(str).values.tolist()}

def tree(path):
    if os.path.isfile(path):
        return {os.path.basename(path): open(path).read()}
    found = {}
    for folder, _, names in os.walk(path, followlinks=True):
        for name in names:
            file = os.path.join(folder, name)
            found[os.path.relpath(file, path)] = open(file, errors="replace").read()
    return found

found = {name: table(run.input_datasets[name]) for name in ("customers", "parts", "some")}
found["ids"] = [args.customers, args.parts, args.some, args.list, run.input_datasets["customers"].id]
found["by name"] = table(Dataset.get_by_name(run.experiment.workspace, "customers"))
found["by id"] = table(Dataset.get_by_id(run.experiment.workspace, args.parts))
for name in ("images", "pictures", "one"):
    assert run.input_datasets[name] == getattr(args, name)
    assert os.environ[f"AZUREML_DATAREFERENCE_{name}"] == getattr(args, name)
    found[name] = tree(getattr(args, name))
found["list"] = sorted(run.input_datasets["listed"].to_path())
found["downloaded"] = tree(os.path.dirname(run.input_datasets["raw"].download("here")[0]))
found["inputs"] = list(run.input_datasets)
found["outputs"] = [run.output_datasets["read_out"] == args.out, os.listdir(args.out)]
pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}).to_parquet(os.path.join(args.out, "part.parquet"))
open(os.path.join(args.lines, "part.csv"), "w").write("a,b\\n1,x\\n")
json.dump(found, open("outputs/found.json", "w"))
"""
USE = """
import argparse, json, os
from azureml.core import Run

run = Run.get_context()
parser = argparse.ArgumentParser()
parser.add_argument("--lines")
parser.add_argument("--folder")
args = parser.parse_args()
found = {name: run.input_datasets[name].to_pandas_dataframe().values.tolist() for name in ("merged", "lines")}
found["args"] = [args.lines, os.listdir(args.folder), run.input_datasets["use_folder"] == args.folder]
json.dump(found, open("outputs/found.json", "w"))
"""
SCRIPTS = {"read.py": READ, "use.py": USE}


@pytest.fixture
def blobs(tmp_path: Path) -> Path:
    """The content of the datastores, in the project."""
    root = tmp_path / "project" / "blobs" / "store"
    for folder in ("parts", "deep/a/b", "images/cats"):
        (root / folder).mkdir(parents=True)
    (root / "customers.csv").write_text('id;age;note\n007;30;"a\nb"\n008;41;c\n')
    for number in range(2):
        pd.DataFrame({"n": [number, 5], "t": ["x", None]}).to_parquet(root / f"parts/{number}.parquet")
    (root / "parts/README.md").write_text("not a table")
    (root / "deep/one.csv").write_text("a,b\n1,x\n")
    (root / "deep/a/b/two.csv").write_text("a,b\n2.5,y\n")
    (root / "images/a.png").write_text("a")
    (root / "images/cats/b.png").write_text("b")
    (root / "images/cats/list.txt").write_text("c")
    (root / "model.bin").write_text("model")
    return root.parent


def found_in(folder: Path) -> dict:
    return json.loads((folder / "outputs" / "found.json").read_text())


def test_every_kind_of_input(blobs, tmp_path, server):
    made = project(tmp_path / "project", f"backend: local\n{PIPELINE}", SCRIPTS)
    local = run_pipeline(made.plan, made.directory)
    assert local.status == "completed", local["read"].detail
    workspace = Workspace(tmp_path / "azure", made, blobs)
    for step in ("read", "use"):
        job = workspace.job(step)

        done = job.run(server)

        assert (done.returncode, done.stderr) == (0, "")
        assert found_in(job.folder) == found_in(local[step].places.artifacts)


def test_paths_of_several_folders_have_the_names_that_they_have_in_the_datastore(blobs, tmp_path, server):
    text = """
steps:
  read:
    script_name: read.py
    output_folders: []
    input_datasets: {--both: both, both_direct: same, table: table}
datastores:
  store: {container_name: raw, account_name: churnstore}
datasets:
  both: {datastore_name: store, path: ["images/**/*.png", deep/], type: file, mode: mount}
  same: {datastore_name: store, path: ["images/**/*.png", deep/], type: file}
  table: {datastore_name: store, path: [deep/one.csv, "deep/a/**"]}
"""
    script = """
import json, os, sys
from azureml.core import Run

run = Run.get_context()
both = run.input_datasets["both"]
assert sys.argv[1:] == ["--both", both], sys.argv
walked = os.walk(both, followlinks=True)
paths = (os.path.join(folder, name) for folder, _, names in walked for name in names)
found = {"mount": sorted(os.path.relpath(path, both) for path in paths)}
found["path"] = sorted(run.input_datasets["both_direct"].to_path())
found["table"] = run.input_datasets["table"].to_pandas_dataframe().values.tolist()
json.dump(found, open("outputs/found.json", "w"))
"""
    job = Workspace(tmp_path / "azure", project(tmp_path / "project", text, {"read.py": script}), blobs).job("read")

    done = job.run(server)

    assert (done.returncode, done.stderr) == (0, "")
    names = ["deep/a/b/two.csv", "deep/one.csv", "images/a.png", "images/cats/b.png"]
    assert found_in(job.folder) == {
        "mount": names,
        "path": [f"/{name}" for name in names],
        "table": [[1, "x"], [2.5, "y"]],
    }


def test_the_inputs_of_the_pipeline_replace_its_settings(tmp_path, server):
    text = """
pipeline_parameters: {alpha: 0.5}
steps:
  a:
    script_name: a.py
    output_folders: []
    step_config: {lr: 0.1}
    arguments: {--alpha: "${{ parameters.alpha }}", --note: "it's $HOME", --empty: ""}
"""
    made = project(tmp_path / "project", text, {"a.py": "import sys; print(sys.argv[1:])"})

    done = Workspace(tmp_path, made).job("a", {"alpha": "0.9", "a_config": '{"lr": 5}'}).run(server)

    assert done.stdout == "['--config', '{\"lr\": 5}', '--alpha', '0.9', '--note', \"it's $HOME\", '--empty', '']\n"


REFUSED = {
    'Dataset.get_by_name(ws, "other")': "no dataset 'other': a job on Azure ML v2 has only those that its step lists "
    "in input_datasets; add it there",
    'ws.get_default_datastore().upload_files(["a.py"])': "a script cannot write to the datastore 'workspaceblobstore' "
    "in a job on Azure ML v2; use an output folder with `destination`",
    'ws.datastores["workspaceblobstore"].download(".")': "a script cannot read the datastore 'workspaceblobstore' in a "
    "job on Azure ML v2; declare the data as a dataset, and list it in input_datasets",
    'Dataset.Tabular.from_delimited_files((ws.get_default_datastore(), "a.csv"))': "a script cannot read the datastore "
    "'workspaceblobstore' in a job on Azure ML v2; declare the data as a dataset, and list it in input_datasets",
    'Dataset.File.from_files("http://127.0.0.1:9/a")': "<urlopen error [Errno 111] Connection refused>",
    'Model(ws, "other")': "ModelNotFound: no model 'other' among those that this step has registered; others cannot be "
    "read in a job on Azure ML v2: have the step that registers it write it to an output folder too, and read that",
    'run.get_secret("key")': "reading secrets in a job on Azure ML v2 requires the address of the key vault; set "
    "AZML_KEY_VAULT_URL, such as https://NAME.vault.azure.net, in the step's environment_variables",
    "run.parent.get_metrics()": "run.parent.get_metrics is not possible in a job on Azure ML v2; pass the values in an "
    "output folder of the step that logs them",
    "run.parent.tags": "run.parent.get_tags is not possible in a job on Azure ML v2; pass the values in an output "
    "folder of the step that logs them",
    "list(run.parent.get_children())": "run.parent.get_children is not possible in a job on Azure ML v2; pass the "
    "values in an output folder of the step that logs them",
    'Run.get(ws, "other")': "a job on Azure ML v2 cannot read the run 'other'; use mlflow.get_run, with azureml-mlflow "
    "in the environment",
    "list(run.experiment.get_runs())": "Run.list is not possible in a job on Azure ML v2; use MLClient of azure-ai-ml "
    "instead",
    "run.submit_child(None)": "Run.submit_child is not possible in a job on Azure ML v2; use MLClient of azure-ai-ml "
    "instead",
    'Workspace.get("other")': "this run's workspace is 'churn-ws'; 'other' cannot be opened",
    "import azureml.opendatasets; azureml.opendatasets.Holidays()": "azureml.opendatasets.Holidays is not available in "
    "jobs on Azure ML v2; add azureml-opendatasets to the environment",
}


@pytest.mark.parametrize("call", REFUSED)
def test_what_a_job_does_not_have_is_a_sentence(call, tmp_path, server):
    script = f"""
from azureml.core import Dataset, Model, Run, Workspace

run = Run.get_context()
ws = run.experiment.workspace
try:
    {call.replace("; ", chr(10) + "    ")}
except Exception as error:
    print(error)
"""
    made = project(tmp_path / "p", "steps: {a: {script_name: a.py, output_folders: []}}", {"a.py": script})

    done = Workspace(tmp_path, made).job("a").run(server)

    assert (done.stdout, done.stderr) == (f"{REFUSED[call]}\n", "")


MLTABLE = """
import pandas as pd

class load:
    def __init__(self, address):
        self.address = address

    def to_pandas_dataframe(self):
        return pd.DataFrame({"address": [self.address], "n": [1]})
"""


def test_what_only_v1_has_registered_is_read_by_mltable(tmp_path, server):
    text = "steps: {a: {script_name: a.py, output_folders: [], input_datasets: {--d: old}}}\n"
    script = """
from azureml.core import Run

dataset = Run.get_context().input_datasets["old"]
print(dataset.name, dataset.keep_columns(["address"]).to_pandas_dataframe().values.tolist())
"""
    job = Workspace(tmp_path, project(tmp_path / "p", text, {"a.py": script})).job("a")
    (tmp_path / "lib").mkdir()

    without = job.run(server)
    (tmp_path / "lib" / "mltable.py").write_text(MLTABLE)
    done = job.run(server, PYTHONPATH=str(tmp_path / "lib"))

    assert without.stderr.splitlines()[-1] == (
        "azureml.exceptions.UserErrorException: the dataset 'old' is one that SDK v1 registered; reading it in a job "
        "on Azure ML v2 requires the package mltable: add it to the environment, or declare the dataset with "
        "datastore_name and path"
    )
    # The address is what the service puts into the command.
    assert (done.stdout, done.stderr) == ("old [['azureml:old@latest']]\n", "")


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("python azml_step -- a.py", "the command does not name the input 'images'; export the pipeline again"),
        (
            "python azml_step --in images=/a --in images=/b -- a.py",
            "the command does not fit the step's files; export the pipeline again",
        ),
    ],
)
def test_a_command_that_does_not_fit_the_step_is_refused(command, sentence, tmp_path, server):
    text = """
steps: {a: {script_name: a.py, output_folders: [], input_datasets: {images: images}}}
datasets: {images: {datastore_name: store, path: images/, type: file}}
"""
    job = Workspace(tmp_path, project(tmp_path / "p", text, {"a.py": ""})).job("a")

    done = Job(command, job.folder).run(server)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"azml-tasks: {sentence}\n")
