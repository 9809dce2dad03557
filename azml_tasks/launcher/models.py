"""Register the models that a step registers: their files go to outputs/models/, and from there to the registry.

That is what `mlflow.register_model("runs:/RUN/PATH", NAME)` sends, at the end of the step, when its files are there.
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


def _copy(source: str, target: str) -> None:
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(source):
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")
