"""The kernel makes a step's inputs read-only for all its processes, by mounts or by Landlock."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.conftest import linux

pytestmark = linux
if sys.platform == "linux":
    from azml_tasks.local.forkserver import azml_kernel

HARM = {
    "echo x >> data/imgs/1.jpg": "write",
    "truncate -s 0 data/imgs/1.jpg": "truncate",
    "rm -rf data/imgs": "remove",
    "mv data/imgs data/other": "rename",
    "mv data other": "rename a folder above",
    "touch data/imgs/new": "make",
    "ln -s x data/imgs/new": "make a link",
    "mkfifo data/imgs/new": "make a pipe",
    "ln data/imgs/1.jpg out/linked": "link out",
    "mv data/imgs/1.jpg out/moved": "move out",
    "cp out/file data/imgs/1.jpg": "copy over",
}
MARKS = {"chmod 600 data/imgs/1.jpg": "chmod", "touch data/imgs/1.jpg": "utime"}
HARMLESS = {
    "cat data/imgs/1.jpg": "read",
    "echo x >> data/beside": "write beside",
    "cp data/imgs/1.jpg out/copied && rm out/copied": "copy out",
    "mv out/file out/file2 && mv out/file2 deep/er/file && mv deep/er/file out/file": "move elsewhere",
    "cd /tmp && f=$(mktemp) && rm $f": "temporary",
}
ABOVE = {
    "echo x > data/new && rm data/new": "make a file in a folder above",
    "mkdir made && rmdir made": "make a folder in the project",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a pröject"
    for name in ("data/imgs", "out", "deep/er"):
        (folder / name).mkdir(parents=True)
    for name in ("data/imgs/1.jpg", "data/beside", "out/file"):
        (folder / name).write_text("1")
    return folder


def lists(project: Path) -> dict[str, list[str]]:
    data = project / "data"
    return {
        "read_only": [str(data / "imgs")],
        "linked": [],
        "writable": [str(project / "out")],
        "in_place": [str(data)],
    }


def succeeded(way, paths: dict[str, list[str]], folder: Path, commands: dict[str, str]) -> list[str]:
    """Return what of these commands can be done in a process that the kernel guards; skips where it cannot."""
    if not azml_kernel._works(way, paths):
        pytest.skip("this kernel, or what is around this process, does not allow it")
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            way(paths)
            for command, name in commands.items():
                done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, check=False)
                if not done.returncode:
                    os.write(write, f"{name}\n".encode())
            os.write(write, b"end\n")
        os._exit(0)
    os.close(write)
    os.waitpid(pid, 0)
    with open(read) as file:
        *found, end = file.read().splitlines()
    assert end == "end"
    return found


def test_with_mounts_an_input_cannot_be_changed_and_everything_else_can(project):
    commands = {**HARM, **MARKS, **HARMLESS, **ABOVE}

    found = succeeded(azml_kernel.by_mounts, lists(project), project, commands)

    assert found == [*HARMLESS.values(), *ABOVE.values()]
    assert (project / "data/imgs/1.jpg").read_text() == "1"
    # Not for anybody else.
    (project / "data/imgs/2.jpg").write_text("2")


def test_a_folder_in_what_is_read_only_can_be_writable_and_one_in_that_read_only_again(project):
    paths = {
        "read_only": [str(project), str(project / "deep/er")],
        "linked": [],
        "writable": [str(project / "deep")],
        "in_place": [],
    }
    commands = {"touch deep/x": "deep", "touch deep/er/x": "deeper", "touch data/x": "data", "touch x": "project"}

    assert succeeded(azml_kernel.by_mounts, paths, project, commands) == ["deep"]


def test_with_landlock_an_input_cannot_be_changed_and_nothing_be_made_directly_in_the_folders_above(
    project, monkeypatch
):
    # The test's own folder lies below /tmp, in which programs make their files.
    monkeypatch.setattr(azml_kernel, "_busy_folders", list)
    commands = {**HARM, **HARMLESS, **ABOVE}
    del commands["cd /tmp && f=$(mktemp) && rm $f"]

    found = succeeded(azml_kernel.by_landlock, lists(project), project, commands)

    assert found == ["read", "write beside", "copy out", "move elsewhere"]
    assert (project / "data/imgs/1.jpg").read_text() == "1"


def test_landlock_is_left_alone_where_programs_make_files_in_a_folder_above_an_input(project, monkeypatch):
    monkeypatch.setattr(azml_kernel, "_busy_folders", lambda: [str(project)])

    assert not azml_kernel._works(azml_kernel.by_landlock, lists(project))


@pytest.mark.parametrize(
    ("asked", "works", "way"),
    [
        ("", ("by_mounts", "by_landlock"), "by_mounts"),
        ("", ("by_landlock",), "by_landlock"),
        ("", (), None),
        ("landlock", ("by_mounts", "by_landlock"), "by_landlock"),
        ("mounts", ("by_landlock",), None),
        ("python", ("by_mounts", "by_landlock"), None),
    ],
)
def test_the_best_way_that_works_is_taken_unless_another_is_asked_for(monkeypatch, asked, works, way):
    monkeypatch.setenv("AZML_LOCAL_GUARD", asked)
    monkeypatch.setattr(azml_kernel, "_works", lambda way, paths: way.__name__ in works)

    found = azml_kernel.best_way({})

    assert (found and found.__name__) == way
