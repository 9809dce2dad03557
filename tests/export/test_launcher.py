"""The file that is carried in a step's code: one, the same bytes for the same content."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from azml_tasks.errors import ProjectError
from azml_tasks.export import export
from azml_tasks.export.launcher import PROGRAM, files
from tests.export.examples import DATA
from tests.export.projects import ROOT, USUAL, iris, project, with_sdk

PACKAGE = ROOT / "azml_tasks"
BUILD = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from azml_tasks.export.launcher import __file__ as own, files
from azml_tasks.reading import load_project
assert own.startswith(sys.argv[1]), own
variables = {"CHURN_STORAGE_KEY": "x", "CHURN_SAS": "x"}
project = load_project(Path(sys.argv[2]), variables=variables)
for step in project.plan.steps:
    for path, content in files(step, project.pipeline).items():
        print(step.key, path, hashlib.sha256(content).hexdigest())
"""


def built(package: Path, file: Path) -> str:
    """Return the hashes of what a copy of the package carries, from a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": "random", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", BUILD, str(package), str(file)]
    done = subprocess.run(command, env=environment, cwd=package, check=True, capture_output=True, text=True)
    return done.stdout


def test_one_file_is_added_to_the_code_of_a_step(tmp_path):
    made = project(tmp_path, DATA)

    for step in made.plan.steps:
        carried = files(step, made.pipeline)
        assert list(carried) == [PROGRAM]
        names = zipfile.ZipFile(io.BytesIO(carried[PROGRAM])).namelist()
        assert {"__main__.py", "context.json", "launcher/step.py", "standin/azureml/core/run.py"} <= {*names}
        assert [name for name in names if not name.endswith((".py", ".json"))] == []


@pytest.mark.processes
def test_the_bytes_depend_on_what_is_carried_alone(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(USUAL + DATA, encoding="utf-8")
    copy = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, copy / "azml_tasks", ignore=ignored)
    first = built(ROOT, file)

    # A change elsewhere, the line ends of Windows, compiled files and times change nothing.
    (copy / "azml_tasks" / "text.py").write_text((PACKAGE / "text.py").read_text() + "\n# A comment.\n")
    (copy / "azml_tasks" / "__init__.py").write_text((PACKAGE / "__init__.py").read_text() + "\n__version__ = '99'\n")
    for part in ("standin", "launcher"):
        for path in (copy / "azml_tasks" / part).rglob("*.py"):
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
        (copy / "azml_tasks" / part / "__pycache__").mkdir(exist_ok=True)
        (copy / "azml_tasks" / part / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    assert built(copy, file) == first

    changed = copy / "azml_tasks" / "standin" / "azml_local" / "errors.py"
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert not {*built(copy, file).splitlines()} & {*first.splitlines()}


def test_what_a_step_does_not_depend_on_is_not_carried(tmp_path):
    text = "steps: {a: {script_name: a.py, output_folders: []}}\n"
    more = (
        "experiment_name: other\ntags: {a: b}\nws_name: our-ws\npipeline_parameters: {x: 1}\n"
        "datasets: {unread: {datastore_name: s, path: a.csv}}\nschedule: {frequency: Day}\n"
    )
    one, other = project(tmp_path / "1", text), project(tmp_path / "2", text + more)

    digests = [hashlib.sha256(files(made.plan["a"], made.pipeline)[PROGRAM]).hexdigest() for made in (one, other)]

    assert digests[0] == digests[1]


def test_the_description_of_a_step(tmp_path):
    made = iris(tmp_path / "iris")
    carried = files(made.plan["prepare"], made.pipeline)[PROGRAM]

    assert json.loads(zipfile.ZipFile(io.BytesIO(carried)).read("context.json")) == {
        "version": 2,
        "step": "prepare",
        "step_name": "prepare",
        "environment_name": "iris-env",
        "inputs": {"iris": {"kind": "dataset", "dataset": "iris", "places": ["iris.csv"]}},
        "datasets": {
            "iris": {
                "id": "47612b31-75fe-ce07-f6c3-e91992412c5b",
                "type": "tabular",
                "format": "delimited",
                "separator": ",",
                "set_column_types": {},
                "support_multi_line": False,
                "mode": "direct",
                "datastore_name": "iris_blob",
                "path": ["iris.csv"],
                "version": 1,
            }
        },
        "fill": {},
        "register": [],
    }


def test_the_description_has_what_the_step_registers_and_where_it_is(tmp_path):
    text = "steps: {a: {script_name: a.py, output_folders: {--out: {register_on_complete: my model}}}}\n"
    made = export(project(tmp_path, text))
    archive = zipfile.ZipFile(io.BytesIO(made.files[f"code/a/{PROGRAM}"].read()))

    path = "azureml://datastores/workspaceblobstore/paths/azureml/${{name}}/out"
    assert json.loads(archive.read("context.json"))["register"] == [{"asset": "my-model", "path": path}]
    assert yaml.safe_load(made.files["pipeline.yml"].read())["jobs"]["a"]["outputs"]["out"] == {
        "type": "uri_folder",
        "mode": "rw_mount",
        "path": path,
    }


def test_with_the_sdk_nothing_is_carried(tmp_path):
    assert [path for path in export(with_sdk(iris(tmp_path / "iris"))).files if path.endswith(PROGRAM)] == []


def test_a_file_of_the_project_with_its_name_is_refused(tmp_path):
    made = project(tmp_path, "steps: {a: {script_name: a.py, include: [azml_step]}}", {"azml_step": ""})

    with pytest.raises(ProjectError) as raised:
        export(made)

    assert str(raised.value) == (
        "pipeline.yaml:3: step 'a': rename azml_step; the step's code has a file of azml-tasks with this name"
    )


@pytest.mark.parametrize("file", sorted((PACKAGE / "launcher").glob("*.py")), ids=lambda file: file.name)
def test_the_program_is_of_python_3_8(file):
    ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))
