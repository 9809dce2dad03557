"""What the SDK sends about itself; taken, and left out of the record."""

from __future__ import annotations

from typing import Any

from tests.service.call import Call
from tests.service.routing import routes

HOST = "dc.services.visualstudio.com"
REGIONAL = "*.in.applicationinsights.azure.com"


@routes.on("POST", HOST, "/v2/track", public=True)
@routes.on("POST", REGIONAL, "/v2/track", public=True)
@routes.on("POST", REGIONAL, "/v2.1/track", public=True)
def take_telemetry(call: Call) -> Any:
    count = len(call.json) if call.request.body[:1] == b"[" else call.request.body.count(b"\n") + 1
    return {"itemsReceived": count, "itemsAccepted": count, "errors": []}
