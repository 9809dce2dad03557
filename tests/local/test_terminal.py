"""A step has no terminal, also where its run has one: it waits for nobody, and takes nothing from who types there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from azml_tasks.local.runs import find_run
from tests.local.conftest import Project, linux
from tests.local.runners import INVOKE, TASKS, WAYS, comes_true, ends, text_of, wait_for

pytestmark = linux

ON_TERMINAL = """
import os, sys
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)  # Now the terminal of this session.
for number in (0, 1, 2):
    os.dup2(terminal, number)
os.execv(sys.argv[2], sys.argv[2:])
"""
# Scripts that want a terminal, how each ends, and the end of what it prints.
WANTS_A_TERMINAL = [
    ("input('name? ')", 1, "EOFError: EOF when reading a line\n"),
    ("import getpass\ngetpass.getpass()", 1, "EOFError\n"),
    ("import sys\nfor line in sys.stdin: print('read', line)\nprint('end')", 0, "end\n"),
    ("import select\nprint(select.select([0], [], [])[0])", 0, "[0]\n"),
    ("import os\nprint([os.isatty(number) for number in (0, 1, 2)])", 0, "[False, False, False]\n"),
    ("import os\nos.open(os.ctermid(), os.O_RDWR)", 1, "OSError: [Errno 6] No such device or address: '/dev/tty'\n"),
    ("import os\nos.get_terminal_size()", 1, "OSError: [Errno 25] Inappropriate ioctl for device\n"),
    ("import os\nos.tcsetpgrp(0, os.getpid())", 1, "OSError: [Errno 25] Inappropriate ioctl for device\n"),
    ("import tty\ntty.setraw(0)", 1, "termios.error: (25, 'Inappropriate ioctl for device')\n"),
    ("import curses\ncurses.wrapper(lambda screen: screen.getch())", 1, ""),
    ("breakpoint()\nprint('not reached')", 1, "bdb.BdbQuit\n"),
    ("import os\nos.system('read answer; echo got $answer')", 0, "got\n"),
    ("import pty\npty.spawn(['sh', '-c', 'test -t 1 && echo one of its own'])", 0, "one of its own\n"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("script", "exit_code", "printed"), WANTS_A_TERMINAL)
def test_a_step_that_wants_a_terminal(project, way, script, exit_code, printed):
    run = project.line(a=script).run(**way)

    assert run["a"].exit_code == exit_code
    assert project.log(run, "a").endswith(printed)


@dataclass
class Terminal:
    """A terminal whose user has typed a line."""

    project: Project
    ours: int
    theirs: int
    process: subprocess.Popen[bytes] | None = None

    def run(self, way: str = "warm") -> None:
        """Run the project as who sits at the terminal does."""
        os.write(self.ours, b"typed ahead\n")
        command, variables = WAYS[way]
        self.process = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, os.ttyname(self.theirs), *command],
            cwd=self.project.write(TASKS).folder,
            env={**os.environ, **variables, "TERM": "xterm"},
        )

    def shown(self) -> str:
        """Return all that it showed by now, which nobody will see again."""
        os.set_blocking(self.ours, False)
        shown = b""
        try:
            while piece := os.read(self.ours, 65536):
                shown += piece
        except OSError:
            pass
        return shown.decode()

    def close(self) -> None:
        for end in (self.ours, self.theirs):
            if end >= 0:
                os.close(end)
        self.ours = self.theirs = -1


@pytest.fixture
def terminal(project: Project) -> Iterator[Terminal]:
    terminal = Terminal(project, *os.openpty())
    yield terminal
    terminal.close()
    if terminal.process:
        terminal.process.kill()
        terminal.process.wait()


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_steps_leave_the_terminal_of_their_run_alone(terminal, way):
    """What was typed is still there for who reads it next, and the terminal is set as it was."""
    scripts = {f"s{number}": script for number, (script, *_) in enumerate(WANTS_A_TERMINAL)}
    steps = "".join(f"  {name}: {{script_name: {name}.py, input_folders: {{}}}}\n" for name in scripts)
    terminal.project.pipeline(f"continue_on_step_failure: true\nsteps:\n{steps}", **scripts)
    before = termios.tcgetattr(terminal.theirs)

    terminal.run(way)

    assert terminal.process.wait(timeout=60) == 1
    run = find_run(terminal.project.folder)
    assert [step.exit_code for step in run.steps] == [exit_code for _, exit_code, _ in WANTS_A_TERMINAL]
    assert termios.tcgetattr(terminal.theirs) == before
    assert "s0: failed" in re.sub(r"\x1b\[[\d;]*m", "", terminal.shown())
    assert os.read(terminal.theirs, 100) == b"typed ahead\n"


def test_the_end_of_the_terminal_stops_the_run(terminal, tmp_path):
    pid = tmp_path / "pid"
    terminal.project.line(a=f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)")
    terminal.run()
    wait_for(lambda: text_of(pid))

    terminal.close()

    assert comes_true(lambda: terminal.process.poll() is not None)
    assert ends(pid.read_text())
    run = find_run(terminal.project.folder)
    assert (run.status, run["a"].message) == ("cancelled", "stopped by SIGHUP (terminal closed)")


@pytest.mark.thorough
@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_run_whose_standard_streams_are_closed_completes(project, closed):
    project.line(a="print('a')").write(TASKS)
    command = ["sh", "-c", f'"$@" {closed}', "sh", *INVOKE, "run"]

    done = subprocess.run(command, cwd=project.folder, stderr=subprocess.PIPE, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert project.log(find_run(project.folder), "a") == "a\n"
