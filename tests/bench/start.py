"""Start-up: what `invoke --list` costs with our tasks."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.pairs import Command, Timer

INVOKE = (sys.executable, "-m", "invoke")


def figures(timer: Timer) -> Iterator[object]:
    """Compare with a tasks.py that holds one empty task."""
    with tempfile.TemporaryDirectory() as folder:
        bare, ours = Path(folder, "bare"), Path(folder, "ours")
        bare.mkdir()
        ours.mkdir()
        (bare / "tasks.py").write_text("from invoke import task\n\n@task\ndef nothing(context):\n    pass\n")
        (ours / "tasks.py").write_text("from azml_tasks.tasks import namespace\n")
        listing = (*INVOKE, "--list")
        yield timer.compare(
            "invoke --list", Command("ours", listing, ours), Command("a bare tasks.py", listing, bare), goal=1.3, runs=9
        )
