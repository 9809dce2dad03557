"""The pytest fixture `azure` and `azure_service`, which it stands on; tests/conftest.py makes them known.

Where the SDK is not installed, a test that asks for it is skipped.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .service import Service

SDK_WARNINGS = (
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore::SyntaxWarning",
    "ignore::UserWarning:azureml",
    "ignore::UserWarning:paramiko",
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)
"""What the SDK and its dependencies raise: deprecations on import, sessions that they do not close."""

FOREIGN = ("AZUREML_", "AZURE_", "MSI_", "IDENTITY_", "AML_", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
"""Variables of the machine that would change what the SDK does."""


@pytest.fixture(scope="session")
def azure_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Start the stand-in once for all tests."""
    pytest.importorskip("azureml.pipeline.steps", reason="the Azure SDK is not installed")
    from .service import Service

    service = Service(tmp_path_factory.mktemp("azure"))
    yield service
    service.close()
    with warnings.catch_warnings():  # of the sessions that the SDK leaves open
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def azure(
    azure_service: Service, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Service]:
    """Give an empty service that the SDK in this process and its children talks to.

    Fails the test when a route was asked that the stand-in does not know, or when it broke.
    """
    from .environment import variables

    azure_service.reset()
    azure_service.answer()
    home = tmp_path_factory.mktemp("home")
    for name in [name for name in os.environ if name.startswith(FOREIGN)]:
        monkeypatch.delenv(name)
    for name, value in variables(azure_service, home).items():
        monkeypatch.setenv(name, value)
    forget_earlier_tests(home)
    yield azure_service
    azure_service.stop()
    azure_service.verify()


def forget_earlier_tests(home: Path) -> None:
    """Make a loaded SDK look as in a new process: no cached clouds, discovery cached in this home."""
    clouds = sys.modules.get("azureml._vendor.azure_cli_core.azureml_cloud")
    if clouds is not None:
        clouds._Clouds._clouds = None
    discovery = sys.modules.get("azureml._base_sdk_common.service_discovery")
    if discovery is not None:  # the default of a parameter, fixed when the module was imported
        cache = str(home / ".azureml" / ".discovery")
        discovery.CachedServiceDiscovery.__init__.__defaults__ = (cache,)
