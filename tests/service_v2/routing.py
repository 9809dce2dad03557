"""The operations of v2, before those of v1 that they stand in front of."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call
from tests.service.routing import ARM, REGION, Routes

from .state import V2State

__all__ = ["ARM", "REGION", "routes", "state_of"]

routes = Routes()
"""All operations; the modules of `tests.service_v2.routes` fill it when they are imported."""


def state_of(call: Call) -> V2State:
    """Return what v2 keeps of the workspace, which has to be there."""
    _ = call.workspace
    service: Any = call.service
    return service.v2
