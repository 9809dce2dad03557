"""Distinguish a service's response from that of a proxy or gateway in between.

A proxy, a gateway or a network's login page may answer with a 2xx: with an HTML page, with nothing, with half of the
JSON, or with other JSON. `unexpected` describes what is wrong with the JSON of such a response, `unreadable` with a
response to a request of SDK v1. `_EXPECTED` describes, by method and path of a request, what the service sends to it:
only what the SDK or the tasks read is required, so that a service that sends more, or less of the rest, is accepted.
Keys are compared without regard to case.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from azml_tasks.azure.errors import is_page, named_document, named_page, not_json

if TYPE_CHECKING:
    import requests

Check = Callable[[Any], str]
"""Returns what a value in JSON is instead of the expected one; empty if it is as expected."""


def object_with(*keys: str, **values: Check) -> Check:
    """Expect an object with all of the keys, in whichever case, and with these values."""

    def check(document: Any) -> str:
        if not isinstance(document, dict):
            return f"{named_document(document)} instead of an object"
        have = {str(key).lower(): value for key, value in document.items()}
        lacking = [key for key in (*keys, *values) if key.lower() not in have]
        if lacking:
            return f"an object without '{lacking[0]}'"
        return next((wrong for key, inner in values.items() if (wrong := inner(have[key.lower()]))), "")

    return check


def list_of(each: Check) -> Check:
    """Expect a list of such values."""

    def check(document: Any) -> str:
        if not isinstance(document, list):
            return f"{named_document(document)} instead of a list"
        return next((f"a list with {wrong}" for item in document if (wrong := each(item))), "")

    return check


def page_of(*keys: str) -> Check:
    """Expect an object whose `value` is a list of objects with all of the keys."""
    return object_with(value=list_of(object_with(*keys)))


def unexpected(body: bytes, check: Check, kind: str = "") -> str:
    """Return what a body is instead of the expected JSON; `kind` is its content type. Empty if it is as expected."""
    if not body.strip():
        return "an empty body"
    try:
        document = json.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return named_page(body) if "html" in kind or is_page(body) else not_json(body, error)
    return check(document)


_STORAGE = re.compile(r"\.(blob|dfs|file|queue|table)\.", re.IGNORECASE)
_BODILESS = (204, 205)
_COMPUTE = re.compile(r"/workspaces/[^/]+/computes/[^/]+$", re.IGNORECASE)
_SNAPSHOT = re.compile(r"/content/v[\d.]+/.*/snapshots/[-0-9a-f]{36}$", re.IGNORECASE)
_OPERATION = "Azure-AsyncOperation"


def unreadable(request: requests.PreparedRequest, response: requests.Response) -> str:
    """Return what was received instead of the service's response, such as `an empty body`; empty if it is readable.

    `response` is a 2xx, or a redirect: one to another site is not from the service either. Reads the body of what may
    be JSON or HTML. Raises what `requests` does when the connection breaks meanwhile.
    """
    if response.is_redirect:
        return _led_away(request.url or "", response.headers["Location"])
    if request.method == "HEAD" or response.status_code in _BODILESS:
        return ""
    address = (request.url or "").partition("?")[0]
    kind = response.headers.get("Content-Type", "").lower()
    if _STORAGE.search(address.split("/", 3)[2]):
        return _unreadable_storage(request, response, kind)
    if request.method in ("PUT", "PATCH") and _COMPUTE.search(address):
        return _unreadable_operation(request, response, kind)
    check = _check_of(request.method or "", address)
    return _unreadable_json(response.content, kind, check) if check or "json" in kind or "html" in kind else ""


def is_doubtful(request: requests.PreparedRequest, response: requests.Response) -> bool:
    """Return whether a 2xx to the creation of a snapshot may not be from the service.

    The SDK reads nothing of it, so that it is not known what the service sends. Sent again it does no harm, since the
    client chooses the snapshot's id.
    """
    address = (request.url or "").partition("?")[0]
    is_snapshot = request.method == "POST" and response.ok and _SNAPSHOT.search(address)
    return bool(is_snapshot and _unreadable_json(response.content, "", object_with("id")))


def _led_away(address: str, location: str) -> str:
    """Return the target of a redirect, if it is not the same service."""
    before, after = urlsplit(address), urlsplit(urljoin(address, location))
    domains = [(parts.hostname or "").split(".")[-2:] for parts in (before, after)]
    if after.scheme == "https" and domains[0] == domains[1]:
        return ""
    return f"a redirect to {after.scheme}://{after.hostname}"


def _unreadable_storage(request: requests.PreparedRequest, response: requests.Response, kind: str) -> str:
    if "html" in kind:  # no task reads a page
        return named_page(response.content)
    return "" if request.method != "PUT" or "x-ms-request-id" in response.headers else "no header 'x-ms-request-id'"


def _unreadable_operation(request: requests.PreparedRequest, response: requests.Response, kind: str) -> str:
    """Expect the address of the operation, which the body of a change of nothing may stand for."""
    if _OPERATION in response.headers:
        return ""
    if request.method == "PUT":
        return f"no header '{_OPERATION}'"
    return _unreadable_json(response.content, kind, object_with("properties"))


def _unreadable_json(body: bytes, kind: str, check: Check | None) -> str:
    if check:
        return unexpected(body, check, kind)
    return unexpected(body, lambda document: "", kind) if body.strip() else ""


def _list(*keys: str) -> Check:
    """Expect a list of objects with all of the keys."""
    return list_of(object_with(*keys))


def _some(check: Check) -> Check:
    """Expect what cannot be empty."""
    return lambda document: "an empty list" if document == [] else check(document)


def _or_null(check: Check) -> Check:
    return lambda document: "" if document is None else check(document)


def _clouds(document: Any) -> str:
    return "" if document and isinstance(document, (list, dict)) else f"{named_document(document)} instead of clouds"


def _check_of(method: str, address: str) -> Check | None:
    """Return the check for the response of a route; None if it may be empty or is unknown."""
    for methods, pattern, check in _EXPECTED:
        if method in methods and pattern.search(address):
            return check
    return None


def _on(methods: str, pattern: str, check: Check) -> tuple[tuple[str, ...], re.Pattern[str], Check]:
    return tuple(methods.split()), re.compile(pattern + "/?$", re.IGNORECASE), check


_PIPELINES = r"/pipelines/v1\.0/.*"
_EXPECTED = [
    # Login and listings.
    _on("GET", r"/metadata/endpoints", _clouds),
    _on("GET", r"/\.well-known/openid-configuration", object_with("token_endpoint")),
    _on("GET", r"/discovery/instance", object_with("tenant_discovery_endpoint")),
    _on("POST", r"/oauth2(/v2\.0)?/token", object_with("access_token")),
    _on("POST", r"/oauth2(/v2\.0)?/devicecode", object_with("device_code")),
    _on("GET", r"/(subscriptions|tenants)", page_of()),
    _on("GET", r"/subscriptions/[^/]+/resources", page_of()),
    _on("GET", r"/Microsoft\.MachineLearningServices/workspaces", page_of("id")),
    _on("GET", r"/Microsoft\.MachineLearningServices/workspaces/[^/]+", object_with("id", "properties")),
    _on("GET", r"/Microsoft\.MachineLearningServices/workspaces/[^/]+/data/[^/]+", object_with("id", "properties")),
    _on("POST", r"/list\w*Keys", object_with()),
    _on("GET", r"/discovery/workspaces/[^/]+", object_with("history", "pipelines")),
    # Registered resources.
    _on("GET PUT", r"/environment/v1\.0/.*/environments/[^/]+(/versions/[^/]+)?", object_with("name")),
    _on("GET", r"/environment/v1\.0/.*/environments", page_of("name")),
    _on("GET", r"/datastore/v1\.0/.*/(datastores/[^/]+|default)", object_with("name", "dataStoreType")),
    _on("GET", r"/datastore/v1\.0/.*/datastores", page_of("name")),
    _on("GET", r"/dataset/v1\.0/.*/datasets/query/name=[^/]+", object_with("datasetId", "latest")),
    _on("GET", r"/dataset/v1\.0/.*/datasets(/query/savedDatasetId=[^/]+)?", page_of("datasetId")),
    _on("POST", r"/dataset/v1\.0/.*/datasets", object_with("datasetId", "latest")),
    _on("PUT", r"/dataset/v1\.0/.*/datasets/[^/]+", object_with("datasetId", "latest")),
    _on("GET", r"/dataset/v1\.0/.*/saveddatasets/[^/]+", object_with("id")),
    _on("POST", r"/dataset/v1\.0/.*/saveddatasets", object_with("id")),
    _on("GET", r"/data/v1\.0/.*/dataversion/[^/]+/versions/[^/]+", object_with("legacyDataflow")),
    _on("GET", r"/workspaces/[^/]+/computes", page_of("name")),
    _on("GET", r"/workspaces/[^/]+/computes/[^/]+", object_with("name", "properties")),
    _on("GET", r"/computeOperationsStatus/[^/]+", object_with("status")),
    # Experiments, runs and their files.
    _on("GET POST", r"/history/v1\.0/.*/experiments/[^/:]+", object_with("experimentId")),
    _on("GET PATCH", r"/history/v1\.0/.*/experimentids/[^/]+", object_with("experimentId")),
    _on("POST", r"/experiments:query", page_of("experimentId")),
    _on("POST", r"/runs:query", page_of("runId")),
    _on("GET", r"/runs/[^/]+/children", page_of("runId")),
    _on("GET PATCH", r"/history/v1\.0/.*/runs/[^/]+(/details)?", object_with("runId")),
    _on("GET", r"/mlflow/.*/runs/get", object_with("run")),
    _on("POST", r"/metric/.*/list", page_of()),
    _on("POST", r"/metric/.*/full", object_with("value")),
    _on("GET", r"/artifact/.*/prefix/contentinfo/.*", page_of()),
    _on("GET", r"/artifact/.*/contentinfo/.*", object_with()),
    # Snapshots.
    _on("GET", r"/snapshots/latest/metadata", object_with("id")),
    _on("POST", r"/snapshots/getblob", object_with("fileNodes")),
    # Pipelines.
    _on("GET", _PIPELINES + r"/DataTypes", _some(_list("Id", "Name"))),
    _on("GET", _PIPELINES + r"/Modules/(Hash/)?[^/]+", object_with("Data")),
    _on("POST", _PIPELINES + r"/Modules", object_with("Id")),
    _on("POST", _PIPELINES + r"/PipelineRuns/Unsubmitted/CreationInfoWithGraph", object_with("Id")),
    _on("POST", _PIPELINES + r"/PipelineRuns/Pipeline(Endpoint)?Submit/(Id/)?[^/]+", object_with("Id")),
    _on("POST", _PIPELINES + r"/PipelineRuns/[^/]+/(Graph/AllNodes/Status(Code)?|Outputs)", _or_null(object_with())),
    _on("GET", _PIPELINES + r"/PipelineRuns/(Pipeline|Schedule)/[^/]+", _list("Id")),
    _on("GET", _PIPELINES + r"/PipelineRuns/[^/]+", object_with("Id")),
    _on("GET", _PIPELINES + r"/Graphs/[^/]+(/Interface)?", object_with()),
    _on("GET", _PIPELINES + r"/PipelineEndpoints/(Id/[^/]+|Name)", object_with("Id", "PipelineVersionList")),
    _on("GET", _PIPELINES + r"/PipelineEndpoints/[^/]+/pipelines", _list("Id")),
    _on("PUT", _PIPELINES + r"/PipelineEndpoints/[^/]+", object_with("Id", "PipelineVersionList")),
    _on("GET", _PIPELINES + r"/PipelineEndpoints", _list("Id", "PipelineVersionList")),
    _on("POST", _PIPELINES + r"/PipelineEndpoints/Create", object_with("Id", "PipelineVersionList")),
    _on("GET", _PIPELINES + r"/Schedules/(Pipeline|PipelineEndpoint)/[^/]+", _list("Id")),
    _on("GET PUT", _PIPELINES + r"/Schedules/[^/]+", object_with("Id")),
    _on("GET", _PIPELINES + r"/(Pipelines|Schedules)", _list("Id", "Name")),
    _on("POST", _PIPELINES + r"/(Pipelines|Schedules)/Create", object_with("Id")),
    _on("GET", _PIPELINES + r"/Pipelines/[^/]+", object_with("Id")),
]
