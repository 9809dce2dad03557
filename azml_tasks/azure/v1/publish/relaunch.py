"""Run a published pipeline once more, with other values for its parameters."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from azml_tasks.azure.published import published_name, published_values
from azml_tasks.azure.records import AzureRunRecord
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import find_published, pipeline_service, published_version
from azml_tasks.model.base import Scalar
from azml_tasks.reading import Project


def relaunch(
    project: Project,
    ws: Any,
    *,
    settings: Iterable[str] = (),
    experiment: str | None = None,
    version: str | None = None,
    dry: bool = False,
) -> tuple[str, AzureRunRecord | None]:
    """Start a run of the endpoint's default, or of another version, and return the version and the run's record.

    `settings` are overrides (`train.lr=0.1`) of the published values, which may differ from the current file. With
    `dry` nothing is started. Raises OverrideError, and ServiceError if nothing is published.
    """
    settings = list(settings)
    named = experiment or project.pipeline.experiment
    with service_calls("running the published pipeline"):
        family = find_published(ws, published_name(project))
        published = published_version(family, ws, version)
        values = published_values(project.plan, _defaults(ws, published), settings) if settings else {}
        if dry:
            return published.version or "", None
        run = _started(family.endpoint if version is None else None, published, ws, named, values)
        if project.pipeline.tags:
            run.set_tags(dict(project.pipeline.tags))
        return published.version or "", AzureRunRecord(
            id=run.id,
            experiment=named,
            status="waiting",
            url=run.get_portal_url(),
            started=time.time(),
            parameters=values,
            tags=dict(project.pipeline.tags),
        )


def _started(endpoint: Any | None, published: Any, ws: Any, experiment: str, values: Mapping[str, Scalar]) -> Any:
    from azml_tasks.azure.v1.pipeline import silently

    with silently():
        if endpoint is not None:
            return endpoint.submit(experiment, pipeline_parameters=dict(values))
        return published.submit(ws, experiment, pipeline_parameters=dict(values))


def _defaults(ws: Any, published: Any) -> dict[str, str]:
    interface = pipeline_service(ws).get_graph_interface_async(published.graph_id)
    return {parameter.name: parameter.default_value or "" for parameter in interface.parameters or ()}
