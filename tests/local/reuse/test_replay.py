"""What a reused step did besides its outputs is there again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.local.conftest import BEGINNING, Project

STEPS = "steps: {a: {script_name: a.py}, b: {script_name: b.py, step_config: {v: 1}}}\n"
RECORDS = (
    BEGINNING
    + """
open("picture.txt", "w").write("1")
run.parent.log("loss", 0.5)
run.parent.log_list("list", [1, 2])
run.parent.tag("stage", "dev")
run.parent.add_properties({"owner": "me"})
run.parent.upload_file("files/picture.txt", "picture.txt")
run.parent.display_name = "The run"
"""
)
TELLS = (
    BEGINNING
    + """
parent = run.parent
print([parent.get_metrics(), parent.tags, parent.properties["owner"], parent.get_file_names(), parent.display_name])
"""
)
TOLD = "[{'loss': 0.5, 'list': [1, 2]}, {'stage': 'dev'}, 'me', ['files/picture.txt'], 'The run']\n"


def lines_of(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_what_a_reused_step_recorded_on_the_parent_is_seen_by_the_steps_after_it(project: Project):
    project.pipeline(STEPS, a=RECORDS, b=TELLS)
    assert project.log(project.run(), "b") == TOLD

    project.pipeline(STEPS.replace("v: 1", "v: 2"))
    run = project.run()

    assert project.statuses(run) == {"a": "reused", "b": "completed"}
    assert project.log(run, "b") == TOLD


def test_nothing_is_recorded_twice_however_often_a_step_is_reused(project: Project):
    project.pipeline(STEPS, a=RECORDS, b=TELLS)
    first = project.run()

    for _ in range(2):
        run = project.run()
        assert project.statuses(run) == {"a": "reused", "b": "reused"}
        assert lines_of(run.places.parent / "metrics.jsonl") == lines_of(first.places.parent / "metrics.jsonl")


@pytest.mark.parametrize("options", [{"only": "b"}, {"from_step": "b"}])
def test_a_step_that_runs_alone_sees_what_the_one_before_it_recorded(project: Project, options):
    project.pipeline(STEPS, a=RECORDS, b=TELLS)
    project.run()

    assert project.log(project.run(**options), "b") == TOLD


REGISTERS = BEGINNING + "open('m', 'w').write('1')\nrun.upload_file('m', 'm')\nrun.register_model('mine', 'm')\n"


def versions(project: Project) -> list[str]:
    return sorted(path.name for path in (project.folder / ".azml/models/mine").iterdir())


def test_a_model_that_is_there_gets_no_second_version(project: Project):
    project.line(a=REGISTERS)

    assert [project.run()["a"].status for _ in range(3)] == ["completed", "reused", "reused"]
    assert versions(project) == ["1"]


def test_a_model_that_was_removed_is_there_again_as_it_was(project: Project):
    project.line(a=REGISTERS)
    project.run()
    before = (project.folder / ".azml/models/mine/1/model.json").read_text()
    shutil.rmtree(project.folder / ".azml/models")

    assert project.run()["a"].status == "reused"

    assert (project.folder / ".azml/models/mine/1/model.json").read_text() == before
    assert (project.folder / ".azml/models/mine/1/files/m").read_text() == "1"


def test_a_model_whose_number_was_deleted_for_good_gets_the_next_one_and_no_more(project: Project):
    project.line(a=REGISTERS)
    project.run()
    shutil.rmtree(project.folder / ".azml/models/mine/1")
    (project.folder / ".azml/models/mine/1.deleted").mkdir()

    assert [project.run()["a"].status for _ in range(2)] == ["reused", "reused"]

    assert versions(project) == ["1.deleted", "2"]


@pytest.mark.parametrize("content", ["", "[]", "null", '{"file": 1}'])
def test_a_model_with_a_damaged_record_is_registered_again_once(project: Project, content: str):
    project.line(a=REGISTERS)
    project.run()
    (project.folder / ".azml/models/mine/1/model.json").write_text(content)

    assert [project.run()["a"].status for _ in range(2)] == ["reused", "reused"]

    assert versions(project) == ["1", "2"]
    assert (project.folder / ".azml/models/mine/1/model.json").read_text() == content
    assert (project.folder / ".azml/models/mine/2/files/m").read_text() == "1"


@pytest.mark.parametrize("content", ["edited", None])
def test_a_model_whose_files_were_edited_or_deleted_is_put_back_under_its_number(project: Project, content: str | None):
    project.line(a=REGISTERS)
    project.run()
    file = project.folder / ".azml/models/mine/1/files/m"
    if content:
        file.chmod(0o644)
        file.write_text(content)
    else:
        shutil.rmtree(file.parent)

    assert [project.run()["a"].status for _ in range(2)] == ["reused", "reused"]

    assert versions(project) == ["1"]
    assert file.read_text() == "1"


@pytest.mark.parametrize("options", [{"only": "b"}, {"from_step": "b"}])
def test_what_a_step_that_is_not_selected_registered_is_there_again(project: Project, options: dict[str, str]):
    project.line(a=REGISTERS, b="")
    project.run()
    shutil.rmtree(project.folder / ".azml/models")

    project.run(**options)

    assert (project.folder / ".azml/models/mine/1/files/m").read_text() == "1"


@pytest.mark.parametrize("content", ["", "[]", "null", '{"file": 1}'])
def test_a_step_runs_again_if_the_copy_of_what_it_registered_is_damaged_and_needed(project: Project, content: str):
    project.line(a=REGISTERS)
    run = project.run()
    (project.folder / f".azml/runs/{run.id}/steps/a/registered/0/model.json").write_text(content)
    assert project.statuses(project.run()) == {"a": "reused"}
    shutil.rmtree(project.folder / ".azml/models")

    again = project.run()

    assert project.reasons(again) == {"a": "the record of what it registered is damaged (.azml/models/mine/1)"}
    assert (project.folder / ".azml/models/mine/1/files/m").read_text() == "1"
    assert project.statuses(project.run()) == {"a": "reused"}


def test_a_dataset_with_a_damaged_record_is_registered_again(project: Project):
    registers = "from azureml.core import Dataset\nstore = run.experiment.workspace.get_default_datastore()\n"
    registers += "Dataset.File.from_files((store, 'x')).register(run.experiment.workspace, 'mine')\n"
    reads = "from azureml.core import Dataset\nDataset.get_by_name(run.experiment.workspace, 'mine')\n"
    project.line(a=BEGINNING + registers, b=BEGINNING + reads)
    (project.folder / ".azml/datastores/workspaceblobstore").mkdir(parents=True)
    (project.folder / ".azml/datastores/workspaceblobstore/x").write_text("1")
    assert project.run().status == "completed"
    (project.folder / ".azml/datasets/mine/1.json").write_text("0")

    run = project.run()

    assert project.statuses(run) == {"a": "reused", "b": "completed"}
    assert sorted(path.name for path in (project.folder / ".azml/datasets/mine").iterdir()) == ["1.json", "2.json"]


def test_a_record_of_a_file_on_the_parent_that_leads_out_of_the_run_copies_nothing(project: Project):
    project.pipeline(STEPS, a=RECORDS, b=BEGINNING)
    first = project.run()
    record = first["a"].places.root / "on_parent.jsonl"
    with record.open("a") as file:
        file.write('{"artifact": "../../../../../../stolen.txt"}\n{"artifact": "/stolen.txt"}\n{"artifact": ["x"]}\n')
    (project.folder.parent / "stolen.txt").write_text("theirs")

    run = project.run()

    assert project.statuses(run) == {"a": "reused", "b": "reused"}
    assert [path.name for path in (run.places.parent / "artifacts").rglob("*") if path.is_file()] == ["picture.txt"]
    assert (project.folder.parent / "stolen.txt").read_text() == "theirs"
