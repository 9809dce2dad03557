"""Registered datasets on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from azml_tasks.standin.azml_local.formats import registered


def written(content: str):
    """Return a function that writes the content to a path, creating the folder."""

    def write(path: str) -> None:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(content, encoding="utf-8")

    return write


@pytest.mark.parametrize("name", ["raw", "a.b", "my data", "a/b", "..", "ü"])
def test_a_name_of_any_characters_is_one_folder_and_is_listed_as_it_was(tmp_path, name):
    registered.add_version(registered.folder_of(str(tmp_path), name), 1, written("{}"))

    assert len(os.listdir(tmp_path)) == 1
    assert registered.names(str(tmp_path)) == [name]


def test_a_version_takes_the_first_free_number_and_leaves_nothing_else(tmp_path):
    folder = registered.folder_of(str(tmp_path), "raw")
    numbers = [registered.add_version(folder, 1, written(text)) for text in ("{}", "[]")]

    assert numbers == [1, 2]
    assert sorted(os.listdir(folder)) == ["1.json", "2.json"]
    assert dict(registered.versions(folder)) == {n: os.path.join(folder, f"{n}.json") for n in (1, 2)}


def test_a_version_that_cannot_be_written_takes_no_number(tmp_path):
    def full(path: str) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        registered.add_version(str(tmp_path), 1, full)

    assert list(registered.versions(str(tmp_path))) == []


@pytest.mark.parametrize(
    ("path", "recorded"),
    [("/p/data/a.csv", "${project}/data/a.csv"), ("/p2/a.csv", "/p2/a.csv"), ("/elsewhere/a.csv", "/elsewhere/a.csv")],
)
def test_a_path_in_the_project_moves_with_it(path, recorded):
    assert registered.portable(path, "/p") == recorded
    assert registered.of_project(recorded, "/p") == path
    assert registered.of_project(registered.portable("/p/data/a.csv", "/p"), "/moved") == "/moved/data/a.csv"
