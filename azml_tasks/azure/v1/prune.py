"""Published versions that neither an endpoint's default nor a schedule needs: found, and disabled."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import MOST_ENDPOINTS, PublishedVersions, find_published
from azml_tasks.azure.v1.schedules.records import read_schedules


def unused_versions(ws: Any, name: str) -> list[Any]:
    """Return the active versions of a published pipeline that neither an endpoint's default nor a schedule needs."""
    with service_calls(f"looking for unused versions of '{name}'"):
        family = find_published(ws, name)
        used = _used(ws, family)
        return [item for item in family.pipelines if item.status == "Active" and item.id not in used]


def disable_versions(ws: Any, name: str, versions: Iterable[Any]) -> list[Any]:
    """Disable published pipelines and return them.

    One that became an endpoint's default or was scheduled in the meantime is enabled again.
    """
    versions = list(versions)
    with service_calls("disabling unused versions"):
        for published in versions:
            published.disable()
        used = _used(ws, find_published(ws, name)) if versions else set()
        for published in versions:
            if published.id in used:
                published.enable()
        return [published for published in versions if published.id not in used]


def _used(ws: Any, family: PublishedVersions) -> set[str | None]:
    """Return the ids of the published pipelines that an endpoint has for its default, or an active schedule runs."""
    from azureml.pipeline.core import PipelineEndpoint

    used = {record.pipeline_id for record in read_schedules(ws) if record.is_active}
    endpoints = PipelineEndpoint.list(ws, active_only=False, max_results=MOST_ENDPOINTS)
    return used | {PublishedVersions("", (), endpoint).default_id for endpoint in endpoints} | {family.default_id}
