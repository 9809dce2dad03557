"""One MLflow run as files of a step's record: the step's own run or a child of it."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from azml_tasks.local.store.files import read_json, read_lines, write_json
from azml_tasks.local.tracking.errors import TrackingError
from azml_tasks.local.tracking.lines import append_lines, milliseconds_of, time_text

# MLflow's states by those of azureml-core, and by those of the runner's records.
_STATES = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED", "NotStarted": "SCHEDULED"}
_ENDED = {"completed": "FINISHED", "reused": "FINISHED", "failed": "FAILED", "cancelled": "KILLED"}
_ENDED["interrupted"] = "KILLED"
_FILES = ("metrics.jsonl", "params.jsonl", "tags.jsonl", "inputs.jsonl")
_NAME = "mlflow.runName"
# Called with a name and a value; returns the value that may be stored.
Hide = Callable[[str, str], str]


def mlflow_id(run_id: str) -> str:
    """Return a run's id in the characters that MLflow accepts."""
    return re.sub(r"[^\w-]", "_", run_id)[:256]


class TrackedRun:
    """A run in a folder; `record` is the step's record, None for a child run, whose own is run.json.

    `experiment` is its experiment's id, and `path` the names that lead to it: `train>fold 1`.
    """

    def __init__(
        self,
        folder: Path,
        run_id: str,
        name: str,
        experiment: str,
        hide: Hide,
        *,
        record: Path | None = None,
        path: str = "",
    ) -> None:
        self.folder = folder
        self.run_id = run_id
        self.experiment = experiment
        self._name = name
        self._path = path or name
        self._record = record
        self._hide = hide
        self._hidden: dict[tuple[str, str], str] = {}
        """What was logged, where the record hides it."""
        self._params: dict[str, str] | None = None

    @property
    def is_step(self) -> bool:
        """Whether it is a step's own run."""
        return self._record is not None

    @property
    def artifacts(self) -> Path:
        """The folder of its files."""
        return self.folder / "artifacts"

    @property
    def files(self) -> Iterator[str]:
        """The files that it is read from."""
        return (str(self.folder / name) for name in _FILES)

    # Logging

    def log_metrics(self, metrics: Iterable[Mapping[str, Any]]) -> None:
        """Record values of metrics. Raises TrackingError, OSError."""
        append_lines(self.folder / "metrics.jsonl", [_metric_line(metric) for metric in metrics])

    def log_params(self, params: Iterable[Mapping[str, Any]], in_batch: bool = False) -> None:
        """Record parameters, which do not change. Raises TrackingError with MLflow's own message, OSError."""
        known = self.params()
        new: dict[str, str] = {}
        changed = []
        for param in params:
            key, value = _key_of(param), str(param.get("value", ""))
            old = new.get(key, known.get(key))
            if old is None:
                new[key] = value
            elif old != value:
                changed.append({"key": key, "old_value": old, "new_value": value})
        if changed:
            raise TrackingError(self._not_changed(changed, in_batch))
        append_lines(self.folder / "params.jsonl", [self._pair("param", key, value) for key, value in new.items()])
        known.update(new)

    def _not_changed(self, changed: list[dict[str, str]], in_batch: bool) -> str:
        if in_batch:
            return (
                f"Changing param values is not allowed. Params were already logged='{changed}' "
                f"for run ID='{self.run_id}'."
            )
        one = changed[0]
        return (
            f"Changing param values is not allowed. Param with key='{one['key']}' was already logged with "
            f"value='{one['old_value']}' for run ID='{self.run_id}'. Attempted logging new value '{one['new_value']}'."
        )

    def set_tags(self, tags: Iterable[Mapping[str, Any]]) -> None:
        """Set tags. Raises TrackingError, OSError."""
        pairs = [(_key_of(tag), str(tag.get("value", ""))) for tag in tags]
        append_lines(self.folder / "tags.jsonl", [self._pair("tag", key, value) for key, value in pairs])

    def delete_tag(self, key: str) -> None:
        """Delete a tag. Raises TrackingError if the run does not have it, OSError."""
        if key not in self.tags():
            raise TrackingError(f"No tag with name: {key} in run with id {self.run_id}", "RESOURCE_DOES_NOT_EXIST", 404)
        append_lines(self.folder / "tags.jsonl", [{"key": key, "removed": True}])

    def log_inputs(self, inputs: Iterable[Mapping[str, Any]]) -> None:
        """Record datasets and models that the run read. Raises OSError."""
        append_lines(self.folder / "inputs.jsonl", [{"dataset": self._without_secrets(dict(item))} for item in inputs])

    def log_models(self, kind: str, models: Iterable[Mapping[str, Any]]) -> None:
        """Record the ids of models that the run read (`input`) or wrote (`output`). Raises OSError."""
        append_lines(self.folder / "inputs.jsonl", [{kind: dict(item)} for item in models])

    def record_model(self, text: str) -> None:
        """Add a model to the tag that MLflow 2 lists models in. Raises TrackingError, OSError."""
        try:
            models = [*json.loads(self.tags().get("mlflow.log-model.history", "[]")), json.loads(text)]
        except ValueError:
            raise TrackingError("Malformed model info") from None
        self.set_tags([{"key": "mlflow.log-model.history", "value": json.dumps(models)}])

    def update(self, values: Mapping[str, Any]) -> None:
        """Note how a child run ended; the end of a step's own run is that of its process. Raises OSError."""
        if name := values.get("run_name"):
            self.set_tags([{"key": _NAME, "value": name}])
        status = values.get("status")
        if self.is_step or status is None:
            return
        states = {mlflows: name for name, mlflows in _STATES.items()}
        ended = int(values.get("end_time") or 0)
        described = {"status": states.get(status, "Running"), **({"time": time_text(ended)} if ended else {})}
        write_json(self.folder / "status.json", described)

    def set_stage(self, stage: str) -> None:
        """Mark a child run as `deleted` or `active`. Raises OSError."""
        described = read_json(self.folder / "run.json") or {}
        write_json(self.folder / "run.json", {**described, "stage": stage})

    def hidden(self, key: str, value: str) -> str:
        """Return a value as the record may have it."""
        return self._hide(key, value)

    def _without_secrets(self, value: Any, key: str = "") -> Any:
        """Return what was sent without the secrets in its texts, such as the signature in a dataset's address."""
        if isinstance(value, dict):
            return {name: self._without_secrets(inner, str(name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._without_secrets(inner, key) for inner in value]
        return self._hide(key, value) if isinstance(value, str) else value

    def _pair(self, kind: str, key: str, value: str) -> dict[str, str]:
        stored = self._hide(key, value)
        if stored != value:
            self._hidden[kind, key] = value
        else:
            self._hidden.pop((kind, key), None)
        return {"key": key, "value": stored}

    # Reading

    def params(self) -> dict[str, str]:
        """Return the parameters."""
        if self._params is None:
            lines = read_lines(self.folder / "params.jsonl")
            self._params = {str(line["key"]): str(line.get("value")) for line in lines if "key" in line}
        return self._params

    def tags(self) -> dict[str, str]:
        """Return the tags."""
        tags: dict[str, str] = {_NAME: self._name}
        for line in read_lines(self.folder / "tags.jsonl"):
            key = str(line.get("key"))
            tags.pop(key, None)
            if not line.get("removed"):
                tags[key] = self._hidden.get(("tag", key), str(line.get("value") or ""))
        return tags

    def history(self, key: str | None = None) -> list[dict[str, Any]]:
        """Return all values of metrics in MLflow's form, also those of `run.log`."""
        found = []
        for line in read_lines(self.folder / "metrics.jsonl"):
            values = line.get("value")
            if key in (None, line.get("name")) and isinstance(line.get("name"), str):
                times = {"timestamp": milliseconds_of(line.get("time")), "step": line.get("step") or 0}
                for value in values if isinstance(values, list) else [values]:
                    if (number := _number(value)) is not None:
                        found.append({"key": line["name"], "value": number, **times})
        return found

    @staticmethod
    def metric_key(metric: Mapping[str, Any]) -> tuple[str, str, int, int]:
        """Return what tells a value of a metric from others."""
        value = str(_number(metric.get("value")))
        return str(metric.get("key")), value, int(metric.get("timestamp") or 0), int(metric.get("step") or 0)

    def metric_keys(self) -> set[tuple[str, str, int, int]]:
        """Return those of all values that were logged."""
        return {self.metric_key(metric) for metric in self.history()}

    def metrics(self) -> dict[str, dict[str, Any]]:
        """Return the latest value of each metric: that of the highest step, then time."""
        latest: dict[str, dict[str, Any]] = {}
        for metric in self.history():
            known = latest.get(metric["key"])
            if known is None or _order(metric) >= _order(known):
                latest[metric["key"]] = metric
        return latest

    def info(self) -> dict[str, Any]:
        """Return the run's description in MLflow's form."""
        described = (read_json(self._record if self._record else self.folder / "run.json")) or {}
        status = self._status(described)
        info = {
            "run_id": self.run_id,
            "run_uuid": self.run_id,
            "run_name": self.tags().get(_NAME, self._name),
            "experiment_id": self.experiment,
            "user_id": described.get("user", ""),
            "status": status,
            "start_time": int((described.get("started") or 0) * 1000),
            "artifact_uri": self.artifacts.absolute().as_uri(),
            "lifecycle_stage": described.get("stage", "active"),
        }
        ended = described.get("finished")
        if ended is None and not self.is_step:
            ended = milliseconds_of((read_json(self.folder / "status.json") or {}).get("time")) / 1000
        return {**info, **({"end_time": round(ended * 1000)} if ended else {})}

    def _status(self, described: Mapping[str, Any]) -> str:
        if self.is_step:
            return _ENDED.get(str(described.get("status")), "RUNNING")
        status = (read_json(self.folder / "status.json") or {}).get("status")
        return _STATES.get(str(status), "RUNNING")

    def as_json(self) -> dict[str, Any]:
        """Return the run in MLflow's form."""
        params = {**self.params(), **{key: value for (kind, key), value in self._hidden.items() if kind == "param"}}
        lines = read_lines(self.folder / "inputs.jsonl")
        data = {
            "metrics": [*self.metrics().values()],
            "params": [{"key": key, "value": value} for key, value in params.items()],
            "tags": [{"key": key, "value": value} for key, value in self.tags().items()],
        }
        inputs = {
            "dataset_inputs": [line["dataset"] for line in lines if "dataset" in line],
            "model_inputs": [line["input"] for line in lines if "input" in line],
        }
        outputs = {"model_outputs": [line["output"] for line in lines if "output" in line]}
        return {"info": self.info(), "data": data, "inputs": inputs, "outputs": outputs}

    # Children

    def make_child(self, name: str, experiment: str, user: str, started: int) -> TrackedRun:
        """Make a child run, which the stand-in for azureml finds too. Raises OSError."""
        folder = self.folder / "children"
        folder.mkdir(parents=True, exist_ok=True)
        number = len(os.listdir(folder)) + 1
        while True:
            with contextlib.suppress(FileExistsError):
                (folder / str(number)).mkdir()
                break
            number += 1
        run_id = f"{self.run_id}_{number}"
        shown = self._hide("run_name", name)
        path = f"{self._path}>{shown}"
        described = {"run_id": run_id, "name": path, "run_name": shown, "experiment_id": experiment}
        described |= {"user": self._hide("user", user)}
        write_json(folder / str(number) / "run.json", {**described, "started": started / 1000})
        (folder / str(number) / "artifacts").mkdir()
        return TrackedRun(folder / str(number), run_id, name, experiment, self._hide, path=path)

    def children(self) -> Iterator[TrackedRun]:
        """Yield the child runs and theirs, in the order in which they were made."""
        folder = self.folder / "children"
        numbers = sorted(int(name) for name in os.listdir(folder) if name.isdecimal()) if folder.is_dir() else []
        for place in (folder / str(number) for number in numbers):
            described = read_json(place / "run.json") or {}
            run_id, name = described.get("run_id"), described.get("run_name", described.get("name"))
            if isinstance(run_id, str) and isinstance(name, str):
                experiment = str(described.get("experiment_id", self.experiment))
                path = str(described.get("name"))
                child = TrackedRun(place, run_id, name, experiment, self._hide, path=path)
                yield child
                yield from child.children()


def _metric_line(metric: Mapping[str, Any]) -> dict[str, Any]:
    key = _key_of(metric)
    try:
        value = float(metric.get("value", 0.0))
        step, timestamp = int(metric.get("step") or 0), int(metric.get("timestamp") or 0)
    except (TypeError, ValueError, OverflowError):
        raise TrackingError(f"metric '{key}' needs a number as its value") from None
    shown = value if math.isfinite(value) else "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    line = {"name": key, "kind": "scalar", "value": shown, "type": "double"}
    return {**line, "time": time_text(timestamp), "step": step}


def _key_of(values: Mapping[str, Any]) -> str:
    key = values.get("key")
    if not isinstance(key, str) or not key:
        raise TrackingError("Missing value for required parameter 'key'")
    return key


def _number(value: object) -> float | str | None:
    """Return a metric's value, not finite ones by their names in JSON, None for what MLflow has no metrics of."""
    if isinstance(value, (bool, int, float)):
        try:
            return float(value)
        except OverflowError:  # a whole number beyond the largest float, of `run.log`
            return "Infinity" if value > 0 else "-Infinity"
    return value if value in ("NaN", "Infinity", "-Infinity") and isinstance(value, str) else None


def _order(metric: Mapping[str, Any]) -> tuple[int, int]:
    return int(metric["step"]), int(metric["timestamp"])
