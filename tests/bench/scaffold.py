"""Scaffolding: `copier copy` of the template against copying the finished project, and `invoke validate` in it."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.pairs import Command, Timer
from tests.template.conftest import checkout, commit


def figures(timer: Timer) -> Iterator[object]:
    """Compare with `cp -r`, and with `invoke --list`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        template = checkout(folder / "template")
        commit(template, "All", tag="v1")
        made, copied = folder / "made", folder / "copied"
        copy = (sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", template, made)
        ours = Command("ours", copy, folder, before=lambda _: shutil.rmtree(made, ignore_errors=True))
        ours.seconds()
        shutil.copytree(made, folder / "finished")
        plain = Command(
            "cp -r",
            ("cp", "-r", folder / "finished", copied),
            folder,
            before=lambda _: shutil.rmtree(copied, ignore_errors=True),
        )
        yield timer.compare("copier copy --defaults", ours, plain)
        validate = Command("ours", (sys.executable, "-m", "invoke", "validate"), folder / "finished")
        listing = Command("invoke --list", (sys.executable, "-m", "invoke", "--list"), folder / "finished")
        yield timer.compare("invoke validate of a new project", validate, listing)
