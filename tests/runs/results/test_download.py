"""Files of runs are written below one folder, and never over others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from azml_tasks.errors import UsageError
from azml_tasks.runs.results.download import Counts, Download, StoredFile, without_folders


def stored(name: str, content: bytes = b"abc", step: str = "train") -> StoredFile:
    return StoredFile(step, name, lambda target: Path(target).write_bytes(content) and None)


def everything_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_are_written_by_step_and_equal_ones_are_left_alone(tmp_path):
    files = [stored("outputs/model.pkl"), stored("a.png", b"x"), stored("own.txt", step="")]
    first, second = Download(tmp_path / "to"), Download(tmp_path / "to")
    for file in files:
        first.put(file)
    before = (tmp_path / "to/train/a.png").stat().st_ino
    for file in files:
        second.put(file)

    assert everything_in(tmp_path / "to") == {
        "train/outputs/model.pkl": b"abc",
        "train/a.png": b"x",
        "own.txt": b"abc",
    }
    assert (first.written, first.same) == ({"train": Counts(2, 4), "": Counts(1, 3)}, 0)
    assert (second.written, second.same, second.kept) == ({}, 3, [])
    assert (tmp_path / "to/train/a.png").stat().st_ino == before


def test_a_file_with_another_content_or_a_folder_in_its_place_stays(tmp_path):
    (tmp_path / "train/folder").mkdir(parents=True)
    (tmp_path / "train/a.txt").write_bytes(b"mine")
    done = Download(tmp_path)

    for name in ("a.txt", "folder", "a.txt/below", "a.txt/far/below", "b.txt"):
        done.put(stored(name))

    assert done.kept == ["train/a.txt", "train/folder", "train/a.txt/below", "train/a.txt/far/below"]
    assert everything_in(tmp_path) == {"train/a.txt": b"mine", "train/b.txt": b"abc"}


@pytest.mark.parametrize(
    ("step", "name"),
    [
        ("train", "../../out.txt"),
        ("train", "outputs/../../../out.txt"),
        ("train", "..\\..\\out.txt"),
        ("train", "/etc/out.txt"),
        ("train", "a//b.txt"),
        ("train", ""),
        ("train", "a\0b"),
        ("..", "out.txt"),
        ("", "../out.txt"),
    ],
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, step, name):
    done = Download(tmp_path / "to")

    done.put(stored(name, step=step))

    assert (len(done.refused), done.written) == (1, {})
    assert everything_in(tmp_path) == {}


@pytest.mark.parametrize("name", ["x" * 300, f"{'x' * 300}/a.txt"])
def test_a_name_that_is_too_long_does_not_end_the_download(tmp_path, name):
    done = Download(tmp_path / "to")
    for one in (name, "b.txt"):
        done.put(stored(one))

    assert (done.refused, done.written) == ([f"train/{name}"], {"train": Counts(1, 3)})
    assert everything_in(tmp_path / "to") == {"train/b.txt": b"abc"}


def test_a_blob_for_a_folder_is_no_file():
    assert without_folders(["out/b", "out", "out/b/c.txt", "out.txt", "out/d/", "e"]) == ["e", "out.txt", "out/b/c.txt"]


def test_a_label_of_a_step_is_one_folder(tmp_path):
    Download(tmp_path).put(stored("a.txt", step="../b/c: d"))

    assert everything_in(tmp_path) == {".._b_c_ d/a.txt": b"abc"}


@pytest.mark.skipif(os.name == "nt", reason="needs a right to make links")
def test_a_link_in_the_folder_is_not_followed_out_of_it(tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to/train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "to/own.txt").symlink_to(tmp_path / "elsewhere/own.txt")
    done = Download(tmp_path / "to")

    done.put(stored("a.txt"))
    done.put(stored("own.txt", step=""))

    assert done.refused == ["train/a.txt", "own.txt"]
    assert everything_in(tmp_path / "elsewhere") == {}


def test_a_folder_that_cannot_be_written_to_is_a_sentence_and_leaves_no_part(tmp_path):
    (tmp_path / "to").write_text("a file")

    with pytest.raises(UsageError, match=r"^cannot write .*a\.txt: "):
        Download(tmp_path / "to").put(stored("a.txt"))


def test_a_download_that_breaks_off_leaves_no_part_of_a_file(tmp_path):
    def breaks(target: Path) -> None:
        target.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Download(tmp_path).put(StoredFile("train", "a.txt", breaks))

    assert everything_in(tmp_path) == {}
