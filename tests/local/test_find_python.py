"""Which Python `register-env` uses for a version: one on PATH that starts, else the newest of a version manager."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from azml_tasks.local.environments import find_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the interpreters of this test are shell scripts")


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that contains all Pythons of this machine: on PATH, of pyenv and of uv."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "uv"))
    return tmp_path


def write_python(machine: Path, path: str, version: str = "", implementation: str = "cpython") -> str:
    """Write an interpreter that answers what it is; without a version, it fails as a version manager's shim does."""
    file = machine / path
    file.parent.mkdir(parents=True)
    answers = {"--version": version, "*python_version*": version, "*implementation*": implementation, "*GIL*": "0"}
    cases = "".join(f'  {pattern}) echo "{answer}" ;;\n' for pattern, answer in answers.items())
    file.write_text(f'#!/bin/sh\nfor last; do :; done\ncase "$last" in\n{cases}  *) echo 64bit ;;\nesac\n')
    if not version:
        file.write_text("#!/bin/sh\nexit 127\n")
    file.chmod(0o755)
    return str(file)


def test_one_on_path_comes_first(machine):
    write_python(machine, "pyenv/versions/3.98.7/bin/python3.98", "3.98.7")
    found = write_python(machine, "shims/python3.98", "3.98.1")

    assert find_python("3.98") == found


@pytest.mark.parametrize(
    "path", ["pyenv/versions/3.98.1/bin/python3.98", "uv/cpython-3.98.1-linux-x86_64-gnu/bin/python3"]
)
def test_one_of_a_version_manager_is_found_behind_a_shim_that_fails(machine, path):
    write_python(machine, "shims/python3.98")
    found = write_python(machine, path, "3.98.1")

    assert (find_python("3.98"), find_python("3.97")) == (found, None)


def test_the_newest_release_of_cpython_is_chosen(machine):
    write_python(machine, "pyenv/versions/3.98.9/bin/python3.98", "3.98.9")
    found = write_python(machine, "pyenv/versions/3.98.10/bin/python3.98", "3.98.10")
    write_python(machine, "pyenv/versions/3.98.11rc1/bin/python3.98", "3.98.11rc1")
    write_python(machine, "pyenv/versions/pypy3.98/bin/python3.98", "3.98.12", "pypy")
    write_python(machine, "pyenv/versions/broken/bin/python3.98")

    assert find_python("3.98") == found
