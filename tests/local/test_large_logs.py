"""A log may be of any size: the runner never holds more than a piece of it, and neither does who looks at it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.local.conftest import Project, linux

MEGABYTE = 1 << 20
# How much more memory (bytes) a command may take than where logs are small.
ALLOWED = 20 * MEGABYTE
# `invoke`, which writes its highest use of memory into the file that its first argument names.
MEASURED = """
import atexit, sys
from invoke import Program
from azml_tasks.tasks import namespace

def note():
    with open("/proc/self/status") as status, open(sys.argv[1], "w") as file:
        file.write(next(line.split()[1] for line in status if line.startswith("VmHWM:")))

atexit.register(note)
Program(namespace=namespace).run(["invoke", *sys.argv[2:]])
"""
PRINTS = """
import os, sys
line, times = {line}, {times}
for _ in range(times):
    os.write(1, line)
print("last words")
raise SystemExit({status})
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed, how it ended, and the most memory (bytes) that it used."""

    out: Path
    err: str
    status: int
    memory: int


def invoke(project: Project, *words: str) -> Answer:
    aside = project.folder.parent
    command = [sys.executable, "-c", MEASURED, str(aside / "memory"), *words]
    with (aside / "out").open("wb") as out:
        done = subprocess.run(command, cwd=project.folder, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    return Answer(aside / "out", done.stderr, done.returncode, int((aside / "memory").read_text()) * 1024)


def end_of(file: Path, size: int) -> str:
    with file.open("rb") as opened:
        opened.seek(-size, os.SEEK_END)
        return opened.read().decode()


@pytest.fixture
def cleared(project: Project) -> Iterator[Project]:
    """A project whose large files are gone in the end."""
    yield project
    shutil.rmtree(project.folder / ".azml")
    (project.folder.parent / "out").unlink()


@linux
@pytest.mark.thorough
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("b'x' * 1023 + b'\\n'", f"  {'x' * 500} ... {'x' * 500}\n" * 9 + "  last words\n"),
        ("b'x' * 1024", f"  {'x' * 500} ... {'x' * 490}last words\n"),
    ],
    ids=["lines", "one line"],
)
def test_a_large_log_costs_time_and_disk_and_no_memory(cleared, slow, line, shown):
    times = (1024 if slow else 120) * MEGABYTE // 1024
    commands = ("run", "runs.show", "runs.logs", "runs.list")
    cleared.line(one=PRINTS.format(line=line, times=1, status=0), two=PRINTS.format(line=line, times=1, status=1))
    usual = {command: invoke(cleared, command).memory for command in commands}
    cleared.line(
        one=PRINTS.format(line=line, times=times, status=0), two=PRINTS.format(line=line, times=times, status=1)
    )

    answers = {}
    for command in commands:
        answers[command] = invoke(cleared, command)
        if command == "runs.logs":
            assert answers[command].out.stat().st_size > 2 * times * 1024
            assert end_of(answers[command].out, 11) == "last words\n"

    assert {command: answer.status for command, answer in answers.items()} == {
        "run": 1,
        "runs.show": 0,
        "runs.logs": 0,
        "runs.list": 0,
    }
    assert answers["run"].err.startswith(f"step 'two' failed: exit status 1\n{shown}log: .azml/runs/")
    for command, answer in answers.items():
        assert answer.memory - usual[command] < ALLOWED, command


def test_a_large_log_goes_to_the_disk(project, way):
    run = project.line(a="import os\nline = b'x' * 999 + b'\\n'\nfor _ in range(20_000): os.write(1, line)").run(**way)

    assert run["a"].places.log.stat().st_size == 20_000_000


@pytest.mark.thorough
@linux
def test_a_log_that_is_no_text_is_shown_as_far_as_it_is_one(project):
    script = "import os\nos.write(1, b'caf\\xc3\\xa9 \\xff\\xfe\\x00 end\\n')\nraise SystemExit(3)"
    project.line(a=script)

    run, logs = invoke(project, "run"), invoke(project, "runs.logs", "--step", "a")

    assert run.err.startswith("step 'a' failed: exit status 3\n  café \ufffd\ufffd\\x00 end\n")
    assert (logs.status, logs.out.read_text()) == (0, "café \ufffd\ufffd\x00 end\n")


@pytest.mark.thorough
@linux
@pytest.mark.parametrize(("encoding", "shown"), [("ascii", b"caf? ??\n"), ("latin-1", b"caf\xe9 ??\n")])
def test_a_log_is_shown_where_not_every_character_can_be(project, monkeypatch, encoding, shown):
    project.line(a="import os\nos.write(1, b'caf\\xc3\\xa9 \\xff\\xe2\\x82\\xac\\n')")
    project.run()
    monkeypatch.setenv("PYTHONIOENCODING", encoding)

    logs = invoke(project, "runs.logs", "--step", "a")

    assert (logs.status, logs.err, logs.out.read_bytes()) == (0, "", shown)
