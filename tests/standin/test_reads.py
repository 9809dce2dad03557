"""What the recorder notes of a process of a step, in any Python that the tests run on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import azml_tasks

STANDIN = Path(azml_tasks.__file__).parent / "standin"


class Recording:
    """A step's folder, and a folder beside it with the files x.txt and sub/y.txt."""

    def __init__(self, folder: Path) -> None:
        self.beside = folder / "beside"
        (self.beside / "sub").mkdir(parents=True)
        (self.beside / "x.txt").write_text("1")
        (self.beside / "sub/y.txt").write_text("1")
        self.step = folder / "step"
        (self.step / "work").mkdir(parents=True)

    def run(self, code: str, **variables: str) -> list[list[Any]]:
        """Run code in a process of the step; return the lines that all processes recorded."""
        (self.step / "work/script.py").write_text(textwrap.dedent(code))
        environment = {
            **os.environ,
            "PYTHONPATH": str(STANDIN),
            "AZML_RUN_CONTEXT": str(self.step / "context.json"),
            "BESIDE": str(self.beside),
            **variables,
        }
        command = [sys.executable, "script.py"]
        done = subprocess.run(
            command, check=False, cwd=self.step / "work", env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        files = sorted(self.step.glob("reads-*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]

    def paths(self, lines: list[list[Any]], *kinds: str) -> set[str]:
        """Return the paths below `beside` in the lines of these kinds, from there on."""
        prefix = str(self.beside) + os.sep
        return {line[1][len(prefix) :] for line in lines if line[0] in kinds and str(line[1]).startswith(prefix)}


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return Recording(tmp_path)


START = "import os, sys\nfrom pathlib import Path\nB = os.environ['BESIDE']\n"


def test_what_is_opened_listed_and_looked_at_is_noted_with_how_it_looked(recording):
    lines = recording.run(START + "open(B + '/x.txt').read()\nos.listdir(B + '/sub')\nos.path.exists(B + '/none')")

    status = (recording.beside / "x.txt").stat()
    look = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
    assert ["file", str(recording.beside / "x.txt"), look] in lines
    assert recording.paths(lines, "list") == {"sub"}
    assert ["stat", str(recording.beside / "none"), 0, True, None] in lines
    assert lines[-1] == ["end"]


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("os.path.exists(B + '/x.txt')", 0),
        ("Path(B, 'x.txt').exists()", 0),
        ("Path(B, 'x.txt').is_file()", 0),
        ("os.path.getsize(B + '/x.txt')", 1),
        ("os.stat(B + '/x.txt')", 1),
        ("Path(B, 'x.txt').stat()", 1),
        ("os.stat('x.txt', dir_fd=os.open(B, os.O_RDONLY))", 1),
        ("os.fstat(os.open(B + '/x.txt', os.O_RDONLY))", 1),
        ("os.path.getmtime(B + '/x.txt')", 2),
        ("os.stat(B + '/x.txt').st_mtime", 2),
        ("Path(B, 'x.txt').stat().st_mtime_ns", 2),
    ],
)
def test_how_much_of_a_file_s_status_counts(recording, code, level):
    lines = recording.run(START + code)

    found = [line for line in lines if line[0] == "stat" and line[1] == str(recording.beside / "x.txt")]
    assert [line[2] for line in found] == [level]


def test_what_the_script_made_itself_is_not_read(recording):
    lines = recording.run(
        START
        + """
import shutil, tempfile
open(B + '/new', 'w').close(); open(B + '/new').read()
os.mkdir(B + '/folder'); Path(B, 'folder/z').write_text('1'); Path(B, 'folder/z').read_text(); os.listdir(B + '/folder')
with tempfile.TemporaryDirectory(dir=B) as folder:
    Path(folder, 'q').write_text('1'); Path(folder, 'q').read_text()
open(B + '/x.txt', 'a').close(); open(B + '/x.txt').read()
os.rename(B + '/new', B + '/moved'); open(B + '/moved').read()
"""
    )

    assert recording.paths(lines, "file", "list") == {"x.txt"}
    assert recording.paths(lines, "touched") >= {"x.txt", "new"}


def test_variables_that_it_reads_are_noted_by_name_and_never_by_value(recording):
    lines = recording.run(
        START
        + """
os.environ['OWN'] = '1'; os.environ['OWN']
os.getenv('ALPHA'); 'BETA' in os.environ; os.environb.get(b'GAMMA'); os.path.expandvars('$DELTA')
import argparse
argparse.ArgumentParser().format_help()
""",
        ALPHA="the value of alpha",
    )

    names = {line[1] for line in lines if line[0] == "env"}
    assert names >= {"ALPHA", "BETA", "GAMMA", "DELTA", "BESIDE"}
    assert not names & {"OWN", "COLUMNS", "AZML_RUN_CONTEXT", None}
    assert "the value of alpha" not in json.dumps(lines)


@pytest.mark.parametrize("code", ["dict(os.environ)", "os.environ.copy()", "list(os.environ.items())", "[*os.environ]"])
def test_who_goes_through_all_variables_is_noted_once(recording, code):
    lines = recording.run(START + code)

    assert [line[1] for line in lines if line[0] == "env"].count(None) == 1
    assert len([line for line in lines if line[0] == "env"]) < 9


def test_modules_are_noted_by_their_top_names_and_those_that_are_not_there_too(recording):
    (recording.beside / "om.py").write_text("")
    lines = recording.run(
        START
        + """
sys.path.append(B)
import om, json.decoder
try:
    import none_such
except ImportError:
    pass
import importlib.util
importlib.util.find_spec('none_either')
"""
    )

    assert {line[1] for line in lines if line[0] == "import"} >= {"om", "json", "none_such"}
    assert {line[1] for line in lines if line[0] == "absent"} >= {"none_such", "none_either"}
    assert recording.paths(lines, "module") == {"om", "none_such", "none_either"}
    assert recording.paths(lines, "file") == {"om.py"}


@pytest.mark.skipif(os.name == "nt", reason="no forks")
@pytest.mark.parametrize(
    "code",
    [
        "if os.fork() == 0:\n    open(B + '/x.txt'); os._exit(0)\nos.wait()",
        "import subprocess; subprocess.run([sys.executable, '-c', f'open({B!r} + \"/x.txt\")'], check=True)",
        "os.execv(sys.executable, [sys.executable, '-c', f'open({B!r} + \"/x.txt\")'])",
        "import threading; t = threading.Thread(target=open, args=(B + '/x.txt',)); t.start(); t.join()",
        "open(B + '/x.txt'); os._exit(0)",
    ],
)
def test_every_python_process_of_a_step_is_recorded(recording, code):
    lines = recording.run(START + code, PYTHONWARNINGS="ignore")

    assert recording.paths(lines, "file") == {"x.txt"}
    assert ["end"] in lines


@pytest.mark.skipif(os.name == "nt", reason="no ls")
def test_a_program_is_noted_by_its_name_and_what_it_is_given_not_by_its_arguments(recording):
    code = "import subprocess\nsubprocess.run(['ls', B + '/sub', '--hide=hunter2'], capture_output=True)\n"

    lines = recording.run(START + code)

    programs = [line for line in lines if line[0] == "program"]
    assert [line[3:] for line in programs] == [[False, "ls"]]
    assert recording.paths(lines, "argument") == {"sub"}
    assert "hunter2" not in json.dumps(lines)


def test_hosts_are_noted_but_not_a_server_of_its_own(recording):
    code = """
        import socket
        try:
            socket.create_connection(("host.invalid", 80), timeout=1)
        except OSError:
            pass
        server = socket.create_server(("127.0.0.1", 0))
        socket.create_connection(server.getsockname())
    """

    lines = recording.run(code, PYTHONWARNINGS="ignore")

    assert [line[1] for line in lines if line[0] == "network"] == ["host.invalid"]


def test_the_functions_of_os_are_as_they_were(recording):
    recording.run(
        START
        + """
import inspect, pickle, shutil
class Holder:
    stat = os.stat
assert Holder().stat(B).st_mode == os.stat(B).st_mode
assert os.stat.__name__ == 'stat' and os.stat in os.supports_follow_symlinks and os.open in os.supports_dir_fd
assert os.path.samestat(os.stat(B), Path(B).stat()) and Path(B, 'x.txt').lstat().st_size == 1
assert pickle.loads(pickle.dumps(os.stat)) is os.stat
assert shutil.rmtree.avoids_symlink_attacks == (os.name != 'nt')
assert isinstance(os.environ, os._Environ) and dict(os.environ) == {k: os.environ[k] for k in os.environ}
assert {**os.environ} == os.environ.copy() and len(os.environ) == len(list(os.environ))
assert (os.environ | {'a': 'b'})['a'] == 'b'
try:
    os.stat(B + '/none')
except FileNotFoundError as error:
    assert error.filename == B + '/none'
"""
    )


def test_a_signal_handler_s_exception_reaches_the_script(recording):
    recording.run(
        START
        + """
import signal
class Late(Exception): ...
def late(*_): raise Late
signal.signal(signal.SIGALRM, late)
caught = 0
for _ in range(300):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005)
        while True:
            os.path.exists(B + '/' + str(caught)); open(B + '/x.txt').close()
    except Late:
        caught += 1
assert caught == 300
"""
    )
