"""The search for input that breaks the reader, led by coverage; for `invoke test --slow`."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS = 300


def test_minutes_of_search_find_nothing_that_breaks_the_reader(slow: bool, tmp_path: Path) -> None:
    if not slow:
        pytest.skip("takes minutes: invoke test --slow")
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris, which is published for some versions of Python only: pip install atheris")
    search = Path(__file__).with_name("fuzz_reader.py")
    command = [sys.executable, str(search), f"-max_total_time={SECONDS}", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
