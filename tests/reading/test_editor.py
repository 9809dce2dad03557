"""What editors find in a project's `.azml`: `azureml`, as local steps import it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from azml_tasks.reading.editor import PYTHON_FOLDER, SCHEMA_FILE, copy_standin, write_editor_files
from tests.imports import PACKAGE


def everything(folder: Path) -> dict[str, bytes]:
    """Return the files under a folder by their paths."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def standin() -> dict[str, bytes]:
    """Return the files of the package that steps import."""
    files = everything(PACKAGE / "standin")
    return {path: text for path, text in files.items() if path.startswith("az") and "__pycache__" not in path}


def test_the_schema_and_the_stand_in_are_written(tmp_path: Path):
    write_editor_files(tmp_path)

    found = everything(tmp_path / PYTHON_FOLDER)
    assert found.pop("copied-from.txt").decode().startswith(str(PACKAGE / "standin"))
    assert found == standin()
    assert (tmp_path / SCHEMA_FILE).is_file()
    assert sorted(path.name for path in (tmp_path / ".azml").iterdir()) == ["pipeline.schema.json", "python"]


def test_the_copy_is_made_again_when_it_is_another_release_s(tmp_path: Path):
    copy_standin(tmp_path)
    folder = tmp_path / PYTHON_FOLDER
    before = folder.stat().st_ino
    copy_standin(tmp_path)
    assert folder.stat().st_ino == before

    (folder / "copied-from.txt").write_text("azml-tasks 0.1.0\n", encoding="utf-8")
    (folder / "azureml" / "core" / "run.py").write_text("old", encoding="utf-8")
    copy_standin(tmp_path)

    found = everything(folder)
    found.pop("copied-from.txt")
    assert found == standin()


def test_a_damaged_mark_makes_the_copy_again_and_a_folder_in_place_of_the_schema_leaves_nothing(tmp_path: Path):
    copy_standin(tmp_path)
    mark = tmp_path / PYTHON_FOLDER / "copied-from.txt"
    mark.write_bytes(b"\xff\xfe")
    (tmp_path / SCHEMA_FILE).mkdir()

    write_editor_files(tmp_path)

    assert mark.read_bytes().startswith(os.fsencode(PACKAGE / "standin"))
    assert sorted(path.name for path in (tmp_path / ".azml").iterdir()) == ["pipeline.schema.json", "python"]


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
@pytest.mark.parametrize("place", [".azml", ".azml/python"])
def test_nothing_is_written_through_a_link(tmp_path: Path, place: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    project = tmp_path / "project"
    (project / place).parent.mkdir(parents=True)
    (project / place).symlink_to(outside)

    write_editor_files(project)

    assert everything(outside) == {}


def test_a_folder_that_cannot_be_written_does_without(tmp_path: Path):
    (tmp_path / ".azml").write_text("a file")

    write_editor_files(tmp_path)

    assert (tmp_path / ".azml").read_text() == "a file"


@pytest.mark.processes
def test_a_script_that_is_started_by_hand_finds_azureml_there(tmp_path: Path):
    write_editor_files(tmp_path)
    (tmp_path / "a.py").write_text("from azureml.core import Run\nRun.get_context().log('rows', 3)\n")

    # Without site-packages, where the SDK may be.
    done = subprocess.run(
        [sys.executable, "-S", "a.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PYTHON_FOLDER)},
        check=True,
        capture_output=True,
        text=True,
    )

    assert done.stdout == "Attempted to log scalar metric rows:\n3\n"
