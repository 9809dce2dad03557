"""Record metrics, including those stored as files: images and JSON documents."""

from __future__ import annotations

import io
import json
import time

from ..context import require_context
from ..errors import AzureMLException
from ..reads import fact
from .artifacts import Artifacts, check_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from ..protocols import Json
    from .folders import Folder


class LoggingMethods:
    """The part of a run that records."""

    _folder: Folder
    _run_id: str

    if TYPE_CHECKING:

        def get_children(self, recursive: bool = False) -> Iterator[Any]:
            """Yield the child runs."""

    def log(self, name: str, value: object, description: str | None = "", step: int | None = None) -> None:
        """Record a number, text or boolean; twice under one name makes a list."""
        from . import metrics

        self._record(metrics.scalar(name, value), description, step=None if step is None else int(step))

    def log_list(self, name: str, value: Iterable[object], description: str | None = "") -> None:
        """Record the values of a list."""
        from . import metrics

        self._record(metrics.listed(name, value), description)

    def log_row(self, name: str, description: str | None = None, **kwargs: object) -> None:
        """Record one row of a table, a value a column."""
        from . import metrics

        self._record(metrics.row(name, kwargs), description)

    def log_table(self, name: str, value: dict[str, Any], description: str | None = "") -> None:
        """Record a table: a dict of columns."""
        from . import metrics

        self._record(metrics.table(name, value), description)

    def log_image(self, name: str, path: str | None = None, plot: Any = None, description: str | None = "") -> None:
        """Keep an image file, or a matplotlib plot as PNG, among the run's files."""

        self._record(keep_image(self._folder.artifacts, name, path, plot), description)

    def log_confusion_matrix(self, name: str, value: object, description: str | None = "") -> None:
        """Keep a confusion matrix, a dict or JSON, among the run's files."""
        self._keep("confusion_matrix", name, value, description)

    def log_accuracy_table(self, name: str, value: object, description: str | None = "") -> None:
        """Keep an accuracy table, a dict or JSON, among the run's files."""
        self._keep("accuracy_table", name, value, description)

    def log_residuals(self, name: str, value: object, description: str | None = "") -> None:
        """Keep residuals, a dict or JSON, among the run's files."""
        self._keep("residuals", name, value, description)

    def log_predictions(self, name: str, value: object, description: str | None = "") -> None:
        """Keep predictions, a dict or JSON, among the run's files."""
        self._keep("predictions", name, value, description)

    def get_metrics(
        self, name: str | None = None, recursive: bool = False, run_type: str | None = None, populate: bool = False
    ) -> Json:
        """Return the metrics by name; with recursive=True, of the children too, by run id."""
        from .folders import check_readable

        check_readable(self._folder, "get_metrics")
        if recursive:
            runs: list[Any] = [run for run in self.get_children(recursive=True) if run_type in (None, run.type)]
            every = {run.id: run.get_metrics(name, populate=populate) for run in [*runs, self]}
            return {run_id: found for run_id, found in every.items() if found}
        from .. import records
        from . import metrics

        logged = [r for r in records.read(self._folder.file("metrics.jsonl")) if name in (None, r.get("name"))]
        read = artifact if populate else location
        return metrics.folded(logged, lambda file: read(self._run_id, self._folder.artifacts, file))

    def tag(self, key: str, value: object = None) -> None:
        """Set a tag."""
        self.set_tags({key: value})

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags; values that are not text are converted."""
        self._set("tags.jsonl", tags)

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Remove tags by their keys."""
        for key in [tags] if isinstance(tags, str) else tags:
            self._folder.append("tags.jsonl", {"key": key, "removed": True})

    def get_tags(self) -> dict[str, str | None]:
        """Return the run's tags; the pipeline's run has those of pipeline.yaml too."""
        declared: dict[str, str] = {}
        if self._folder.kind == "azureml.PipelineRun":
            from .folders import check_readable

            check_readable(self._folder, "get_tags")
            fact("tags")
            declared = require_context("run.tags").tags
        return {**declared, **self._folder.pairs("tags.jsonl")}

    @property
    def tags(self) -> dict[str, str | None]:
        """The run's tags."""
        return self.get_tags()

    def add_properties(self, properties: Mapping[str, object]) -> None:
        """Set properties, which are not changed later."""
        if properties:
            self._set("properties.jsonl", properties)

    def get_properties(self) -> dict[str, str | None]:
        """Return the run's properties, those that Azure sets among them."""
        from .folders import own_properties

        return {**own_properties(self._folder.kind), **self._folder.pairs("properties.jsonl")}

    @property
    def properties(self) -> dict[str, str | None]:
        """The run's properties."""
        return self.get_properties()

    def _record(self, metric: Json, description: str | None, **more: object) -> None:
        from .. import records
        from ..remarks import check_metric

        check_metric(self._folder.path, metric)
        record = {**metric, "time": records.now(), **{key: v for key, v in more.items() if v is not None}}
        if description:
            record["description"] = description
        self._folder.append("metrics.jsonl", record)

    def _keep(self, kind: str, name: str, value: object, description: str | None) -> None:
        from io import BytesIO

        from . import metrics

        metric, content = metrics.document(kind, name, value)
        self._folder.artifacts.put(name, BytesIO(content))
        self._record(metric, description)

    def _set(self, file: str, pairs: Mapping[str, object]) -> None:
        from ..remarks import check_pairs

        check_pairs(file.removesuffix(".jsonl"), pairs, self._folder.path)
        for key, value in pairs.items():
            text = value if isinstance(value, (str, type(None))) else str(value)
            self._folder.append(file, {"key": key, "value": text})


class Artifact:
    """A metric that is kept as a file; `data` is its content."""

    def __init__(self, data_location: str, filename: str, data: bytes | None) -> None:
        self.data_location = data_location
        self.filename = filename
        self.path = filename
        self.data = data

    def convert_to_object(self) -> Any:
        """Return the content of a JSON file; None if it is not JSON."""
        try:
            return json.loads(self.data) if self.data is not None else None
        except ValueError:
            return None

    def __repr__(self) -> str:
        return f"Artifact(data_location={self.data_location}, filename={self.filename})"


def keep_image(artifacts: Artifacts, name: str, path: str | None, plot: Any) -> Json:
    """Keep an image file under its own path, or a plot as `<name>_<seconds>.png`; returns the metric's record."""
    if (path is None) == (plot is None):
        raise AzureMLException("run.log_image requires either path or plot")
    if path is not None:
        check_image(path)
        file = path
        artifacts.put(path, path)
    else:
        file = _name(artifacts, name)
        artifacts.put(file, _drawn(plot))
    return {"name": name, "kind": "image", "value": file}


def location(run_id: str, artifacts: Artifacts, file: str) -> str:
    """Return the address that `get_metrics` gives for a metric that is kept as a file."""
    return f"aml://artifactId/ExperimentRun/dcid.{run_id}/{file}"


def artifact(run_id: str, artifacts: Artifacts, file: str) -> Artifact:
    """Return a metric that is kept as a file, with its content."""
    path = artifacts.find(file)
    content = None
    if path is not None:
        with open(path, "rb") as stream:
            content = stream.read()
    return Artifact(location(run_id, artifacts, file), file, content)


def _drawn(plot: Any) -> io.BytesIO:
    stream = io.BytesIO()
    try:
        plot.savefig(stream, format="png")
    except AttributeError as error:
        raise AzureMLException("plot in run.log_image must be a matplotlib plot or figure") from error
    stream.seek(0)
    return stream


def _name(artifacts: Artifacts, name: str) -> str:
    """Return `<name>_<seconds>.png`; with a number when the run has one of this second already."""
    base = f"{name}_{int(time.time())}"
    taken = set(artifacts.names())
    candidates = (f"{base}.png" if not n else f"{base}_{n}.png" for n in range(len(taken) + 1))
    return next(candidate for candidate in candidates if candidate not in taken)
