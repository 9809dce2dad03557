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
