"""The contents of snapshots are kept as they were when they were hashed, and staged from there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from azml_tasks.local.store.objects import FileChangedError, ObjectStore
from azml_tasks.snapshot import Snapshot, build_snapshot

FILES = {
    "train.py": "import a",
    "a.py": "x = 1",
    "sql/deep/q.sql": "select 1",
    "sql/r.sql": "",
    "big.bin": "x" * 3_000_000,
}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    folder = tmp_path / "project"
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return build_snapshot(folder, ".", "train.py", ["sql/**", "big.bin"])


@pytest.fixture
def objects(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def under(folder: Path) -> dict[str, str]:
    """Return the content of every file in the folder by its path."""
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_each_content_is_kept_once_under_its_digest(tmp_path, objects, snapshot):
    objects.keep(snapshot)

    kept = {f"{digest[:2]}/{digest[2:]}": FILES[place] for place, digest in snapshot.hashes.items()}
    assert under(tmp_path / "objects") == kept
    before = {path: os.stat(path).st_ino for path in (tmp_path / "objects").rglob("*")}
    objects.keep(snapshot)
    assert {path: os.stat(path).st_ino for path in (tmp_path / "objects").rglob("*")} == before


def test_what_is_staged_is_what_was_kept_whatever_happened_since(tmp_path, objects, snapshot):
    objects.keep(snapshot)
    for path in snapshot.files.values():
        path.write_text("changed")

    objects.stage(snapshot, tmp_path / "runs/1/work")

    assert under(tmp_path / "runs/1/work") == FILES


def test_a_staged_file_may_be_changed_and_the_next_is_as_before(tmp_path, objects, snapshot):
    objects.keep(snapshot)
    objects.stage(snapshot, tmp_path / "first")
    (tmp_path / "first/a.py").write_text("changed")

    objects.stage(snapshot, tmp_path / "second")

    assert under(tmp_path / "second") == FILES


def test_contents_that_were_deleted_are_taken_from_the_project_again(tmp_path, objects, snapshot):
    objects.stage(snapshot, tmp_path / "work")

    assert under(tmp_path / "work") == FILES


@pytest.mark.parametrize("damage", ["", "x = 3", "x = 1\n"], ids=["emptied", "changed", "longer"])
def test_contents_that_are_damaged_are_taken_from_the_project_again_and_kept_again(tmp_path, objects, snapshot, damage):
    objects.keep(snapshot)
    kept = next(path for path in (tmp_path / "objects").rglob("*") if path.is_file() and path.read_text() == "x = 1")
    kept.write_text(damage)

    objects.stage(snapshot, tmp_path / "work")
    objects.keep(snapshot)

    assert under(tmp_path / "work") == FILES
    assert kept.read_text() == "x = 1"


def test_damaged_contents_of_a_file_that_has_changed_meanwhile_are_not_run(tmp_path, objects, snapshot):
    objects.keep(snapshot)
    for path in (tmp_path / "objects").rglob("*"):
        if path.is_file():
            path.write_text("")
    snapshot.files["a.py"].write_text("x = 2")

    with pytest.raises(FileChangedError) as caught:
        objects.stage(snapshot, tmp_path / "work")

    assert str(caught.value) == str(snapshot.files["a.py"])


@pytest.mark.parametrize(
    "act", [lambda objects, *rest: objects.keep(rest[0]), lambda objects, *rest: objects.stage(*rest)]
)
def test_a_file_that_changed_since_it_was_hashed_is_not_kept(tmp_path, objects, snapshot, act):
    path = snapshot.files["a.py"]
    path.write_text("x = 2")

    with pytest.raises(FileChangedError) as caught:
        act(objects, snapshot, tmp_path / "work")

    assert str(caught.value) == str(path)
    assert "x = 2" not in under(tmp_path / "objects").values()
    assert not any(name.endswith(".partial") for name in under(tmp_path / "objects"))


def test_a_file_that_is_gone_is_not_kept(objects, snapshot):
    snapshot.files["a.py"].unlink()

    with pytest.raises(FileNotFoundError) as caught:
        objects.keep(snapshot)
    assert caught.value.filename == str(snapshot.files["a.py"])


def test_contents_that_are_deleted_while_they_are_kept_stop_nothing(tmp_path, objects, snapshot, monkeypatch):
    def delete_first(partial: str, path: str) -> None:
        shutil.rmtree(tmp_path / "objects")
        rename(partial, path)

    rename = os.replace
    monkeypatch.setattr("azml_tasks.local.store.contents.os.replace", delete_first)

    objects.keep(snapshot)

    assert under(tmp_path / "objects") == {}
