"""What a run records of itself: metrics, tags and properties, in files of its folder."""

from __future__ import annotations

from .context import here
from .reads import fact


class Recording:
    """The part of a run that records."""

    def log(self, name, value, description="", step=None):
        """Record a number, text or boolean; twice under one name makes a list."""
        from . import metrics

        self._record(metrics.scalar(name, value), description, step=None if step is None else int(step))

    def log_list(self, name, value, description=""):
        """Record the values of a list."""
        from . import metrics

        self._record(metrics.listed(name, value), description)

    def log_row(self, name, description=None, **kwargs):
        """Record one row of a table, a value a column."""
        from . import metrics

        self._record(metrics.row(name, kwargs), description)

    def log_table(self, name, value, description=""):
        """Record a table: a dict of columns."""
        from . import metrics

        self._record(metrics.table(name, value), description)

    def log_image(self, name, path=None, plot=None, description=""):
        """Keep an image file, or a matplotlib plot as PNG, among the run's files."""
        from .images import keep_image

        self._record(keep_image(self._folder.artifacts, name, path, plot), description)

    def log_confusion_matrix(self, name, value, description=""):
        """Keep a confusion matrix, a dict or JSON, among the run's files."""
        self._keep("confusion_matrix", name, value, description)

    def log_accuracy_table(self, name, value, description=""):
        """Keep an accuracy table, a dict or JSON, among the run's files."""
        self._keep("accuracy_table", name, value, description)

    def log_residuals(self, name, value, description=""):
        """Keep residuals, a dict or JSON, among the run's files."""
        self._keep("residuals", name, value, description)

    def log_predictions(self, name, value, description=""):
        """Keep predictions, a dict or JSON, among the run's files."""
        self._keep("predictions", name, value, description)

    def get_metrics(self, name=None, recursive=False, run_type=None, populate=False):
        """Return the metrics by name; with recursive=True, of the children too, by run id."""
        if recursive:
            runs = [run for run in self.get_children(recursive=True) if run_type in (None, run.type)]
            every = {run.id: run.get_metrics(name, populate=populate) for run in [*runs, self]}
            return {run_id: found for run_id, found in every.items() if found}
        from . import metrics, records
        from .images import artifact, location

        logged = [r for r in records.read(self._folder.file("metrics.jsonl")) if name in (None, r.get("name"))]
        read = artifact if populate else location
        return metrics.folded(logged, lambda file: read(self._run_id, self._folder.artifacts, file))

    def tag(self, key, value=None):
        """Set a tag."""
        self.set_tags({key: value})

    def set_tags(self, tags):
        """Set tags; what is no text is recorded as its text."""
        self._set("tags.jsonl", tags)

    def remove_tags(self, tags):
        """Remove tags by their keys."""
        for key in [tags] if isinstance(tags, str) else tags:
            self._folder.append("tags.jsonl", {"key": key, "removed": True})

    def get_tags(self):
        """Return the run's tags; the pipeline's run has those of pipeline.yaml too."""
        declared = {}
        if self._folder.kind == "azureml.PipelineRun":
            fact("tags")
            declared = here("run.tags").tags
        return {**declared, **self._folder.pairs("tags.jsonl")}

    @property
    def tags(self):
        """The run's tags."""
        return self.get_tags()

    def add_properties(self, properties):
        """Set properties, which are not changed later."""
        if properties:
            self._set("properties.jsonl", properties)

    def get_properties(self):
        """Return the run's properties, those that Azure sets among them."""
        from .details import own_properties

        return {**own_properties(self), **self._folder.pairs("properties.jsonl")}

    @property
    def properties(self):
        """The run's properties."""
        return self.get_properties()

    def _record(self, metric: dict, description: str | None, **more: object) -> None:
        from . import records
        from .remarks import check_metric

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

    def _set(self, file: str, pairs: dict) -> None:
        from .remarks import check_pairs

        check_pairs(file.removesuffix(".jsonl"), pairs, self._folder.path)
        for key, value in pairs.items():
            text = value if isinstance(value, (str, type(None))) else str(value)
            self._folder.append(file, {"key": key, "value": text})
