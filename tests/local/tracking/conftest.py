from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from azml_tasks.local.tracking.server import TrackingServer
from azml_tasks.local.tracking.step import StepTracking
from tests.local.tracking.steps import Client, step_in


@pytest.fixture
def server() -> Iterator[TrackingServer]:
    running = TrackingServer()
    yield running
    running.close()


@pytest.fixture
def step(tmp_path: Path) -> StepTracking:
    return step_in(tmp_path)


@pytest.fixture
def client(server: TrackingServer, step: StepTracking) -> Iterator[Client]:
    found = Client(server.address_for(step), keeps=True)
    yield found
    found.connection.close()
