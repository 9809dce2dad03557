"""Run a step's script, as the command of a job does:

    python azml_step --in NAME=PATH --out NAME=PATH -- script.py ARGUMENTS

The script's exit status is that of the command. Nothing about recording is: a value that could not be recorded is a
line on standard error.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

from .context import JobError, prepare
from .forward import Forwarder
from .tracking import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# How long the end of the script waits for what is not recorded yet, and for a step that is stopped (seconds).
_PATIENCE, _PATIENCE_IF_STOPPED = 120.0, 15.0
# The oldest Python of the stand-in for azureml; other scripts run on older ones too.
_OLDEST = (3, 9)
_PASSED_ON = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", "SIGUSR2")


def main() -> None:
    """Run the command line, and end as the script does."""
    archive = os.path.abspath(os.path.dirname(os.path.dirname(__file__)))
    folder = tempfile.mkdtemp(prefix="azml_step-")
    try:
        code = _run(archive, sys.argv[1:], folder)
    except JobError as error:
        say(str(error))
        code = 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _end(code)


def _run(archive: str, arguments: list[str], folder: str) -> int:
    """Return the exit code of the script; negative if a signal ended it."""
    if sys.version_info < _OLDEST:
        say(f"scripts need Python 3.9 or later to import azureml in a job; this is Python {sys.version.split()[0]}")
    inputs, outputs, words = _parsed(arguments)
    step = prepare(archive, folder, inputs, outputs, words)
    for name in ("outputs", "logs"):
        os.makedirs(name, exist_ok=True)
    process: Any = None
    stopped: list[int] = []

    def stop(number: int, frame: object) -> None:
        stopped.append(number)
        if process is not None:
            process.send_signal(number)

    for name in _PASSED_ON:
        number = getattr(signal, name, None)
        # One that is ignored, as by nohup, stays so for the script too.
        if number is not None and signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stop)
    forwarder = Forwarder(step)
    forwarder.start()
    process = subprocess.Popen([sys.executable, "-u", *step.words], env=step.environment)
    for number in stopped:  # before the process was there
        process.send_signal(number)
    code: int = process.wait()
    patience = _seconds("AZML_STEP_PATIENCE") or _PATIENCE
    forwarder.finish(min(patience, _PATIENCE_IF_STOPPED) if stopped else patience, is_successful=code == 0)
    return code


def _seconds(variable: str) -> float:
    try:
        return float(os.environ.get(variable, ""))
    except ValueError:
        return 0.0


def _parsed(arguments: list[str]) -> tuple[dict[str, list[str]], dict[str, list[str]], list[str]]:
    """Return the paths of inputs and of outputs by their names, and the words of the script's command."""
    found: dict[str, dict[str, list[str]]] = {"--in": {}, "--out": {}}
    place = 0
    while place + 1 < len(arguments) and arguments[place] in found:
        name, _, path = arguments[place + 1].partition("=")
        found[arguments[place]].setdefault(name, []).append(path)
        place += 2
    if arguments[place : place + 1] != ["--"] or place + 1 == len(arguments):
        raise JobError("expected --in NAME=PATH, --out NAME=PATH, -- and a script")
    return found["--in"], found["--out"], arguments[place + 1 :]


def _end(code: int) -> None:
    """End this process as the script's ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != getattr(signal, "SIGKILL", 9) else None
        os.kill(os.getpid(), -code)
        code = 128 - code  # The first process of a container is not ended by its own signal.
    # A thread may still wait for an answer of the service.
    os._exit(code)
