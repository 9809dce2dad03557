"""The pytest fixture `azure_v2`; tests/conftest.py makes it known.

Where azure-ai-ml is not installed, a test that asks for it is skipped. SDK v1, where it is installed, too, can be used
in the same test.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.service.fixture import FOREIGN, forget_earlier_tests

if TYPE_CHECKING:
    from .service import ServiceV2


@pytest.fixture(scope="session")
def azure_v2_service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceV2]:
    """Start the stand-in once for all tests: at the address of that of v1, which SDK v1 keeps for the whole process."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("azure.ai.ml", reason="azure-ai-ml is not installed", exc_type=ImportError)
    from .service import ServiceV2

    beside = request.getfixturevalue("azure_service") if importlib.util.find_spec("azureml") else None
    service = ServiceV2(tmp_path_factory.mktemp("azure-v2"), beside)
    yield service
    if beside is None:
        service.close()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def azure_v2(
    azure_v2_service: ServiceV2, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServiceV2]:
    """Give an empty service that the client in this process and its children talks to.

    Fails the test when a route was asked that the stand-in does not know, or when it broke.
    """
    from tests.service.environment import variables

    azure_v2_service.reset()
    azure_v2_service.answer()
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    for name, value in variables(azure_v2_service, home).items():
        monkeypatch.setenv(name, value)
    forget_earlier_tests(home)
    yield azure_v2_service
    azure_v2_service.stop()
    azure_v2_service.verify()
