"""The code of a step is its snapshot: what the v1 step and a local run get, file by file."""

from __future__ import annotations

from azml_tasks.export import FOLDER, export, write
from azml_tasks.export.folder import Content
from azml_tasks.export.launcher import PROGRAM
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots
from tests.export.projects import iris, project


def test_each_step_has_its_snapshot(tmp_path):
    made = iris(tmp_path / "iris")
    snapshots = take_snapshots(SnapshotBuilder(made.directory), made.plan.steps)
    write(made.directory, export(made).files)

    for key, snapshot in snapshots.items():
        folder = made.directory / FOLDER / "code" / key
        there = {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*")}
        assert there.pop(PROGRAM)
        assert there == {place: file.read_bytes() for place, file in snapshot.files.items()}


def test_what_a_step_imports_from_the_project_lies_at_the_root(tmp_path):
    files = {
        "steps/train.py": "import beside\nfrom shared.more import x\n",
        "steps/beside.py": "",
        "shared/__init__.py": "",
        "shared/more.py": "x = 1\n",
        "steps/sql/a.sql": "",
        "steps/other.py": "",
    }
    text = "steps: {train: {script_name: train.py, script_directory: steps, include: ['sql/**']}}\n"

    code = [path for path in export(project(tmp_path, text, files)).files if path.startswith("code/")]

    assert code == [
        "code/train/beside.py",
        "code/train/shared/__init__.py",
        "code/train/shared/more.py",
        "code/train/sql/a.sql",
        "code/train/train.py",
        "code/train/azml_step",
    ]


def test_an_ignore_file_of_the_snapshot_leaves_nothing_out_again(tmp_path):
    files = {"a.py": "", ".gitignore": "*.bin\n", ".amlignore": "secret*\n", "data.bin": "1", "secret.txt": ""}
    made = project(tmp_path, "steps: {a: {script_name: a.py, snapshot: directory}}\n", files)

    code = {path: file for path, file in export(made).files.items() if path.startswith("code/")}

    assert list(code) == [
        "code/a/.gitignore",
        "code/a/a.py",
        "code/a/data.bin",
        "code/a/pipeline.yaml",
        "code/a/.amlignore",
        "code/a/azml_step",
    ]
    assert code["code/a/.amlignore"] == Content.of(b".amlignore\n")
