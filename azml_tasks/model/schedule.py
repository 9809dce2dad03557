"""Placeholder until the whole schedule model lands."""

from __future__ import annotations

from typing import Any

from azml_tasks.model.base import Model


class BlobChange(Model):
    datastore_name: str
    path_on_datastore: str | None = None


class Schedule(Model):
    frequency: str | None = None
    interval: int | None = None
    on_blob_change: BlobChange | None = None
    enabled: bool = True
    extra: Any = None
