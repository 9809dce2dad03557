"""The stand-in's own tests: the real SDK against it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from .fixture import SDK_WARNINGS, azure, azure_service

__all__ = ["azure", "azure_service"]

HERE = Path(__file__).parent
collect_ignore_glob = [] if find_spec("azureml") else ["test_*.py"]
"""Without the SDK there is nothing to try."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for warning in SDK_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))
