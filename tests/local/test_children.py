"""What a step starts in the background ends with it, or with the run, however that ends."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from azml_tasks.local.runs import find_run
from tests.local.conftest import linux
from tests.local.runners import Runner, ends, wait_for

# Each of these leaves a process behind that ends by no signal but SIGKILL, and writes its number into a file.
KINDS = {
    "a fork": "lasts()",
    "a fork of a fork": "os.fork() and os._exit(0)\nlasts()",
    "a group of its own": "os.setpgid(0, 0)\nlasts()",
    "a session of its own": "os.setsid()\nlasts()",
    "a daemon": "os.setsid()\nos.fork() and os._exit(0)\nlasts()",
    "a daemon of a daemon": "os.setsid()\nos.fork() and os._exit(0)\nos.setsid()\nos.fork() and os._exit(0)\nlasts()",
    "a command": "os.execv('/bin/sh', ['sh', '-c', 'trap \"\" TERM INT HUP; echo $$ > \"$0\"; sleep 600', place])",
}


def starts(folder: Path) -> str:
    """Return the source of a script that starts processes of all kinds and waits until they run."""
    source = "import os, signal, time\n"
    for kind, code in KINDS.items():
        source += f"place = {str(folder / kind)!r}\ndef lasts(place=place):\n"
        source += "    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):\n"
        source += "        signal.signal(number, signal.SIG_IGN)\n"
        source += "    open(place, 'w').write(f'{os.getpid()}\\n')\n    time.sleep(600)\n    os._exit(0)\n"
        source += "if os.fork() == 0:\n" + "".join(f"    {line}\n" for line in code.splitlines())
    return source + (
        f"while not all(os.path.exists(p) and open(p).read() for p in {[str(folder / kind) for kind in KINDS]!r}):\n"
        "    time.sleep(0.01)\n"
    )


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    """The folder into which the processes in the background write their numbers."""
    (tmp_path / "numbers").mkdir()
    return tmp_path / "numbers"


def still_running(numbers: Path) -> list[str]:
    return [kind for kind in KINDS if not ends((numbers / kind).read_text().strip())]


@linux
@pytest.mark.parametrize("way", ["warm", "cold"], indirect=True)
@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("", "completed"),
        ("raise SystemExit(1)", "failed"),
        ("os._exit(0)", "completed"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "failed"),
        ("time.sleep(600)", "failed"),
    ],
)
def test_what_a_step_leaves_behind_is_gone_when_its_run_is_over(project, way, numbers, end, status):
    project.pipeline("steps: {a: {script_name: a.py, max_run_duration_seconds: 2}}", a=starts(numbers) + end)

    run = project.run(grace=0.1, **way)

    assert run.status == status
    assert still_running(numbers) == []


def kill(runner: Runner) -> None:
    runner.process.kill()


def press_ctrl_c(runner: Runner) -> None:
    os.killpg(runner.process.pid, signal.SIGINT)


@linux
@pytest.mark.parametrize("way", ["warm", "cold"])
@pytest.mark.parametrize(("harm", "status"), [(kill, "interrupted"), (press_ctrl_c, "cancelled")])
def test_what_a_step_has_started_is_gone_when_its_run_is_stopped(project, start, way, numbers, harm, status):
    project.line(a=starts(numbers) + f"open({str(numbers / 'all')!r}, 'w').close()\ntime.sleep(600)\n")
    runner = start(way)
    wait_for((numbers / "all").exists)

    harm(runner)
    runner.wait()

    assert runner.leaves_nothing()
    assert still_running(numbers) == []
    assert find_run(project.folder).status == status


def test_children_that_a_step_leaves_behind_end_with_it(project, way, tmp_path):
    beat = tmp_path / "beat"
    project.line(
        a=f"""
            import os, sys, time
            if os.fork() == 0:
                while True:
                    open({str(beat)!r}, "a").write("x")
                    time.sleep(0.01)
            while not os.path.exists({str(beat)!r}):
                time.sleep(0.01)
        """
    )

    assert project.run(**way).status == "completed"

    time.sleep(0.1)
    size = beat.stat().st_size
    time.sleep(0.2)
    assert beat.stat().st_size == size


@pytest.mark.thorough
@linux
@pytest.mark.parametrize("way", ["warm", "cold"], indirect=True)
@pytest.mark.parametrize("end", ["", "os._exit(0)", "os.kill(os.getpid(), signal.SIGKILL)", "time.sleep(600)"])
def test_shared_memory_that_a_step_leaves_behind_is_cleared_away(project, way, end):
    script = f"""
import os, signal, time
from multiprocessing.shared_memory import SharedMemory
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    time.sleep(600)
print(SharedMemory(create=True, size=1).name)
{end}
"""
    project.pipeline("steps: {a: {script_name: a.py, max_run_duration_seconds: 2}}", a=script)

    run = project.run(grace=0.1, **way)

    name = project.log(run, "a").splitlines()[0]
    assert not Path("/dev/shm", name).exists()
