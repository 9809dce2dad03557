"""Run a command of Invoke and list the modules of ours that it enters: `python -m tests.entered FILE FOLDER WORD...`.

A module is entered when one of its functions is called; a call is a pair of modules of which a function of the first
calls one of the second itself. What runs while modules are imported does not count, nor does what a step's own process
does. A call of a method that a dataclass generated enters its module, and is not a call of one module by another.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = "azml_tasks"


class Entered:
    """The modules and calls so far; `note` is a profile function, as sys.setprofile takes it."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.calls: set[tuple[str, str]] = set()
        self._seen: set[tuple[CodeType, CodeType | None]] = set()

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        module = frame.f_globals.get("__name__", "")
        # Bodies of modules and classes are not optimized.
        if event != "call" or not _is_ours(module) or not frame.f_code.co_flags & CO_OPTIMIZED:
            return
        caller = frame.f_back
        pair = (frame.f_code, caller.f_code if caller else None)
        if pair in self._seen or _is_importing(caller):
            return
        self._seen.add(pair)
        self.modules.add(module)
        calling = caller.f_globals.get("__name__", "") if caller else ""
        if _is_ours(calling) and calling != module and not frame.f_code.co_filename.startswith("<"):
            self.calls.add((calling, module))


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def _is_importing(frame: FrameType | None) -> bool:
    """Say whether a module's body is being executed further up, other than this program's own."""
    while frame is not None and frame.f_code is not watch.__code__:
        if frame.f_code.co_name == "<module>":
            return True
        frame = frame.f_back
    return False


def watch(run: Callable[[], object]) -> Entered:
    """Note what is entered until the command ends, in all of its threads."""
    entered = Entered()
    threading.setprofile(entered.note)
    sys.setprofile(entered.note)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return entered


def main() -> None:
    """Run the words in FOLDER and write the modules and calls to FILE; a failing command ends this program too."""
    from invoke import Program

    file, folder, *words = sys.argv[1:]
    os.chdir(folder)
    entered = watch(lambda: Program().run(["invoke", *words]))
    found = {"modules": sorted(entered.modules), "calls": sorted(entered.calls)}
    Path(file).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
