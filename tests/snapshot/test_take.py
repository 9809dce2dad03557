"""The snapshots of all steps of a pipeline, or everything that is wrong with any of them."""

from __future__ import annotations

import pytest

from azml_tasks.errors import Problem, ProjectError
from azml_tasks.reading import load_project
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots


def steps(folder, text):
    (folder / "pipeline.yaml").write_text(text)
    return load_project(folder / "pipeline.yaml", variables={}).plan.steps


def test_each_step_has_the_files_that_it_requests(project):
    folder = project({"code/a.py": "", "code/b.py": "", "code/notes.md": "", "params.json": "{}"})
    plans = steps(
        folder,
        """
steps:
  alone: {script_name: a.py, script_directory: code}
  more: {script_name: a.py, script_directory: code, include: [params.json]}
  all: {script_name: b.py, script_directory: code, snapshot: directory}
""",
    )

    taken = take_snapshots(SnapshotBuilder(folder), plans)

    assert {key: (snapshot.script, list(snapshot.files)) for key, snapshot in taken.items()} == {
        "alone": ("a.py", ["a.py"]),
        "more": ("a.py", ["a.py", "params.json"]),
        "all": ("b.py", ["a.py", "b.py", "notes.md"]),
    }


WRONG = """
steps:
  one: {script_name: a.py, include: [gone.json]}
  two: {script_name: broken.py}
  three: {script_name: broken.py}
  four: {script_name: gone.py}
"""


def test_everything_that_is_wrong_is_reported_once(project):
    folder = project({"a.py": "", "broken.py": "x = ("})

    with pytest.raises(ProjectError) as plain:
        take_snapshots(SnapshotBuilder(folder), steps(folder, WRONG))
    with pytest.raises(ProjectError) as located:
        take_snapshots(
            SnapshotBuilder(folder),
            steps(folder, WRONG),
            lambda key, message: Problem(".".join(map(str, key)), 7, message),
        )

    (broken,) = (problem for problem in plain.value.problems if problem.file == "broken.py")
    assert list(plain.value.problems) == [
        Problem("a.py", 0, "include 'gone.json' does not match any file"),
        broken,
        Problem("gone.py", 0, "the script does not exist"),
    ]
    assert list(located.value.problems) == [
        broken,
        Problem("steps.four.script_name", 7, "step 'four': gone.py: the script does not exist"),
        Problem("steps.one.include.0", 7, "step 'one': a.py: include 'gone.json' does not match any file"),
    ]
