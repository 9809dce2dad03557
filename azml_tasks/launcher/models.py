"""Register what a step registers, at its end: models, and outputs as data assets.

The files of a model go to outputs/models/, and from there to the registry, with the requests that
`mlflow.register_model("runs:/RUN/PATH", NAME)` sends. An output is registered only if the step succeeds; if its name
were in the job, Azure ML would register it also if the step fails.
"""

from __future__ import annotations

import json
import os
import shutil

from .tracking import RefusedError, say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .context import Step
    from .tracking import Tracking

    Json = dict[str, Any]

_FOLDER = os.path.join("outputs", "models")
_EXISTS = "RESOURCE_ALREADY_EXISTS"
# The tag of a data asset with the run that wrote it (azml_tasks/azure/v2/data.py looks for it).
_RUN = "azml_tasks.run"
# How often the next version is looked for when another job takes it.
_TRIES = 5


class Models:
    """The models that the step has registered with the stand-in."""

    def __init__(self, step: Step, tracking: Tracking) -> None:
        self._step = step
        self._tracking = tracking

    def register(self) -> None:
        """Register each of them; one that cannot be registered is a line."""
        for name, version, described in self._found():
            place = os.path.join(_FOLDER, name, version, described["file"])
            source = os.path.join(self._step.models, name, version, "files", described["file"])
            try:
                _copy(source, place)
                made = self._made(name, place, described)
            except (RefusedError, OSError) as error:
                path = f"azureml://jobs/{self._step.run_id}/outputs/artifacts/paths/{_posix(place)}"
                say(
                    f"model '{name}' is not registered: {error}; to register it, run `az ml model create --name {name} "
                    f"--type custom_model --path {path}`"
                )
            else:
                say(f"model '{name}' is registered as version {made}")

    def _found(self) -> Iterator[tuple[str, str, Json]]:
        root = self._step.models
        for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
            for version in sorted(filter(str.isdecimal, os.listdir(os.path.join(root, name))), key=int):
                try:
                    with open(os.path.join(root, name, version, "model.json"), encoding="utf-8") as file:
                        yield name, version, json.load(file)
                except (OSError, ValueError):
                    continue

    def _made(self, name: str, place: str, described: Json) -> str:
        """Return the version that is made. Raises RefusedError."""
        if not self._tracking.is_there:
            raise RefusedError(0, "MLFLOW_TRACKING_URI is not set in this job")
        run_id = self._step.run_id
        try:
            self._tracking.send("registered-models/create", {"name": name})
        except RefusedError as error:
            if error.status != 409 and _EXISTS not in str(error) and "exist" not in str(error):
                raise
        info = self._tracking.send("runs/get", {"run_id": run_id}).get("run", {}).get("info", {})
        pairs = {**(described.get("properties") or {}), **(described.get("tags") or {})}
        source = f"{str(info.get('artifact_uri') or '').rstrip('/')}/{_posix(place)}"
        values = {
            "name": name,
            "source": source,
            "run_id": run_id,
            "tags": [{"key": key, "value": value or ""} for key, value in pairs.items()],
        }
        if described.get("description"):
            values["description"] = described["description"]
        made = self._tracking.send("model-versions/create", values, lambda: self._version(name, source))
        return str(made.get("model_version", {}).get("version", "?"))

    def _version(self, name: str, source: str) -> Json:
        """Return the newest version of a model, as an answer, if it has these files. Raises RefusedError."""
        known = self._tracking.send("registered-models/get", {"name": name}).get("registered_model", {})
        versions = (version for version in known.get("latest_versions") or [] if version.get("source") == source)
        return next(({"model_version": version} for version in versions), {})


def register_outputs(step: Step, tracking: Tracking) -> None:
    """Register the outputs of a step that succeeded; one that cannot be registered is a line."""
    for name, path in step.registered:
        try:
            version = _registered_output(step.run_id, tracking, name, path)
        except RefusedError as error:
            say(
                f"the output is not registered as '{name}': {error}; `invoke run` registers it if it follows the run, "
                f"else run `az ml data create --name {name} --type uri_folder --path {path}`"
            )
        else:
            say(f"the output is registered as the data asset '{name}', version {version}")


def _registered_output(run_id: str, tracking: Tracking, name: str, path: str) -> str:
    """Return the version of the data asset, made unless it is there. Raises RefusedError."""
    if not tracking.is_there:
        raise RefusedError(0, "MLFLOW_TRACKING_URI is not set in this job")
    route = f"dataversion/{name}/versions"
    refused = RefusedError(0, "other jobs keep adding versions")
    for _ in range(_TRIES):
        there = _versions(tracking, route)
        for one in there:
            if ((one.get("mutableProps") or {}).get("tags") or {}).get(_RUN) == run_id:
                return str(one.get("versionId"))
        numbers = [int(str(one.get("versionId"))) for one in there if str(one.get("versionId")).isdecimal()]
        version = str(max(numbers, default=0) + 1)
        values = {
            "dataContainerName": name,
            "dataType": "UriFolder",
            "dataUri": path,
            "versionId": version,
            "mutableProps": {"tags": {_RUN: run_id}},
        }
        try:
            if not there:
                _make_container(tracking, name)
            tracking.send_data(route, values)
        except RefusedError as error:
            # Taken by another job, or made by a request whose answer was lost.
            if error.status not in (400, 409):
                raise
            refused = error
            continue
        return version
    raise refused


def _versions(tracking: Tracking, route: str) -> list[Json]:
    """Return the versions of a data asset; none if it does not exist."""
    try:
        found = tracking.send_data(route).get("value") or []
    except RefusedError as error:
        if error.status != 404:
            raise
        found = []
    return [one.get("dataVersion") or {} for one in found]


def _make_container(tracking: Tracking, name: str) -> None:
    try:
        tracking.send_data("datacontainer", {"name": name, "dataType": "UriFolder"})
    except RefusedError as error:
        if error.status not in (400, 409):  # it is there already
            raise


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")
