"""Check whether a POST whose response was lost took effect.

`LOOKUPS` says, by the path of the POST, how: each look-up sends requests that change nothing, and returns the answer
that the SDK would have had, or None when nothing was made and the POST may be repeated. A route that makes something
twice and is not listed here is repeated only where it cannot have taken effect.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests


class Repeat(enum.Enum):
    """Whether a request can be repeated, without a look-up."""

    FREELY = "sending it again has no further effect"
    WHEN_NOT_TAKEN = "it may create something twice, and this cannot be checked"


@dataclass(frozen=True)
class Exchange:
    """A POST that was sent, and a way to ask the same service about it."""

    request: requests.PreparedRequest
    send: Callable[[requests.PreparedRequest], requests.Response]

    @property
    def address(self) -> str:
        """The POST's address without its query."""
        return (self.request.url or "").partition("?")[0]

    @property
    def body(self) -> Any:
        """What was posted, parsed."""
        body = self.request.body
        return json.loads(body) if isinstance(body, (bytes, str)) and body else None

    def get(self, address: str) -> Any:
        """Return the JSON at a URL, requested with the POST's login, or None if there is nothing."""
        request = requests.Request("GET", address, headers=_without_body(self.request.headers)).prepare()
        response = self.send(request)
        if response.status_code == 404:
            return None
        response.raise_for_status()
        return response.json()

    def answer(self, document: Any, status: int = 200) -> requests.Response:
        """Return the response that the service would have sent."""
        response = requests.Response()
        response.status_code = status
        response.url = self.request.url or ""
        response.request = self.request
        response.headers["Content-Type"] = "application/json"
        response.encoding = "utf-8"
        response.raw = io.BytesIO(json.dumps(document).encode())
        return response


Look = Callable[[Exchange], "requests.Response | None"]


def repeat_of(request: requests.PreparedRequest) -> Repeat | Look:
    """Return how a request may be repeated after a failure."""
    if request.method == "PUT" and request.headers.get("If-None-Match") == "*":
        return _uploaded
    if request.method != "POST":
        return Repeat.FREELY
    address = (request.url or "").partition("?")[0]
    for pattern, repeat in LOOKUPS:
        if pattern.search(address):
            return repeat
    return Repeat.WHEN_NOT_TAKEN


def _without_body(headers: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in headers.items() if not name.lower().startswith(("content-", "transfer-"))}


def _same_address(exchange: Exchange) -> requests.Response | None:
    """Find a resource that the client named: it is read at the URL of the POST."""
    found = exchange.get(exchange.address)
    return None if found is None else exchange.answer(found)


def _datastore(exchange: Exchange) -> requests.Response | None:
    """Find a datastore by its name, with the place and the secret that were sent; the POST's answer is empty.

    Where the service hides the secret the POST is repeated, and refused as a second one when the first took effect.
    """
    sent = exchange.body
    found = exchange.get(f"{exchange.address}/{quote(sent['name'])}")
    if found is None or _storage(found) != _storage(sent):
        return None
    return exchange.answer(None)


def _storage(datastore: Mapping[str, Any]) -> tuple[Any, ...]:
    section = datastore["azureStorageSection"]
    secret = section.get("credential") or section.get("accountKey") or section.get("sasToken")
    return section.get("accountName"), section.get("containerName"), secret


def _dataset(exchange: Exchange) -> requests.Response | None:
    """Find a dataset by its name; the newest version is ours when it has the definition that was sent."""
    sent = exchange.body
    found = exchange.get(f"{exchange.address}/query/name={quote(sent['name'], safe='')}")
    if found is None or found["latest"]["dataflow"] != sent["latest"]["dataflow"]:
        return None
    return exchange.answer(found)


def _module(exchange: Exchange) -> requests.Response | None:
    """Find a step's module by its hash, as the SDK does before it makes one."""
    fingerprint = exchange.body.get("IdentifierHash")
    found = exchange.get(f"{exchange.address}/Hash/{fingerprint}") if fingerprint else None
    return None if found is None else exchange.answer(found["Data"])


def _uploaded(exchange: Exchange) -> requests.Response | None:
    """Find a blob that was to be put where there was none, by its content; a second PUT would be refused."""
    ignored = ("content-", "transfer-", "if-")
    headers = {name: value for name, value in exchange.request.headers.items() if not name.lower().startswith(ignored)}
    found = exchange.send(requests.Request("HEAD", exchange.request.url, headers=headers).prepare())
    if not found.ok or found.headers.get("Content-MD5") != _md5(exchange.request.body):
        return None
    answer = exchange.answer(None, 201)
    answer.headers.update({name: found.headers[name] for name in ("ETag", "Last-Modified", "Content-MD5")})
    return answer


def _md5(body: Any) -> str:
    """Return a body's MD5 as storage tells it; a stream is read from its start, and left there."""
    if hasattr(body, "read"):
        body.seek(0)
        content = body.read()
        body.seek(0)
    else:
        content = body or b""
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def _submitted(exchange: Exchange) -> requests.Response | None:
    """See whether a run that was made before has started."""
    base, _, identifier = exchange.address.partition("/Submit/")
    found = exchange.get(f"{base}/{identifier}") or {}
    status = (found.get("Status") or {}).get("StatusCode")
    return None if status in (None, "0", "NotStarted") else exchange.answer(None)


def _published(exchange: Exchange) -> requests.Response | None:
    """Find a published pipeline by its name and version, which is made of its content; the newest comes last."""
    sent = exchange.body
    there = exchange.get(f"{_parent(exchange)}?activeOnly=true") or ()
    ours = [item for item in there if all(item.get(key) == sent.get(key) for key in ("Name", "Version"))]
    return exchange.answer(ours[-1]) if ours and sent.get("Version") else None


def _endpoint(exchange: Exchange) -> requests.Response | None:
    """Find a pipeline endpoint by its name, of which a workspace has one."""
    sent = exchange.body
    found = exchange.get(f"{_parent(exchange)}/Name?Name={quote(sent['Name'], safe='')}")
    return None if found is None or not _runs(found, sent["PipelineId"]) else exchange.answer(found)


def _schedule(exchange: Exchange) -> requests.Response | None:
    """Find an active schedule of the name that runs the same thing at the same times."""
    sent = exchange.body
    there = exchange.get(f"{_parent(exchange)}?activeOnly=true") or ()
    ours = [item for item in there if _timing(item) == _timing(sent)]
    return exchange.answer(ours[-1]) if ours else None


def _parent(exchange: Exchange) -> str:
    """Return the URL of the list of what `/Create` creates."""
    return exchange.address.rpartition("/")[0]


def _runs(endpoint: Mapping[str, Any], pipeline_id: str) -> bool:
    return any(version["PipelineId"] == pipeline_id for version in endpoint["PipelineVersionList"])


def _timing(schedule: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what identifies a schedule; the service adds keys that were not sent."""
    recurrence = schedule.get("Recurrence") or {}
    watched = schedule.get("DataStoreTriggerInfo") or {}
    return (
        schedule["Name"],
        schedule.get("PipelineId"),
        schedule.get("PipelineEndpointId"),
        (schedule.get("PipelineSubmissionInfo") or {}).get("ExperimentName"),
        recurrence.get("Interval"),
        (recurrence.get("StartTime") or "")[:19],
        watched.get("DataStoreName"),
        watched.get("PathOnDataStore") or None,
    )


def _path(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern + "$", re.IGNORECASE)


LOOKUPS: list[tuple[re.Pattern[str], Repeat | Look]] = [
    # Login, and queries by POST.
    (_path(r"/oauth2(/v2\.0)?/token"), Repeat.FREELY),
    (_path(r"/list\w*Keys"), Repeat.FREELY),
    (_path(r":query"), Repeat.FREELY),
    (_path(r"/Graph/(AllNodes|Node|Shareable)/\w+"), Repeat.FREELY),
    (_path(r"/PipelineRuns/[^/]+/Outputs"), Repeat.FREELY),
    # With an identifier from the client, or derived from the content.
    (_path(r"/snapshots/[^/]+(/zip)?"), Repeat.FREELY),
    (_path(r"/saveddatasets"), Repeat.FREELY),
    # A run that is not submitted never starts, and shows nowhere.
    (_path(r"/PipelineRuns/Unsubmitted/CreationInfoWithGraph"), Repeat.FREELY),
    # With an identifier from the service.
    (_path(r"/datastore/v1\.0/.*/datastores"), _datastore),
    (_path(r"/dataset/v1\.0/.*/datasets"), _dataset),
    (_path(r"/history/v1\.0/.*/experiments/[^/:]+"), _same_address),
    (_path(r"/pipelines/v1\.0/.*/Modules"), _module),
    (_path(r"/pipelines/v1\.0/.*/PipelineRuns/Submit/[^/]+"), _submitted),
    (_path(r"/pipelines/v1\.0/.*/Pipelines/Create"), _published),
    (_path(r"/pipelines/v1\.0/.*/PipelineEndpoints/Create"), _endpoint),
    (_path(r"/pipelines/v1\.0/.*/Schedules/Create"), _schedule),
]
