"""Outputs with a destination, and outputs that are registered."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path

import pytest

from azml_tasks.errors import ProjectError
from azml_tasks.local.prune import prune
from azml_tasks.local.store.files import remove_tree
from tests.local.conftest import BEGINNING, PASS_ALONG

PIPELINE = """
    datastores: {{lake: {{container_name: raw, account_name: churnstore}}}}
    steps:
      one: {{script_name: one.py, output_folders: {{--output-folder: {options}}}}}
      two: {{script_name: two.py}}
"""


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ("{destination: {datastore_name: lake, path: scores/new}}", "lake/scores/new"),
        ("{destination: {datastore_name: lake, path: '/a/{output-name}'}}", "lake/a/one_output_folder"),
        ("{destination: {datastore_name: lake, path: 'by/{run-id}'}}", "lake/by/RUN_one"),
        ("{destination: {datastore_name: workspaceblobstore}}", "workspaceblobstore/dataset/RUN_one/one_output_folder"),
    ],
)
def test_an_output_with_a_destination_is_copied_into_the_folder_of_its_datastore(project, options, place):
    project.pipeline(PIPELINE.format(options=options), one=PASS_ALONG, two=PASS_ALONG)

    run = project.run()

    folder = project.folder / ".azml/datastores" / place.replace("RUN", run.id)
    assert (folder / "way.txt").read_text() == "one "
    assert project.log(run, "two") == "read: one \n"


@pytest.mark.parametrize("path", ["../../../x", "..", "a/../../b", "/..", "{run-id}/../.."])
def test_a_destination_outside_of_its_datastore_is_refused_before_anything_runs(project, path):
    options = f"{{destination: {{datastore_name: lake, path: '{path}'}}}}"
    project.pipeline(PIPELINE.format(options=options), one=PASS_ALONG, two=PASS_ALONG)

    with pytest.raises(ProjectError, match=rf"'{re.escape(path)}' is outside the datastore"):
        project.run()

    assert not (project.folder / ".azml").exists()


@pytest.mark.parametrize("name", ["", "a/b", "x" * 256, "été"])
def test_a_name_that_no_dataset_can_have_is_refused_before_anything_runs(project, name):
    project.pipeline(PIPELINE.format(options=f"{{register_on_complete: '{name}'}}"), one=PASS_ALONG, two=PASS_ALONG)

    with pytest.raises(ProjectError, match="is not a valid name: a dataset name has 1 to 255 letters, digits"):
        project.run()


@pytest.mark.parametrize("name", ["\u00b2.json", "\u0663.json", "x.json", f"{'9' * 200}.json"])
def test_files_of_other_names_beside_the_versions_of_a_registered_output_are_left_alone(project, name):
    project.write({f".azml/datasets/made/{name}": "[1"})
    project.pipeline(PIPELINE.format(options="{register_on_complete: made}"), one=PASS_ALONG, two="")

    assert project.statuses(project.run())["one"] == "completed"
    assert project.statuses(project.run())["one"] == "reused"


def test_a_datastore_whose_name_is_a_path_is_refused_however_it_is_written(project):
    options = "{destination: {datastore_name: '../../../x$${A}'}}"
    project.pipeline(PIPELINE.format(options=options), one=PASS_ALONG, two=PASS_ALONG)

    with pytest.raises(ProjectError, match=r"'\.\./\.\./\.\./x\$\{A\}' is not a valid name"):
        project.run()

    assert os.listdir(project.folder.parent) == [project.folder.name]


def test_a_registered_output_is_a_dataset_for_later_steps_with_a_version_for_each_new_folder(project):
    read = (
        BEGINNING
        + """
from azureml.core import Dataset
found = Dataset.get_by_name(run.experiment.workspace, "made.by one")
print(found.name, found.version, pathlib.Path(found.to_path()[0]).name)
print([pathlib.Path(p).read_text() for p in found.download("x")])
"""
    )
    project.pipeline(PIPELINE.format(options="{register_on_complete: made.by one}"), one=PASS_ALONG, two=read)

    first = project.run()
    second = project.run(force=True)
    third = project.run(only="two")

    assert [project.log(run, "two") for run in (first, second, third)] == [
        "made.by one 1 way.txt\n['one ']\n",
        "made.by one 2 way.txt\n['one ']\n",
        "made.by one 2 way.txt\n['one ']\n",
    ]


def test_a_version_that_another_run_takes_first_is_left_to_it(project, monkeypatch):
    def come_second(source: str, target: str) -> None:
        for version in (1, 2):
            with contextlib.suppress(FileExistsError), Path(target).with_name(f"{version}.json").open("x") as file:
                file.write("another run's")
        link(source, target)

    link = os.link
    monkeypatch.setattr("azml_tasks.local.run.outputs.os.link", come_second)
    project.pipeline(PIPELINE.format(options="{register_on_complete: made}"), one=PASS_ALONG, two="")

    assert project.run().status == "completed"
    versions = {path.name: path.read_text() for path in (project.folder / ".azml/datasets/made").iterdir()}
    assert sorted(versions) == ["1.json", "2.json", "3.json"]
    assert versions["1.json"] == versions["2.json"] == "another run's"
    assert json.loads(versions["3.json"])["name"] == "made"


def test_the_outputs_of_a_step_that_is_reused_are_where_the_file_declares_now(project):
    read = BEGINNING + "from azureml.core import Dataset\nprint(run.experiment.workspace.datasets['made'].to_path())\n"
    project.pipeline(PIPELINE.format(options="{}"), one=PASS_ALONG, two=read)
    assert project.statuses(project.run()) == {"one": "completed", "two": "failed"}
    options = "{destination: {datastore_name: lake, path: 'by/{run-id}'}, register_on_complete: made}"
    project.pipeline(PIPELINE.format(options=options))

    second = project.run()
    copy = next(project.folder.glob(".azml/datastores/lake/by/*/way.txt"))
    written = copy.stat().st_ctime_ns
    third = project.run()

    assert project.statuses(second) == {"one": "reused", "two": "completed"}
    assert project.statuses(third) == {"one": "reused", "two": "reused"}
    assert copy.stat().st_ctime_ns == written
    assert copy.parent.name == f"{second['one'].producer}_one"
    for name in ("datasets", "datastores"):
        remove_tree(project.folder / ".azml" / name)
    fourth = project.run()
    assert project.statuses(fourth) == {"one": "reused", "two": "reused"}
    assert copy.read_text() == "one "


def test_a_project_that_is_moved_takes_its_registered_datasets_along(project, tmp_path):
    made = "Dataset.File.from_files((run.experiment.workspace.get_default_datastore(), 'x.txt'))"
    registers = PASS_ALONG + (
        "from azureml.core import Dataset\nopen('x.txt', 'w').close()\n"
        "run.experiment.workspace.get_default_datastore().upload_files(['x.txt'])\n"
        f"{made}.register(run.experiment.workspace, 'own', create_new_version=True)\n"
    )
    reads = BEGINNING + (
        "from azureml.core import Dataset\nfound = run.experiment.workspace.datasets\n"
        "print([pathlib.Path(path).exists() for name in ('made', 'own') for path in found[name].download(name)])\n"
    )
    project.pipeline(PIPELINE.format(options="{register_on_complete: made}"), one=registers, two=reads)
    first = project.run()
    project.folder = project.folder.rename(tmp_path / "elsewhere")

    run = project.run(only="two")
    prune(project.folder, keep=0)

    assert project.log(run, "two") == "[True, True]\n"
    assert (project.folder / ".azml/runs" / first.id / "steps/one/outputs/one_output_folder/way.txt").is_file()


def test_prune_keeps_what_a_registered_dataset_is_made_of(project):
    project.pipeline(PIPELINE.format(options="{register_on_complete: made}"), one=PASS_ALONG, two=PASS_ALONG)
    first = project.run()
    project.write({"one.py": PASS_ALONG + "# changed"})
    project.run(force=True)

    prune(project.folder, keep=1)

    assert (first["one"].places.output("one_output_folder") / "way.txt").read_text() == "one "
    assert not first["two"].places.log.exists()
