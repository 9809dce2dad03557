from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The same examples in every run: a gate that fails now and then is no gate.
settings.register_profile(
    "gate",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("gate")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder that every example of a test writes its one file into."""
    return tmp_path
