"""The stand-in's own tests: the real SDK against it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .fixture import SDK_WARNINGS, azure, azure_service  # noqa: F401

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            for warning in SDK_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))
