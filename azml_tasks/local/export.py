"""Send local runs to a tracking server of MLflow: a run for the pipeline, and below it one for each step.

The run of the pipeline has the tag `azml_tasks.run_id`, by which it is found again, and is `RUNNING` until everything
has been sent: what a broken-off export left is deleted by the next one.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azml_tasks.backend import Exported
from azml_tasks.errors import ServiceError
from azml_tasks.local.details import below
from azml_tasks.local.store.files import open_file, read_lines
from azml_tasks.local.store.paths import ProjectPaths, RunPaths
from azml_tasks.local.store.process import held
from azml_tasks.local.store.records import LocalRunRecord, LocalStepRecord
from azml_tasks.local.tracking.client import RefusedError, TrackingClient
from azml_tasks.local.tracking.runs import TrackedRun
from azml_tasks.runs.details import RunDetails, StepDetails
from azml_tasks.runs.listing import flat, json_value
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.show import value_text
from azml_tasks.secrets import HIDDEN, redact, without_secrets
from azml_tasks.text import shortened

_ID, _STEP = "azml_tasks.run_id", "azml_tasks.step"
_STATES = {"completed": "FINISHED", "reused": "FINISHED", "failed": "FAILED"}
# The limits of MLflow (mlflow/utils/validation.py), of 2.x where 3.x has larger ones.
_MOST_METRICS, _MOST_PAIRS = 1_000, 100
_LONGEST_KEY, _LONGEST_PARAM, _LONGEST_TAG = 250, 6_000, 5_000
_NOT_IN_A_NAME = re.compile(r"[^\w.\- /]")
# Of longer logs (bytes) the end is sent.
_LONGEST_LOG = 10_000_000


@dataclass
class _Sent:
    """A run as it is sent; times are milliseconds since 1970. Metrics have MLflow's form, `files` are by name."""

    name: str
    started: int
    ended: int
    state: str
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    metrics: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    """Files of which the content is given."""
    children: list[_Sent] = field(default_factory=list)


class Exporter:
    """Sends runs to the server at `uri`; `secrets` are texts that are never sent, and `say` gets notes.

    Raises UsageError if the address is not one of a server.
    """

    def __init__(self, uri: str, secrets: Iterable[str], say: Callable[[str], None]) -> None:
        self._client = TrackingClient(uri)
        self._secrets = tuple(secrets)
        self._say = say
        self._takes_files = True

    def export(self, details: RunDetails) -> Exported:
        """Send a run, unless it is there. Raises ServiceError."""
        run = details.run
        assert isinstance(run, LocalRunRecord)
        try:
            # Another export of this run, which would be taken for a broken-off one, is waited for.
            with held(run.places):
                return self._exported(details, run)
        except RefusedError as error:
            raise ServiceError(
                f"{self._client.address} refused the run {run.id}: {self._shown('', str(error))}"
            ) from None

    def _exported(self, details: RunDetails, run: LocalRunRecord) -> Exported:
        experiment = self._experiment(run.experiment)
        for known, status in self._search(experiment, _ID, run.id):
            if status != "RUNNING":
                return Exported(run.id, self._link(experiment, known), is_new=False)
            self._delete(experiment, known)
        sent = self._pipeline(details)
        identifier = self._create(experiment, sent, "")
        files = sum(1 for one in _all(sent) for _ in (*one.files, *one.texts)) if self._takes_files else 0
        return Exported(run.id, self._link(experiment, identifier), steps=len(sent.children), files=files)

    def _experiment(self, name: str) -> str:
        client = self._client
        try:
            found = client.call("GET", "experiments/get-by-name", experiment_name=name)
        except RefusedError as error:
            if error.code != "RESOURCE_DOES_NOT_EXIST":
                raise
            try:
                return client.text_in(client.call("POST", "experiments/create", name=name), "experiment_id")
            except RefusedError as refusal:
                if refusal.code != "RESOURCE_ALREADY_EXISTS":
                    raise
            # Another export has created it since.
            found = client.call("GET", "experiments/get-by-name", experiment_name=name)
        identifier = client.text_in(found, "experiment", "experiment_id")
        if found["experiment"].get("lifecycle_stage") == "deleted":
            raise ServiceError(f"the experiment '{name}' is deleted on {client.address}; restore it first")
        return identifier

    def _search(self, experiment: str, tag: str, value: str) -> list[tuple[str, str]]:
        """Return the ids and the states of the runs with a tag."""
        client, wanted = self._client, f"tags.`{tag}` = '{value}'"
        found = client.call("POST", "runs/search", experiment_ids=[experiment], filter=wanted, max_results=1000)
        return [
            (client.text_in(run, "info", "run_id"), client.text_in(run, "info", "status"))
            for run in client.list_in(found, "runs")
        ]

    def _delete(self, experiment: str, identifier: str) -> None:
        """Delete a run and those below it, these first."""
        for child, _ in self._search(experiment, "mlflow.parentRunId", identifier):
            self._delete(experiment, child)
        self._client.call("POST", "runs/delete", run_id=identifier)

    def _link(self, experiment: str, identifier: str) -> str:
        return f"{self._client.address}/#/experiments/{experiment}/runs/{identifier}"

    # Sending

    def _create(self, experiment: str, sent: _Sent, parent: str) -> str:
        """Make a run with those below it and return its id; its state is set last."""
        tags = {"mlflow.runName": sent.name, **sent.tags, **({"mlflow.parentRunId": parent} if parent else {})}
        first, *others = _batches(_pairs(tags), _MOST_PAIRS)
        made = self._client.call(
            "POST", "runs/create", experiment_id=experiment, start_time=sent.started, run_name=sent.name, tags=first
        )
        identifier = self._client.text_in(made, "run", "info", "run_id")
        for batch in others:
            self._client.call("POST", "runs/log-batch", run_id=identifier, tags=batch)
        for batch in _batches(_pairs(sent.params), _MOST_PAIRS):
            self._client.call("POST", "runs/log-batch", run_id=identifier, params=batch)
        for batch in _batches(sent.metrics, _MOST_METRICS):
            self._client.call("POST", "runs/log-batch", run_id=identifier, metrics=batch)
        self._send_files(str(made["run"]["info"].get("artifact_uri", "")), sent)
        for child in sent.children:
            self._create(experiment, child, identifier)
        self._client.call("POST", "runs/update", run_id=identifier, status=sent.state, end_time=sent.ended)
        return identifier

    def _send_files(self, artifact_uri: str, sent: _Sent) -> None:
        if not self._takes_files or not (sent.files or sent.texts):
            return
        root = self._client.files_root(artifact_uri)
        if root is None:
            self._takes_files = False
            self._say(
                "files are not sent: the server does not take them itself, but has them in "
                f"{shortened(redact(artifact_uri), 100)}"
            )
            return
        with tempfile.TemporaryDirectory(prefix="azml-") as folder:
            for name, text in sent.texts.items():
                path = Path(folder, "file")
                path.write_text(text, encoding="utf-8", errors="replace")
                self._client.upload(root, name, path)
        for name, path in sent.files.items():
            try:
                self._client.upload(root, name, path)
            except UnicodeEncodeError:
                self._say(f"{name} is not sent: its name is not UTF-8")
            except (OSError, RefusedError) as error:
                self._say(f"{name} is not sent: {getattr(error, 'strerror', None) or error}")

    # What is sent

    def _pipeline(self, details: RunDetails) -> _Sent:
        run, source = details.run, details.provenance
        assert isinstance(run, LocalRunRecord)
        started, ended = _milliseconds(run.started), _milliseconds(run.finished)
        sent = _Sent(run.id, started, max(started, ended), _STATES.get(run.status, "KILLED"))
        code = source.code
        tags = {
            "mlflow.user": source.user,
            "mlflow.source.type": "LOCAL",
            "mlflow.source.name": " ".join(run.origin.command) or "invoke run",
            "mlflow.source.git.commit": code.commit if code else "",
            "mlflow.source.git.branch": code.branch if code else "",
            "azml_tasks.target": run.origin.target,
            "azml_tasks.status": run.status,
        }
        sent.params = self._params({**dict(flat_settings(run.settings)), **run.parameters})
        self._fill(
            sent, _tracked(run.places.parent, run.id), details.tags, {key: tag for key, tag in tags.items() if tag}
        )
        sent.tags[_ID] = run.id
        project = ProjectPaths.holding(run.places).project
        sent.files = _files(run.places.parent / "artifacts", project)
        for step in details.steps:
            if step.record.status not in ("waiting", "skipped"):
                sent.children.append(self._step(step, run.settings.get(step.key), sent, run.places, project))
        return sent

    def _step(self, step: StepDetails, settings: Any, above: _Sent, run: RunPaths, project: Path) -> _Sent:
        record = step.record
        assert isinstance(record, LocalStepRecord)
        # A reused step took no time in this run.
        started = _milliseconds(record.started) or above.started
        ended = max(started, _milliseconds(record.finished))
        sent = _Sent(record.key, started, ended, _STATES.get(record.status, "KILLED"))
        tracked = _tracked(record.places.root, record.key)
        given = dict(flat_settings(settings)) if isinstance(settings, Mapping) else {}
        sent.params = self._params({**given, **tracked.params()})
        reused = {"azml_tasks.reused_from": record.producer} if record.status == "reused" else {}
        self._fill(sent, tracked, step.tags, {_STEP: record.key, "azml_tasks.status": record.status, **reused})
        sent.files = _files(record.places.artifacts, project)
        sent.texts["log.txt"] = redact(_end_of(record.places.log), self._secrets)
        # Of each child run its folder leads to that of the run above it.
        known = {record.places.root: sent}
        for child in tracked.children():
            parent = known[child.folder.parent.parent]
            known[child.folder] = self._child(child, parent, project)
            parent.children.append(known[child.folder])
        return sent

    def _child(self, child: TrackedRun, above: _Sent, project: Path) -> _Sent:
        info = child.info()
        started = info["start_time"] or above.started
        state = above.state if info["status"] == "RUNNING" else info["status"]
        name = info["run_name"].rpartition(">")[2] or child.run_id
        sent = _Sent(name, started, max(started, info.get("end_time") or above.ended), state)
        sent.params = self._params(child.params())
        self._fill(sent, child, child.tags(), {})
        sent.files = _files(child.artifacts, project)
        return sent

    def _fill(self, sent: _Sent, run: TrackedRun, tags: Mapping[str, str | None], own: Mapping[str, str]) -> None:
        """Add metrics and tags; what MLflow has no metrics for becomes tags and tables."""
        metrics = Metrics.of(read_lines(run.folder / "metrics.jsonl"))
        texts = {
            one.name: value_text(one.last) for one in metrics.series if isinstance(one.last, str) and not one.steps
        }
        kept = {key: tag for key, tag in tags.items() if not key.startswith("mlflow.")}
        found = {**texts, **kept, **own}
        sent.tags = {_key(key): self._text(key, value, _LONGEST_TAG) for key, value in found.items()}
        sent.metrics = list(self._metrics(run))
        files = []
        for table in metrics.tables:
            rows = [
                [json_value(without_secrets(name, cell)) for name, cell in zip(table.columns, row, strict=True)]
                for row in table.rows()
            ]
            content = {"columns": list(table.columns), "data": rows}
            files.append({"path": f"tables/{_key(table.name)}.json", "type": "table"})
            sent.texts[files[-1]["path"]] = redact(json.dumps(content), self._secrets)
        # By which `mlflow.load_table` finds them.
        sent.tags |= {"mlflow.loggedArtifacts": json.dumps(files)} if files else {}

    def _metrics(self, run: TrackedRun) -> Iterator[dict[str, Any]]:
        """Yield values of metrics; those without a number, of which there are several, are numbered."""
        found: dict[str, list[dict[str, Any]]] = {}
        for metric in run.history():
            if without_secrets(metric["key"], metric["value"]) != HIDDEN:
                found.setdefault(_key(metric["key"]), []).append(metric)
        for key, values in found.items():
            are_numbered = any(value["step"] for value in values)
            for place, value in enumerate(values):
                yield {**value, "key": key, "step": value["step"] if are_numbered else place}

    def _params(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {_key(key): self._text(key, value, _LONGEST_PARAM) for key, value in values.items()}

    def _text(self, key: str, value: Any, most: int) -> str:
        return shortened(self._shown(key, value), most)

    def _shown(self, key: str, value: Any) -> str:
        """Return a value as text, without secrets."""
        found = without_secrets(key, value)
        return redact("" if found is None else found if isinstance(found, str) else value_text(found), self._secrets)


def flat_settings(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield settings by their keys with dots: `train.lr`."""
    for key, value in settings.items():
        yield from flat(key, value)


def _tracked(folder: Path, name: str) -> TrackedRun:
    """Return what was logged in a folder, to be read."""
    return TrackedRun(folder, name, name, "", lambda key, value: value)


def _files(folder: Path, project: Path) -> dict[str, Path]:
    return {posixpath.normpath(name): path for name, path in below(folder, project)}


def _end_of(log: Path) -> str:
    try:
        with open_file(log) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _LONGEST_LOG))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def _all(sent: _Sent) -> Iterator[_Sent]:
    yield sent
    for child in sent.children:
        yield from _all(child)


def _key(name: str) -> str:
    """Return a name that MLflow accepts."""
    parts = [part for part in _NOT_IN_A_NAME.sub("_", name).split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[:_LONGEST_KEY] or "_"


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def _batches(items: Sequence[Any], most: int) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _milliseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1000)
