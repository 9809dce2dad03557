"""The Azure backend, with the real SDK: by value, and against the stand-in of the service."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HAS_SDK = importlib.util.find_spec("azureml") is not None

if HAS_SDK:
    with warnings.catch_warnings():  # of the SDK's own imports, which happen while tests are collected
        warnings.simplefilter("ignore")
        import azureml.pipeline.steps  # noqa: F401

        from tests.service.fixture import SDK_WARNINGS, azure, azure_service  # noqa: F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HAS_SDK and HERE in item.path.parents:
            for warning in SDK_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))
