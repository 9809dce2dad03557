"""Read the run history of a workspace: states, times, logs, files and metrics of runs.

Microsoft's client has no public way to the times, properties and logs of a pipeline's steps, so these are plain
requests, to the addresses that the client and MLflow use themselves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from azml_tasks.azure.answers import Check, object_with, page_of, unexpected
from azml_tasks.azure.auth import Tokens, renewed
from azml_tasks.azure.errors import from_elsewhere, is_missing, is_page
from azml_tasks.azure.following import as_logged, last_values, metric_of
from azml_tasks.errors import ServiceError
from azml_tasks.launcher.values import DESCRIBED, valid_name

if TYPE_CHECKING:
    from requests import Response, Session

_RESOURCE = "https://management.azure.com"
_SECONDS = (20, 120)
_TRIES = 6
# Seconds before an answer that is not from Azure is asked for again.
PAUSES: tuple[float, ...] = (1, 3, 9)
_FAULTS = (408, 429, 500, 502, 503, 504)
_PIPELINES = "(RunType eq azureml.PipelineRun)"
_NEWEST_FIRST = "StartTimeUtc desc"
_PAGE = 100
_AT_ONCE = 8
_DATA_TYPES = ("uri_folder", "uri_file", "mltable")

Document = dict[str, Any]
_RUN = object_with("runId")
# Where Microsoft's registry is, and what the answer says about it (azure-ai-ml, _registry_utils.py).
_REGISTRY = "https://eastus.api.azureml.ms/registrymanagement/v1.0/registries/azureml/discovery"
_PLACE = ("primaryRegionResourceProviderUri", "subscriptionId", "resourceGroup")
_SECONDS_OF_REGISTRY = (5, 20)


def region_of(address: str) -> str:
    """Return the host of a workspace's region, from the address of its MLflow server.

    Raises ServiceError for an address without one.
    """
    host = urlsplit(address).netloc
    if not host:
        raise ServiceError(f"the workspace has no address for its runs: {address or 'none'}")
    return host


class History:
    """The runs of a workspace."""

    def __init__(self, host: str, scope: str, tokens: Tokens) -> None:
        self._base = f"https://{host}/history/v1.0{scope}"
        self._artifacts = f"https://{host}/artifact/v2.0{scope}/artifacts"
        self._mlflow = f"https://{host}/mlflow/v2.0{scope}/api/2.0/mlflow"
        self._datasets = f"https://{host}/dataset/v1.0{scope}/datasets"
        self._data = f"https://{host}/data/v1.0{scope}/dataversion"
        self._tokens = tokens
        self._opened: Session | None = None

    def run(self, identifier: str) -> Document | None:
        """Return a run, or None if there is none."""
        try:
            return self._get(f"{self._base}/runs/{quote(identifier)}", _RUN)
        except Exception as error:
            if not is_missing(error):
                raise
            return None

    def details(self, identifier: str) -> Document:
        """Return the details of a run, with the addresses of its logs."""
        return self._get(f"{self._base}/runs/{quote(identifier)}/details", _RUN)

    def children(self, identifier: str) -> list[Document]:
        """Return the runs of the steps of a run."""
        found: list[Document] = []
        token: str | None = None
        while True:
            parameters = {"$continuationtoken": token} if token else {}
            page = self._get(f"{self._base}/runs/{quote(identifier)}/children", page_of("runId"), parameters)
            found += page["value"]
            token = page.get("continuationToken")
            if not token:
                return found

    def runs(self, experiment: str) -> Iterator[Document]:
        """Yield the runs of pipelines of an experiment, the newest first; none if it does not exist."""
        body: Document = {"filter": _PIPELINES, "orderby": _NEWEST_FIRST, "top": _PAGE}
        while True:
            try:
                page = self._post(f"{self._base}/experiments/{quote(experiment)}/runs:query", page_of("runId"), body)
            except Exception as error:
                if not is_missing(error):
                    raise
                return
            yield from page["value"]
            if not page.get("continuationToken"):
                return
            body = {**body, "continuationToken": page["continuationToken"]}

    def metrics(self, identifier: str) -> list[Mapping[str, Any]]:
        """Return what a run logged, as `runs.show` takes it: one with several steps is a list."""
        found = self.mlflow_run(identifier)
        last, tags = last_values(found), (found["run"].get("data") or {}).get("tags") or []
        several = [one["key"] for one in last if int(one.get("step") or 0) > 0]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            lists = dict(zip(several, pool.map(lambda key: self._values(identifier, key), several), strict=True))
        numbers: list[Mapping[str, Any]] = [
            {"name": one["key"], "kind": "list", "value": as_logged(lists[one["key"]])}
            if len(lists.get(one["key"], ())) > 1
            else metric_of(one)
            for one in last
        ]
        return _with_parts_joined(numbers, {tag["key"]: tag.get("value") or "" for tag in tags})

    def mlflow_run(self, identifier: str) -> Document:
        """Return a run as the server of MLflow has it, with the last value of each metric."""
        return self._get(f"{self._mlflow}/runs/get", object_with(run=object_with()), {"run_id": identifier})

    def _values(self, identifier: str, key: str) -> list[Any]:
        parameters = {"run_id": identifier, "metric_key": key}
        found = self._get(f"{self._mlflow}/metrics/get-history", object_with(), parameters).get("metrics") or []
        return [one["value"] for one in sorted(found, key=lambda one: int(one.get("step") or 0))]

    def has_v1_dataset(self, name: str) -> bool:
        """Return whether SDK v1 has a dataset of this name, by the service that the SDK itself asks."""
        try:
            self._get(f"{self._datasets}/query/name={quote(name)}", object_with("datasetId"))
        except Exception as error:
            # A page that is not found is not an answer of the service.
            if not is_missing(error) or is_page(getattr(getattr(error, "response", None), "content", b"")):
                raise
            return False
        return True

    def registry_lacks(self, name: str, version: str) -> bool:
        """Return whether Microsoft's registry says that it does not have an environment, or an empty `version` of it.

        These are the requests of Microsoft's client. False if the registry cannot be asked: it is for Azure to refuse.
        """
        import requests

        headers = {"Authorization": f"Bearer {self._tokens(_RESOURCE)}"}
        try:
            found = requests.get(_REGISTRY, headers=headers, timeout=_SECONDS_OF_REGISTRY)
            found.raise_for_status()
            what = unexpected(found.content, object_with(*_PLACE))
            if what:
                return False
            host, subscription, group = (found.json()[key] for key in _PLACE)
            address = (
                f"{host.rstrip('/')}/mferp/managementfrontend/subscriptions/{subscription}/resourceGroups/{group}/providers"
                f"/Microsoft.MachineLearningServices/registries/azureml/environments/{quote(name)}"
            )
            address += f"/versions/{quote(version)}" if version else ""
            parameters = {"api-version": "2021-10-01-dataplanepreview"}
            answer = requests.get(address, parameters, headers=headers, timeout=_SECONDS_OF_REGISTRY)
        except requests.RequestException:
            return False
        return answer.status_code == 404 and not unexpected(answer.content, object_with("error"))

    def outputs(self, identifier: str) -> dict[str, str]:
        """Return the addresses of the output folders of a step's run by their names, as the client looks them up."""
        body = {"runId": identifier, "selectRunMetadata": True}
        run = self._post(f"{self._base}/rundata", object_with(runMetadata=object_with()), body)["runMetadata"]
        names = {
            str(asset["assetId"]): name
            for name, asset in (run.get("outputs") or {}).items()
            if asset.get("type") in _DATA_TYPES
        }
        if not names:
            return {}
        wanted = {"values": [*names]}
        found = self._post(f"{self._data}/batchGetResolvedUris", object_with(values=object_with()), wanted)["values"]
        return {names[asset]: str(place["uri"]) for asset, place in found.items() if asset in names}

    def files(self, identifier: str) -> list[str]:
        """Return the names of the files of a run."""
        found: list[str] = []
        token: str | None = None
        while True:
            parameters = {"continuationToken": token} if token else {}
            place = f"{self._artifacts}/ExperimentRun/dcid.{quote(identifier)}"
            page = self._get(place, page_of("path"), parameters)
            found += [str(item["path"]) for item in page["value"]]
            token = page.get("continuationToken")
            if not token:
                return sorted(found)

    def file(self, identifier: str, name: str, most: int) -> bytes | None:
        """Return the content of a file of a run; None if it is larger than `most` bytes."""
        headers = {"Range": f"bytes=0-{most}"}
        response = self._session.get(self._address(identifier, name), headers=headers, timeout=_SECONDS)
        return response.content if response.status_code in (200, 206) and len(response.content) <= most else None

    def save(self, identifier: str, name: str, target: Path) -> None:
        """Write a file of a run to a path. Raises OSError."""
        with self._session.get(self._address(identifier, name), stream=True, timeout=_SECONDS) as response:
            response.raise_for_status()
            with target.open("wb") as file:
                for chunk in response.iter_content(1 << 20):
                    file.write(chunk)

    def _address(self, identifier: str, name: str) -> str:
        """Return the signed address of a file, which needs no login."""
        place = f"{self._artifacts}/contentinfo/ExperimentRun/dcid.{quote(identifier)}/{quote(name)}"
        return str(self._get(place, object_with("contentUri"))["contentUri"])

    @property
    def _session(self) -> Session:
        import requests
        from requests.adapters import HTTPAdapter
        from urllib3.util import Retry

        if self._opened is None:
            self._opened = requests.Session()
            # Everything here only reads, so everything may be repeated.
            retry = Retry(
                _TRIES,
                backoff_factor=0.5,
                backoff_max=20,
                status_forcelist=_FAULTS,
                allowed_methods=None,
                raise_on_status=False,
            )
            adapter = HTTPAdapter(pool_maxsize=2 * _AT_ONCE, max_retries=retry)
            self._opened.mount("https://", adapter)
        return self._opened

    def _get(self, address: str, expected: Check, parameters: Mapping[str, str] | None = None) -> Document:
        return self._ask("GET", address, expected, params=parameters)

    def _post(self, address: str, expected: Check, body: Mapping[str, Any]) -> Document:
        return self._ask("POST", address, expected, json=body)

    def _ask(self, method: str, address: str, expected: Check, **content: Any) -> Document:
        """Return the object in an answer. Raises InvalidJSONError if it is of something else than Azure."""
        from requests.exceptions import InvalidJSONError

        token = self._tokens(_RESOURCE)
        for wait in (*PAUSES, None):
            response = self._send(method, address, token, content)
            if response.status_code == 401:
                token = renewed(token) or token
                response = self._send(method, address, token, content)
            response.raise_for_status()
            what = unexpected(response.content, expected)
            if not what:
                found: Document = response.json()
                return found
            # The page of a proxy may be gone the next time.
            if wait is not None:
                time.sleep(wait)
        raise InvalidJSONError(from_elsewhere(f"{response.status_code} {response.reason}".rstrip(), what))

    def _send(self, method: str, address: str, token: str, content: Mapping[str, Any]) -> Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self._session.request(method, address, headers=headers, timeout=_SECONDS, **content)


def described_metrics(tags: Mapping[str, str]) -> Mapping[str, list[str] | None]:
    """Return the columns of the rows and tables that a script logged, by name; None for texts."""
    try:
        found = json.loads(tags.get(DESCRIBED) or "{}")
    except (ValueError, RecursionError):
        return {}
    # Anybody may have changed the tag.
    pairs = found.items() if isinstance(found, dict) else ()
    return {name: columns for name, columns in pairs if columns is None or _is_texts(columns)}


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def tags_of_metrics(tags: Mapping[str, str]) -> set[str]:
    """Return the tags that are parts of metrics."""
    described = described_metrics(tags)
    parts = (f"{name}.{column}" for name, columns in described.items() for column in columns or ())
    return {DESCRIBED, *map(valid_name, (*parts, *(name for name, columns in described.items() if columns is None)))}


def _with_parts_joined(metrics: list[Mapping[str, Any]], tags: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the metrics with rows, tables and texts as they were logged: the launcher sends their parts."""
    values = {str(one["name"]): one["value"] for one in metrics}
    joined: list[Mapping[str, Any]] = []
    parts = set()
    for name, columns in described_metrics(tags).items():
        keys = {column: valid_name(f"{name}.{column}") for column in columns} if columns else {"": valid_name(name)}
        found = {
            column: values.get(key, _texts(tags.get(key, "")))
            for column, key in keys.items()
            if key in {*values, *tags}
        }
        if columns is None and found and keys[""] not in values:
            joined.append({"name": name, "kind": "scalar", "value": found[""]})
        elif columns and found:
            parts |= {*keys.values()}
            joined.append({"name": name, "kind": "table", "value": found})
    return [*(one for one in metrics if one["name"] not in parts), *joined]


def _texts(tag: str) -> Any:
    """Return a text, or the texts that the launcher put into one tag."""
    try:
        found = json.loads(tag) if tag.startswith("[") else tag
    except (ValueError, RecursionError):
        return tag
    return found if isinstance(found, list) else tag
