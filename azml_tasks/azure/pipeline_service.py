"""The SDK's own client of the service that keeps pipelines, endpoints and schedules."""

from __future__ import annotations

from typing import Any


def pipeline_service(ws: Any) -> Any:
    """Return the client that the SDK's public classes use, for what these do not show.

    `Schedule` hides the experiment of its runs, drops tags when it is switched off, and cannot be listed when a single
    stored schedule has a time zone that the SDK does not know; `PublishedPipeline` hides the defaults of its
    parameters, and `get_graph` fails where a step reads a registered dataset.
    """
    from azureml.pipeline.core._graph_context import _GraphContext

    return _GraphContext("azml", ws).workflow_provider._service_caller


def published_pipelines(ws: Any) -> list[tuple[Any, str]]:
    """Return the published pipelines of the workspace in all states, each with when it was created.

    The times are the service's texts, which sort by time; `PublishedPipeline` hides them.
    """
    from azureml.pipeline.core._graph_context import _GraphContext

    workflow = _GraphContext("azml", ws).workflow_provider
    provider = workflow.published_pipeline_provider
    entities = workflow._service_caller.get_all_published_pipelines(active_only=False)
    return [
        (provider.from_pipeline_entity(ws, entity, provider), str(entity.created_date or "")) for entity in entities
    ]
