"""What all tests share: the option --slow."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="also what takes minutes: many kills, a search for bad input")


@pytest.fixture(scope="session")
def slow(request: pytest.FixtureRequest) -> bool:
    """Whether there is time for more of the same."""
    return bool(request.config.getoption("--slow"))
