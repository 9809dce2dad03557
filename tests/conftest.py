"""What all tests share: the option --slow, and the stand-in of Azure ML, one for the whole process.

One, because the SDK's native reader of datasets keeps the address that it was first given.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.service.fixture import SDK_WARNINGS, azure, azure_service

__all__ = ["azure", "azure_service"]

FUZZ = Path(__file__).parent / "fuzz"
WITH_SDK = (Path(__file__).parent / "azure", Path(__file__).parent / "service")
# Of those the ones that show on each Python that the SDK is used rightly; it is the same on all of them.
WITH_EACH_SDK = ("test_register.py", "test_steps.py", "test_workspace_wrapper.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also what takes minutes: many kills, a search for bad input")


@pytest.fixture(scope="session")
def slow(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for more of the same."""
    return bool(request.config.getoption("--slow"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the SDK warn wherever it is used; take all fuzzing for thorough, and most of what is done with the SDK."""
    for item in items:
        is_with_sdk = any(folder in item.path.parents for folder in WITH_SDK)
        if FUZZ in item.path.parents or (is_with_sdk and item.path.name not in WITH_EACH_SDK):
            item.add_marker(pytest.mark.thorough)
        if is_with_sdk or "azure" in getattr(item, "fixturenames", ()):
            for warning in SDK_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))
