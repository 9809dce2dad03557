"""A digest says what a file or folder holds, whatever its times; what is known is not read again."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys

import pytest

from azml_tasks.local.store.contents import HashCache, Seen
from azml_tasks.local.store.files import FileSystem, remove_tree


@pytest.fixture
def contents(tmp_path) -> HashCache:
    return HashCache(tmp_path / ".azml/hashes.json")


def test_a_file_has_the_digest_of_its_bytes(tmp_path, contents):
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)

    assert contents.digest(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "a.csv").write_text("2"),
        lambda root: (root / "a.csv").rename(root / "b.csv"),
        lambda root: (root / "deep/inner/c.csv").unlink(),
        lambda root: (root / "deep/inner/c.csv").rename(root / "deep/c.csv"),
        lambda root: (root / "new").write_text(""),
        lambda root: (root / "empty").rmdir(),
        lambda root: (root / "new").mkdir(),
        lambda root: (root / "link").unlink(),
        lambda root: (root / "broken").unlink() or (root / "broken").symlink_to("elsewhere"),
        lambda root: (root / "target").write_text("changed"),
    ],
)
def test_every_change_of_a_folder_changes_its_digest_and_changing_back_brings_it_back(tmp_path, contents, change):
    def fill():
        root = tmp_path / "root"
        (root / "deep/inner").mkdir(parents=True)
        (root / "empty").mkdir()
        for name in ("a.csv", "deep/inner/c.csv", "target"):
            (root / name).write_text("1")
        (root / "link").symlink_to("target")
        (root / "broken").symlink_to("nowhere")
        return root

    root = fill()
    before = contents.digest(root)
    change(root)
    assert contents.digest(root) != before

    root.rename(tmp_path / "old")
    assert contents.digest(fill()) == before


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_the_digest_of_a_folder_is_over_a_line_for_each_thing_in_it(tmp_path, contents):
    root = tmp_path / "root"
    (root / "deep/inner").mkdir(parents=True)
    (root / "empty").mkdir()
    for name in ("b.csv", "a.csv", "deep/inner/c.csv"):
        (root / name).write_text(name)
    (root / "link").symlink_to("a.csv")
    (root / "broken").symlink_to("nowhere")
    (root / "empty/up").symlink_to("..")

    lines = [
        f"a.csv\0{sha256(b'a.csv')}",
        f"b.csv\0{sha256(b'b.csv')}",
        "broken\0link to nowhere",
        f"link\0{sha256(b'a.csv')}",
        f"empty/up/a.csv\0{sha256(b'a.csv')}",
        f"empty/up/b.csv\0{sha256(b'b.csv')}",
        "empty/up/broken\0link to nowhere",
        "empty/up/empty\0loop",
        f"empty/up/link\0{sha256(b'a.csv')}",
        f"empty/up/deep/inner/c.csv\0{sha256(b'deep/inner/c.csv')}",
        f"deep/inner/c.csv\0{sha256(b'deep/inner/c.csv')}",
    ]
    assert contents.digest(root) == sha256("".join(f"{line}\n" for line in lines).encode())


def test_an_empty_folder_counts(tmp_path, contents):
    (tmp_path / "a/b").mkdir(parents=True)

    assert contents.digest(tmp_path / "a") == sha256(b"b/\0empty\n")
    assert contents.digest(tmp_path / "a/b") == sha256(b"\0empty\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is Unicode")
def test_a_name_that_is_not_unicode_is_a_name_like_any_other(tmp_path, contents):
    (tmp_path / "a").mkdir()
    with open(os.fsencode(tmp_path) + b"/a/\xff.csv", "w") as file:
        file.write("1")

    expected = sha256(b"\xff.csv\0" + sha256(b"1").encode() + b"\n")
    assert contents.digest(tmp_path / "a") == expected
    assert contents.digest_pattern(tmp_path / "a", "*.csv") == expected


def test_links_that_lead_in_a_circle_come_to_an_end(tmp_path, contents):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/self").symlink_to("self")

    assert len(contents.digest(tmp_path / "a")) == 64


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_a_pipe_is_not_waited_for(tmp_path, contents):
    (tmp_path / "a").mkdir()
    os.mkfifo(tmp_path / "a/pipe")

    assert contents.digest(tmp_path / "a") == sha256(f"pipe\0{stat.S_IFIFO}\n".encode())
    with pytest.raises(OSError, match="not a file"):
        contents.digest(tmp_path / "a/pipe")


@pytest.mark.skipif(sys.platform == "win32", reason="paths of POSIX may be this long")
def test_a_tree_deeper_than_python_recurses(tmp_path, contents):
    home = os.getcwd()
    os.chdir(tmp_path)
    try:
        for _ in range(1100):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(home)

    assert len(contents.digest(tmp_path / "d")) == 64

    remove_tree(tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_a_settled_file_is_read_once_however_often_it_is_asked_for(tmp_path):
    known = tmp_path / "hashes.json"
    (tmp_path / "a").write_text("1")
    status = os.stat(tmp_path / "a")
    # As if it had been hashed long ago, with a digest that its content does not have.
    system = FileSystem.of(str(tmp_path), status.st_dev).identity
    signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, 0]
    saved = {"version": 2, "systems": [system], "files": {str(tmp_path / "a"): [*signature, "known"]}}
    known.write_text(json.dumps(saved))

    assert HashCache(known).digest(tmp_path / "a") == "known"
    for place in range(5):
        other = [value + (place == n) for n, value in enumerate(signature)]
        known.write_text(json.dumps({**saved, "files": {str(tmp_path / "a"): [*other, "known"]}}))
        assert HashCache(known).digest(tmp_path / "a") == hashlib.sha256(b"1").hexdigest()


def test_a_file_that_has_just_changed_is_not_remembered(tmp_path, contents):
    (tmp_path / "new").write_text("1")
    contents.digest(tmp_path / "new")
    contents.save()

    assert not (tmp_path / ".azml/hashes.json").exists()


def test_what_was_hashed_is_remembered_for_the_next_run(tmp_path):
    # A file of this interpreter has not changed in the last seconds.
    path = os.__file__
    first = HashCache(tmp_path / "hashes.json")
    digest = first.digest(path)
    first.save()

    status = os.stat(path)
    signature = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, 0]
    assert json.loads((tmp_path / "hashes.json").read_text()) == {
        "version": 2,
        "systems": [FileSystem.of(path, status.st_dev).identity],
        "files": {path: [*signature, digest]},
    }
    assert HashCache(tmp_path / "hashes.json").digest(path) == digest


@pytest.mark.parametrize("files", [["a"], {"a": 1}, {"a": [1, 2, 3, 4, 0]}, {"a": [1, 2, 3, 4, 0, "digest", 6]}])
def test_what_is_remembered_in_another_shape_is_not_used(tmp_path, files):
    (tmp_path / "hashes.json").write_text(json.dumps({"version": 2, "systems": ["x"], "files": files}))
    (tmp_path / "a").write_text("x")
    assert HashCache(tmp_path / "hashes.json").digest(tmp_path / "a") == HashCache(tmp_path / "none").digest(
        tmp_path / "a"
    )


def test_what_is_known_is_written_once(tmp_path):
    contents = HashCache(tmp_path / "hashes.json")
    contents.digest(os.__file__)
    contents.save()
    (tmp_path / "hashes.json").unlink()

    contents.save()
    HashCache(tmp_path / "hashes.json").save()

    assert not (tmp_path / "hashes.json").exists()


@pytest.mark.many
def test_of_very_many_known_files_those_that_are_gone_are_forgotten(tmp_path):
    known = tmp_path / "hashes.json"
    gone = {str(tmp_path / f"gone-{number}"): [1, 1, 1, 1, "known"] for number in range(20_001)}
    known.write_text(json.dumps({"version": 1, "files": gone}))
    contents = HashCache(known)
    contents.digest(os.__file__)

    contents.save()

    assert list(json.loads(known.read_text())["files"]) == [os.__file__]


def test_a_pattern_counts_names_and_contents_of_what_it_finds(tmp_path, contents):
    for name in ("1.csv", "2.csv", "notes.txt"):
        (tmp_path / name).write_text(name)
    before = contents.digest_pattern(tmp_path, "*.csv")

    (tmp_path / "notes.txt").write_text("changed")
    contents.look_again()
    assert contents.digest_pattern(tmp_path, "*.csv") == before
    (tmp_path / "2.csv").rename(tmp_path / "3.csv")
    contents.look_again()
    lines = f"1.csv\0{sha256(b'1.csv')}\n3.csv\0{sha256(b'2.csv')}\n"
    assert contents.digest_pattern(tmp_path, "*.csv") == sha256(lines.encode()) != before
    assert contents.digest_pattern(tmp_path, "*.parquet") is None
    assert contents.digest_pattern(tmp_path, "1.csv") == contents.digest(tmp_path / "1.csv")
    (tmp_path / "odd[1]").write_text("x")
    assert contents.digest_pattern(tmp_path, "odd[1]") == contents.digest(tmp_path / "odd[1]")


def test_a_pattern_reaches_into_folders_with_two_stars_and_counts_files_alone(tmp_path, contents):
    for name in ("a/b/1.csv", "a/2.csv", "3.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "folder.csv").mkdir()

    names = ("3.csv", "a/2.csv", "a/b/1.csv")
    assert contents.digest_pattern(tmp_path, "**/*.csv") == sha256(
        "".join(f"{name}\0{sha256(b'x')}\n" for name in names).encode()
    )
    assert contents.digest_pattern(tmp_path, "folder.*") is None


@pytest.mark.parametrize(
    ("change", "fate"),
    [
        (lambda root: None, ""),
        (lambda root: (root / "a.csv").write_text("other"), "changed"),
        (lambda root: os.utime(root / "deep/b.csv"), "changed"),
        (lambda root: (root / "new").replace(root / "a.csv"), "deleted"),
        (lambda root: (root / "more").write_text(""), ""),
        (lambda root: (root / "deep/empty/more").write_text(""), ""),
        (lambda root: (root / "deep/b.csv").unlink(), "deleted"),
        (lambda root: (root / "broken").unlink(), "deleted"),
        (lambda root: (root / "deep/empty").rmdir(), "deleted"),
        (remove_tree, "deleted"),
    ],
)
def test_what_became_of_a_folder_since_its_digest_was_taken(tmp_path, contents, change, fate):
    root, other = tmp_path / "root", tmp_path / "other"
    (root / "deep/empty").mkdir(parents=True)
    other.mkdir()
    for name in ("a.csv", "deep/b.csv", "new"):
        (root / name).write_text("1")
    (root / "broken").symlink_to("nowhere")
    assert contents.digest_and_remember(root) == contents.digest(root)
    assert contents.digest_and_remember(other) == contents.digest(other)

    change(root)

    assert (contents.changed_since(root), contents.changed_since(other)) == (fate, "")


def test_an_empty_folder_a_file_and_a_path_of_which_nothing_is_remembered_are_deleted_when_they_are_gone(
    tmp_path, contents
):
    folder, file, unknown = (tmp_path / name for name in ("folder", "file", "unknown"))
    folder.mkdir()
    file.write_text("1")
    unknown.write_text("2")
    assert contents.digest_and_remember(folder) == sha256(b"\0empty\n")
    assert contents.digest_and_remember(file) == sha256(b"1")
    with pytest.raises(FileNotFoundError):
        contents.digest_and_remember(tmp_path / "gone")

    assert [contents.changed_since(path) for path in (folder, file, unknown)] == ["", "", ""]
    assert contents.changed_since(tmp_path / "gone") == "deleted"
    folder.rmdir()
    file.unlink()
    unknown.unlink()
    assert [contents.changed_since(path) for path in (folder, file, unknown)] == ["deleted"] * 3


@pytest.mark.parametrize(
    ("change", "changes", "is_as_seen"),
    [
        (lambda root: None, [], True),
        (lambda root: (root / "a").write_text("1"), [], False),
        (lambda root: os.utime(root / "a", (1, 1)), [], False),
        (lambda root: (root / "a").write_text("2"), [("a", "changed")], False),
        (lambda root: (root / "a").unlink(), [("a", "deleted")], False),
        (lambda root: (root / "deep/b").unlink(), [("deep/b", "deleted")], False),
        (lambda root: (root / "empty/new").write_text("1"), [("empty/new", "added")], False),
        (lambda root: (root / "empty").rmdir(), [("empty", "deleted")], False),
        (lambda root: (root / "made").mkdir(), [("made", "added")], False),
        (shutil.rmtree, [("a", "deleted"), ("deep/b", "deleted"), ("empty", "deleted")], False),
    ],
)
def test_what_changed_in_a_folder_since_it_was_seen(tmp_path, contents, change, changes, is_as_seen):
    root = tmp_path / "root"
    for name in ("deep", "empty"):
        (root / name).mkdir(parents=True)
    for name in ("a", "deep/b"):
        (root / name).write_text("1")
    seen: Seen = {}
    contents.digest_pattern(tmp_path, "root", seen)

    change(root)

    found = contents.changes_since(seen, tmp_path, "root")
    assert [(os.path.relpath(item.path, root), item.kind) for item in found] == changes
    assert contents.is_as_seen(seen, tmp_path, "root") == is_as_seen


def test_what_changed_of_what_a_pattern_finds_since_it_was_seen(tmp_path, contents):
    for name in ("a.csv", "b.csv", "c.txt"):
        (tmp_path / name).write_text("1")
    seen: Seen = {}
    contents.digest_pattern(tmp_path, "*.csv", seen)
    assert contents.is_as_seen(seen, tmp_path, "*.csv")

    for name in ("a.csv", "c.txt", "d.csv"):
        (tmp_path / name).write_text("2")
    (tmp_path / "b.csv").unlink()

    found = [(os.path.basename(item.path), item.kind) for item in contents.changes_since(seen, tmp_path, "*.csv")]
    assert found == [("a.csv", "changed"), ("b.csv", "deleted"), ("d.csv", "added")]


def test_the_folder_of_the_runs_is_no_part_of_a_folder_that_holds_it(tmp_path):
    (tmp_path / "a").write_text("1")
    contents = HashCache(tmp_path / ".azml/hashes.json")
    before = contents.digest(tmp_path)

    (tmp_path / ".azml").mkdir()
    (tmp_path / ".azml/x").write_text("1")

    assert contents.digest(tmp_path) == before
