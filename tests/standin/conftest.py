"""A step to run scripts in."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.standin.step import Step


@pytest.fixture
def step(tmp_path: Path) -> Step:
    """A step whose project lies in a folder with a space and an accent."""
    return Step(tmp_path / "pröject one")
