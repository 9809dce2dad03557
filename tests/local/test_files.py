"""Files of .azml are whole or not there, and folders go whatever is in them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from azml_tasks.local.files import read_json, read_lines, remove_tree, write_json


def test_a_value_is_written_over_another_in_a_folder_that_is_made(tmp_path):
    file = tmp_path / "deep/er/a.json"

    write_json(file, {"name": "é", "list": [1, 2]})
    write_json(file, {"name": "ü"})

    assert file.read_text() == '{"name":"\\u00fc"}'
    assert read_json(file) == {"name": "ü"}
    assert os.listdir(file.parent) == ["a.json"]


def test_what_cannot_be_written_leaves_the_file_as_it_was_and_no_other(tmp_path):
    (tmp_path / "a.json").mkdir()
    (tmp_path / "a.json/inner").write_text("")

    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        write_json(tmp_path / "a.json", {})
    with pytest.raises(TypeError):
        write_json(tmp_path / "b.json", {"a": object()})

    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_value_for_which_there_is_no_room_leaves_the_file_as_it_was_and_no_other(tmp_path):
    import resource

    write_json(tmp_path / "a.json", {"a": 1})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="too large"):
            write_json(tmp_path / "a.json", {"a": "x" * 10_000})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert read_json(tmp_path / "a.json") == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]


@pytest.mark.parametrize(
    ("content", "value"),
    [('{"a": "é"}', {"a": "é"}), ("", None), ("{", None), ("[]", None), ("1", None), (b"\xff", None)],
)
def test_a_file_holds_an_object_or_none(tmp_path, content, value):
    (tmp_path / "a.json").write_bytes(content.encode() if isinstance(content, str) else content)

    assert read_json(tmp_path / "a.json") == value


def test_a_file_that_is_not_there_holds_none(tmp_path):
    (tmp_path / "file").write_text("")

    for place in ("gone.json", "gone/a.json", "file/a.json"):
        assert read_json(tmp_path / place) is None
        assert read_lines(tmp_path / place) == []
    with pytest.raises(IsADirectoryError):
        read_json(tmp_path)


def test_of_lines_those_that_hold_an_object_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(b'{"a": 1}\n[1]\n\n\xff\n{"b": "\xc3\xa9"}\n{"cut": ')

    assert read_lines(tmp_path / "a.jsonl") == [{"a": 1}, {"b": "é"}]


def test_read_only_folders_are_removed_too(tmp_path):
    (tmp_path / "d/e/f").mkdir(parents=True)
    (tmp_path / "d/e/file").write_text("")
    (tmp_path / "d/e/f").chmod(0o000)
    (tmp_path / "d/e").chmod(0o500)
    (tmp_path / "outside").mkdir()
    (tmp_path / "d/link").symlink_to(tmp_path / "outside")

    remove_tree(tmp_path / "d")
    remove_tree(tmp_path / "d")

    assert sorted(os.listdir(tmp_path)) == ["outside"]


def test_a_file_or_a_link_is_removed_and_what_it_leads_to_stays(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    for name, target in (("to_folder", "folder"), ("to_file", "file"), ("to_nothing", "gone")):
        (tmp_path / name).symlink_to(target)

    for name in ("to_folder", "to_file", "to_nothing"):
        remove_tree(tmp_path / name)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]

    remove_tree(tmp_path / "file")
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX may be this long")
def test_a_tree_deeper_than_python_recurses_is_removed(tmp_path):
    home = Path.cwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1500):
            os.makedirs("d/beside")
            Path("d/file").write_text(json.dumps({}))
            os.chdir("d")
    finally:
        os.chdir(home)

    remove_tree(tmp_path / "d")

    assert os.listdir(tmp_path) == []
