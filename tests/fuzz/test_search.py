from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="needs atheris, which Python 3.11 has")
def test_a_minute_s_search_finds_nothing_that_breaks_the_reader(slow, tmp_path):
    if not slow:
        pytest.skip("a minute; give --level slow")
    search = Path(__file__).with_name("fuzz_reader.py")

    done = subprocess.run(
        [sys.executable, search, "-max_total_time=60"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert (done.returncode, [file.name for file in tmp_path.iterdir()]) == (0, []), done.stderr[-3_000:]
