"""The client of each test is its own, and waits for nothing."""

from __future__ import annotations

import pytest

from azml_tasks.azure.v2.client import connection as client


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", client.RetryPolicy((0, 0, 0, 0, 0), lambda seconds: None))
    monkeypatch.setattr(client, "_open", {})
    monkeypatch.setattr(client, "_logins", {})
