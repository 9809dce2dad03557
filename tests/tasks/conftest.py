"""Run the tasks in this process, as a project's tasks.py offers them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest
from invoke import Program

from azml_tasks.tasks import namespace


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit status."""

    out: str
    err: str
    status: int


@dataclass(frozen=True)
class Invoke:
    """The command line in a folder; its scripts are stubs that copy their input folder to their output folder."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def __call__(self, *words: str) -> Answer:
        program = Program(namespace=namespace)
        status = 0
        try:
            program.run(["invoke", *words], exit=True)
        except SystemExit as ending:
            status = int(ending.code or 0)
        out, err = self.capture.readouterr()
        return Answer(out, err, status)

    def write(self, path: str, text: str) -> Path:
        """Write a file of the project, and the folders above it."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
        return file


@pytest.fixture
def invoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Return the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CI", "1")  # plain lines, whatever runs the tests
    monkeypatch.delenv("INVOKE_AZML_TARGET", raising=False)
    return Invoke(tmp_path, capsys)
