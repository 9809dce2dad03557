"""What is recorded of the git repository of a project."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from azml_tasks.runs.code import CodeReading, read_code
from azml_tasks.runs.origin import Code


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--initial-branch=trunk")
    (tmp_path / "train.py").write_text("lr = 1\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "a é.py").write_text("a = 1\n", encoding="utf-8")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message=first")
    return tmp_path


def test_a_clean_repository_has_its_commit_and_branch(repository):
    commit = git(repository, "rev-parse", "HEAD")

    assert read_code(repository / "project") == Code(commit, "trunk")


def test_changes_are_named_and_hashed_by_their_content(repository):
    (repository / "train.py").write_text("lr = 2\n")
    (repository / "project" / "a é.py").rename(repository / "project" / "b.py")
    git(repository, "add", "--all", "project")
    (repository / "new.py").write_text("x\n")

    first = read_code(repository)
    again = read_code(repository)
    (repository / "new.py").write_text("y\n")
    other_content = read_code(repository)
    (repository / "new.py").write_text("x\n")
    (repository / "train.py").write_text("lr = 3\n")
    other_change = read_code(repository)

    assert first.changed == ("new.py", "project/b.py", "train.py")
    assert (first, first.count) == (again, 3)
    assert len({one.dirty for one in (first, other_content, other_change)}) == 3


def test_new_files_that_hold_secrets_are_named_and_not_read(repository):
    (repository / ".env").write_text("TOKEN=one\n")
    first = read_code(repository)
    (repository / ".env").write_text("TOKEN=two\n")

    assert first == read_code(repository)
    assert first.changed == (".env",)


def test_a_repository_without_a_commit_has_none(tmp_path):
    git(tmp_path, "init", "--initial-branch=trunk")
    (tmp_path / "a.py").write_text("a")

    code = read_code(tmp_path)

    assert (code.commit, code.branch, code.changed) == ("", "trunk", ("a.py",))


def test_a_detached_head_has_no_branch(repository):
    git(repository, "checkout", "--detach")

    assert read_code(repository).branch == ""


def test_reading_writes_nothing_to_the_repository(repository):
    (repository / "train.py").touch()
    before = (repository / ".git" / "index").read_bytes()

    read_code(repository)

    assert (repository / ".git" / "index").read_bytes() == before


def test_without_a_repository_or_git_there_is_no_code(tmp_path, repository, monkeypatch):
    outside = tmp_path.parent / "outside"
    outside.mkdir(exist_ok=True)
    assert CodeReading(outside).result(10) is None

    monkeypatch.setenv("PATH", str(outside))
    assert CodeReading(repository).result(10) is None


def test_reading_that_takes_too_long_is_given_up(repository, monkeypatch):
    slow = repository / "bin"
    slow.mkdir()
    (slow / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (slow / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow}:/usr/bin:/bin")

    reading = CodeReading(repository)

    assert reading.result(0.2) is None
    assert not reading._thread.is_alive()
