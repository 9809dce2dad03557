"""A file of 1,000 steps: `invoke validate` against a bare parse by PyYAML's C loader, whole processes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.pairs import Command, Ratio, compare
from tests.bench.projects import PLAIN, line

PARSE = "import yaml; yaml.load(open('pipeline.yaml'), yaml.CSafeLoader)"


def figures() -> Iterator[Ratio]:
    """Compare at 1,000 steps, then 4,000 steps with 1,000 to see how the cost grows."""
    with tempfile.TemporaryDirectory() as folder:
        thousand, more = line(Path(folder, "1000"), 1000, PLAIN), line(Path(folder, "4000"), 4000, PLAIN)
        ours = Command("1,000 steps", (sys.executable, "-m", "invoke", "validate"), thousand)
        parse = Command("PyYAML's C loader", (sys.executable, "-c", PARSE), thousand)
        yield compare("invoke validate, 1,000 steps", ours, parse, goal=3.0)
        larger = Command("4,000 steps", (sys.executable, "-m", "invoke", "validate"), more)
        yield compare("invoke validate, 4,000 steps", larger, ours, goal=4.0, runs=3)
