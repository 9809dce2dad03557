"""The client of each test is its own, and waits for nothing. Without the packages of Azure, there are no tests here."""

from __future__ import annotations

import importlib.util

import pytest

from azml_tasks.azure.v2.client import connection as client

# The modules of the tests import the models of the client.
collect_ignore_glob = [] if importlib.util.find_spec("msrest") else ["test_*.py"]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", client.RetryPolicy((0, 0, 0, 0, 0), lambda seconds: None))
    monkeypatch.setattr(client, "_open", {})
    monkeypatch.setattr(client, "_logins", {})
