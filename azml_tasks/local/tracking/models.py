"""The models that MLflow 3 logs: descriptions next to the run that made them, files among the run's."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from azml_tasks.local.store.files import read_json, write_json
from azml_tasks.local.tracking.errors import TrackingError
from azml_tasks.local.tracking.runs import TrackedRun
from azml_tasks.text import shortened

_FOLDER = "models"
# Room for the number of a folder below what file systems take.
_LONGEST_NAME = 250
_ID = re.compile(r"m-[0-9a-f]{32}")


def make_model(run: TrackedRun, values: Mapping[str, Any]) -> dict[str, Any]:
    """Make a model and return it in MLflow's form. Raises TrackingError, OSError."""
    name = str(values.get("name") or f"model-{secrets.token_hex(4)}")
    if re.search(r"[/\\:.%\"'\x00-\x1f]", name) or name in ("", os.curdir, os.pardir):
        raise TrackingError(f"Invalid model name ({shortened(name)}) provided.")
    if len(name.encode()) > _LONGEST_NAME:
        raise TrackingError(f"Invalid model name ({shortened(name)}) provided: it has more than {_LONGEST_NAME} bytes.")
    model_id = f"m-{secrets.token_hex(16)}"
    now = time.time_ns() // 1_000_000
    info = {
        "model_id": model_id,
        "experiment_id": run.experiment,
        "name": name,
        "creation_timestamp_ms": now,
        "last_updated_timestamp_ms": now,
        "artifact_uri": _make_folder(run.artifacts, name).absolute().as_uri(),
        "status": "LOGGED_MODEL_PENDING",
        "model_type": values.get("model_type") or "",
        "source_run_id": values.get("source_run_id") or run.run_id,
        "tags": _pairs(run, values.get("tags")),
    }
    model = {"info": info, "data": {"params": _pairs(run, values.get("params")), "metrics": []}}
    write_json(_file(run, model_id), model)
    return model


def _make_folder(artifacts: Path, name: str) -> Path:
    """Make a new folder among the run's files, where MLflow 2 has the model: its name, or with a number."""
    artifacts.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        folder = artifacts / (name if number == 1 else f"{name}_{number}")
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            continue
        return folder


def change_model(run: TrackedRun, model: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Store changes of a model and return it: `status`, `params`, `tags`, `metrics`, `without_tag`. Raises OSError."""
    info, data = model["info"], model["data"]
    if "status" in changes:
        info["status"] = changes["status"]
    if "tags" in changes:
        info["tags"] = _merged(info["tags"], _pairs(run, changes["tags"]))
    if "without_tag" in changes:
        info["tags"] = [tag for tag in info["tags"] if tag["key"] != changes["without_tag"]]
    if "params" in changes:
        data["params"] = _merged(data["params"], _pairs(run, changes["params"]))
    if "metrics" in changes:
        data["metrics"] = [*data["metrics"], *changes["metrics"]]
    info["last_updated_timestamp_ms"] = time.time_ns() // 1_000_000
    write_json(_file(run, info["model_id"]), model)
    return model


def delete_model(run: TrackedRun, model: Mapping[str, Any]) -> None:
    """Delete the description of a model; its files stay with the run. Raises OSError."""
    _file(run, model["info"]["model_id"]).unlink(missing_ok=True)


def models_of(run: TrackedRun) -> Iterator[dict[str, Any]]:
    """Yield the models of a run, the oldest first."""
    folder = run.folder / _FOLDER
    names = sorted(os.listdir(folder)) if folder.is_dir() else []
    found = (read_json(folder / name) for name in names if _ID.fullmatch(name.removesuffix(".json")))
    whole = [model for model in found if model and {"info", "data"} <= model.keys()]
    yield from sorted(whole, key=lambda model: int(model["info"].get("creation_timestamp_ms", 0)))


def model_of(run: TrackedRun, model_id: str) -> dict[str, Any] | None:
    """Return a model of a run by its id; None if the run has not made it."""
    return read_json(_file(run, model_id)) if _ID.fullmatch(model_id) else None


def _file(run: TrackedRun, model_id: str) -> Path:
    return run.folder / _FOLDER / f"{model_id}.json"


def _pairs(run: TrackedRun, values: object) -> list[dict[str, str]]:
    """Return keys and values as the record may have them."""
    items = [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []
    pairs = [(str(item.get("key")), str(item.get("value", ""))) for item in items]
    return [{"key": key, "value": run.hidden(key, value)} for key, value in pairs]


def _merged(known: list[dict[str, str]], new: list[dict[str, str]]) -> list[dict[str, str]]:
    merged = {**{item["key"]: item["value"] for item in known}, **{item["key"]: item["value"] for item in new}}
    return [{"key": key, "value": value} for key, value in merged.items()]
