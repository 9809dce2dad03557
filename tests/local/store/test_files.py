"""Files of .azml are whole or not there, and folders go whatever is in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from azml_tasks.local.store.files import merge_tree, read_json, read_lines, remove_tree, write_json


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


WRITES = """
import sys
from itertools import count
from pathlib import Path
from azml_tasks.local.store.files import write_json
for number in count():
    write_json(Path("a.json"), {"number": number, "text": "x" * 1_000_000})
"""


def test_a_file_is_whole_at_every_moment_also_when_its_writer_is_killed(tmp_path):
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITES], cwd=tmp_path) as writer:
            while not (tmp_path / "a.json").exists():
                time.sleep(0.01)
            for _ in range(30):
                assert len(read_json(tmp_path / "a.json")["text"]) == 1_000_000
            writer.kill()
        assert len(read_json(tmp_path / "a.json")["text"]) == 1_000_000


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
        for _ in range(1100):
            os.makedirs("d/beside")
            Path("d/file").write_text(json.dumps({}))
            os.chdir("d")
    finally:
        os.chdir(home)

    remove_tree(tmp_path / "d")

    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX may be this long")
def test_what_a_link_far_down_leads_to_stays(tmp_path):
    deep = tmp_path / "outside" / "/".join("o" * 150)
    deep.mkdir(parents=True)
    below = tmp_path / "d" / "/".join("d" * 100)
    below.mkdir(parents=True)
    (below / "link").symlink_to(tmp_path / "outside")

    remove_tree(tmp_path / "d")

    assert os.listdir(tmp_path) == ["outside"]
    assert deep.is_dir()


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("unshare"), reason="needs a user who is not root")
def test_what_a_link_in_a_read_only_folder_leads_to_may_be_done_what_it_might_before(tmp_path):
    """As an ordinary user: root needs no permission."""
    (tmp_path / "d").mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "d/link").symlink_to(tmp_path / "file")
    (tmp_path / "d").chmod(0o500)
    program = (
        "import sys, pathlib; from azml_tasks.local.store.files import remove_tree as r; r(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "d")]

    subprocess.run(["unshare", "-U", *command] if os.getuid() == 0 else command, check=True)

    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_folder_is_merged_into_another_over_what_is_there(tmp_path):
    for name in ("from/both/new", "from/both/same", "from/kind", "to/both/old", "to/both/same", "to/kind/inside"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "from/link").symlink_to("nowhere")
    (tmp_path / "to/link").symlink_to("somewhere else")

    merge_tree(tmp_path / "from", tmp_path / "to")

    files = [path for path in (tmp_path / "to").rglob("*") if path.is_file()]
    assert {path.relative_to(tmp_path / "to").as_posix(): path.read_text() for path in files} == {
        "both/new": "from/both/new",
        "both/old": "to/both/old",
        "both/same": "from/both/same",
        "kind": "from/kind",
    }
    assert os.readlink(tmp_path / "to/link") == "nowhere"
