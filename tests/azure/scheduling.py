"""What tests of schedules are made of: projects, and what the stand-in of the service has."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from tests.azure.projects import line_of_steps, write_project
from tests.service.traffic import Traffic

NOW = datetime(2030, 1, 1, 12, 0, 30, tzinfo=timezone.utc)
NAMED = (
    "experiment_name: trial\npublish: {name: churn, description: Weekly churn scores}\n"
    "pipeline_parameters: {blob: none}\n"
)
BLOB = "{on_blob_change: {datastore_name: churn_blob, path_on_datastore: incoming, polling_interval: 15}}"


class Counting(Traffic):
    """The requests, with the number of schedules that were on after each."""

    def __init__(self, azure: Any) -> None:
        super().__init__()
        self._azure = azure
        self.on: list[int] = []

    def append(self, record: Any) -> None:
        super().append(record)
        self.on.append(sum(item.active for item in self._azure.schedules.values()))


def project(folder: Path, schedule: str, extra: str = NAMED) -> Any:
    return write_project(folder, line_of_steps(1, f"{extra}schedule: {schedule}\n"))


def kept(azure: Any) -> list[tuple[Any, ...]]:
    """Tell of each schedule whether it is on, what it runs and when."""
    return [
        (
            "on" if item.active else "off",
            item.name,
            azure.endpoints[item.endpoint].name if item.endpoint else azure.published[item.pipeline].version,
            item.experiment,
            item.recurrence or item.trigger,
        )
        for item in azure.schedules.values()
    ]


def recurrence(frequency: str, interval: int = 1, start: str = "2030-01-01T12:01:00", **more: Any) -> dict[str, Any]:
    zone = more.pop("zone", "UTC")
    stored = {"Frequency": frequency, "Interval": interval, "StartTime": start, "TimeZone": zone}
    return {**stored, "Schedule": more} if more else stored


WATCHED = {"DataStoreName": "churn_blob", "PollingInterval": 15, "PathOnDataStore": "incoming"}
