"""Importing the tasks changes nothing of the user's process; settings for speed apply while a task runs."""

from __future__ import annotations

import gc
import json
import subprocess
import sys

import pytest
from invoke import Context, Exit

from azml_tasks.errors import UsageError
from azml_tasks.tasks.task import task

COMPARES = """
import atexit, gc, json, locale, logging, os, signal, socket, sys, threading, warnings
import invoke

def state():
    return {
        "atexit": atexit._ncallbacks(),
        "directory": os.getcwd(),
        "display hook": repr(sys.displayhook),
        "environment": dict(os.environ),
        "garbage": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks), gc.get_debug()],
        "hooks": [repr(hook) for hook in (sys.excepthook, sys.unraisablehook, threading.excepthook)],
        "import": [repr(item) for item in (*sys.path, *sys.meta_path, *sys.path_hooks)],
        "limits": [sys.getrecursionlimit(), sys.getswitchinterval(), socket.getdefaulttimeout()],
        "locale": locale.setlocale(locale.LC_ALL),
        "logging": [logging.root.level, *map(repr, logging.root.handlers)],
        "main": sorted(vars(sys.modules["__main__"])),
        "signals": {number: repr(signal.getsignal(number)) for number in map(int, signal.valid_signals())},
        "streams": [(repr(file), getattr(file, "errors", "")) for file in (sys.stdin, sys.stdout, sys.stderr)],
        "threads": [thread.name for thread in threading.enumerate()],
        "tracing": [repr(sys.gettrace()), repr(sys.getprofile())],
        "umask": os.umask(os.umask(0o22)),
        "warnings": [repr(item) for item in warnings.filters] + [repr(warnings.showwarning)],
    }

before = after = None  # so that __main__ has these names already
before = state()
__import__(sys.argv[1])
after = state()
print(json.dumps({name: [before[name], after[name]] for name in before if before[name] != after[name]}))
"""


def changed_by_import(module: str) -> dict[str, object]:
    """Return what differs in a fresh interpreter before and after the import; Invoke is imported before."""
    command = [sys.executable, "-c", COMPARES, module]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def test_importing_the_tasks_changes_nothing_of_the_process():
    assert changed_by_import("azml_tasks.tasks") == {}


def test_garbage_is_collected_seldom_only_while_a_task_runs():
    before, seen = gc.get_threshold(), []

    @task()
    def work(context):
        seen.append(gc.get_threshold()[0])

    @task()
    def fail(context):
        raise UsageError("no such step")

    work(Context())
    with pytest.raises(Exit, match="no such step"):
        fail(Context())

    assert (seen, gc.get_threshold()) == ([500_000], before)
