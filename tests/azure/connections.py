"""Connections to the stand-in's workspace, which last as long as the process does."""

from __future__ import annotations

from azml_tasks.azure.v1.client import connection


def forget_connections() -> None:
    """Let go of every workspace and login, so that the next use opens them as a new process would."""
    connection._open.clear()
    connection._logins.clear()
