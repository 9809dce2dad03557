"""The steps of a run on the page: what each of them logged and wrote."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from azml_tasks.runs.details import RunFile, StepDetails
from azml_tasks.runs.metrics import FileMetric, Metrics, Series, figure, is_number
from azml_tasks.runs.records import ChildRun, RunRecord, StepRecord
from azml_tasks.runs.report.charts import Chart, chart_of
from azml_tasks.runs.report.files import FileView, FileViews, Picture, web
from azml_tasks.runs.report.tables import Matrix, TableView, children_table, matrix_of, table_view
from azml_tasks.runs.report.texts import Budget, Hider, LogText
from azml_tasks.runs.show import time_taken
from azml_tasks.runs.summary import series_figures

LOG_LINES = 200
# Characters of a series that is not drawn.
_SERIES = 100
_LARGEST_DOCUMENT = 200_000


@dataclass(frozen=True)
class Bar:
    """Where a step is on the time line, in percent."""

    start: float
    length: float


@dataclass
class StepView:
    """A step on the page."""

    key: str
    anchor: str
    status: str
    time: str
    reason: str
    bar: Bar | None
    url: str = ""
    error: LogText | None = None
    charts: list[Chart] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)
    tables: list[TableView] = field(default_factory=list)
    matrices: list[Matrix] = field(default_factory=list)
    documents: list[tuple[str, str]] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    files: list[FileView] = field(default_factory=list)
    more_files: int = 0
    models: list[FileView] = field(default_factory=list)
    datasets: list[FileView] = field(default_factory=list)
    tags: list[tuple[str, str]] = field(default_factory=list)
    parameters: list[tuple[str, str]] = field(default_factory=list)
    arguments: str = ""
    inputs: list[tuple[str, str]] = field(default_factory=list)
    environment: str = ""
    log: LogText | None = None
    log_lines: int = 0

    @property
    def has_metrics(self) -> bool:
        """Whether the step has anything to show among the metrics."""
        return bool(self.charts or self.values or self.tables or self.matrices or self.documents or self.pictures)


class StepViews:
    """Makes views of steps, as far as `left` has room; `left_out` counts those whose metrics there is no room for."""

    def __init__(self, files: FileViews, hide: Hider, left: Budget) -> None:
        self._files = files
        self._hide = hide
        self._left = left
        self._points = 0
        self.left_out = 0

    def share_points(self, metrics: Sequence[Metrics]) -> None:
        """Give each chart of these metrics its part of the points."""
        lines = sum(series.is_line for one in metrics for series in one.series)
        self._points = max(30, min(300, self._left.points // max(1, min(lines, self._left.charts))))

    def step(self, place: int, step: StepDetails, run: RunRecord[StepRecord]) -> StepView:
        """Return the view of a step without its metrics and its log; `place` is its number, from 0."""
        record = step.record
        bar = None
        if record.started and run.started and (run.seconds or 0) > 0:
            whole = run.seconds or 1.0
            start = min(1.0, max(0.0, (record.started - run.started) / whole))
            bar = Bar(round(100 * start, 2), round(100 * min(1 - start, max(0.0, (record.seconds or 0) / whole)), 2))
        failed = record.status == "failed"
        view = StepView(
            key=step.key,
            anchor=f"step-{place + 1}",
            status=record.status,
            time=time_taken(record.seconds),
            reason=self._hide.short((record.message or record.reason).removeprefix("reused "), 500),
            bar=bar,
            url=web(step.url),
            error=self._hide.log(step.error, LOG_LINES, 20_000) if failed and step.error else None,
            tags=[(name, "" if tag is None else self._hide.value(name, tag)) for name, tag in step.tags.items()],
            parameters=[(name, self._hide.value(name, value)) for name, value in record.parameters().items()],
            arguments=self._arguments(step.arguments),
            inputs=list(step.origin.inputs.items()),
            environment=step.origin.environment,
        )
        view.models = [FileView(model.name, "", self._files.link(model.place)) for model in step.models]
        view.datasets = [FileView(dataset.name, "", "") for dataset in step.datasets]
        return view

    def _arguments(self, words: Sequence[str]) -> str:
        shown, before = [], ""
        for word in words:
            shown.append(str(self._hide.setting(before, word)))
            before = word if word.startswith("-") else ""
        return self._hide.short(" ".join(shown), 1_000)

    def add_metrics(
        self,
        view: StepView,
        metrics: Metrics,
        own_files: Sequence[RunFile],
        outputs: Sequence[RunFile] = (),
        children: Sequence[ChildRun] = (),
    ) -> None:
        """Add the metrics and files of a step or a run to its view."""
        view.files, view.more_files = self._files.listed([*own_files, *outputs])
        if self._left.details <= 0:
            self.left_out += bool(metrics.names or children)
            return
        self._left.details -= 1
        files = {file.name: file for file in own_files}
        for series in metrics.series:
            if series.is_line and self._left.charts > 0:
                self._left.charts -= 1
                view.charts.append(chart_of(series, self._points))
            else:
                view.values.append((series.name, self._series_text(series)))
        for table in metrics.tables:
            view.tables.append(table_view(table, self._hide, self._left))
        if children:
            view.tables.append(children_table(children, self._hide, self._left))
        for metric in metrics.files:
            self._show_file(view, metric, files.get(metric.file))
        shown = {metric.file for metric in metrics.files}
        for file in own_files:
            if file.name not in shown and file.name.lower().endswith((".png", ".jpg", ".jpeg", ".gif", ".webp")):
                view.pictures.append(self._files.picture(file.name, file))

    def _series_text(self, series: Series) -> str:
        values = series.values
        if len(values) == 1:
            return self._hide.short(figure(self._hide.setting(series.name, values[0])), 200)
        if not all(map(is_number, values)):
            values = tuple(self._hide.short(self._hide.setting(series.name, value), 60) for value in values)
        return series_figures(values, _SERIES)

    def _show_file(self, view: StepView, metric: FileMetric, file: RunFile | None) -> None:
        if metric.kind == "image":
            view.pictures.append(self._files.picture(metric.name, file))
            return
        data = file.read(_LARGEST_DOCUMENT) if file else None
        try:
            document = json.loads(data) if data else None
        except (ValueError, RecursionError):
            document = None
        matrix = matrix_of(metric.name, document) if metric.kind == "confusion_matrix" else None
        if matrix:
            view.matrices.append(matrix)
        else:
            text = json.dumps(self._hide.setting("", document), indent=1, ensure_ascii=False, default=str)
            shown = "it cannot be read" if document is None else self._hide(text)[:2_000]
            view.documents.append((f"{metric.name} ({metric.kind.replace('_', ' ')})", shown))

    def share_log(self, views: Sequence[StepView], steps: Sequence[StepDetails]) -> None:
        """Give each step its part of the log's room: first to those that failed, the rest evenly."""
        logs = [(view, step.log) for view, step in zip(views, steps, strict=True) if step.log.text]
        left = self._left.log_characters
        logs.sort(key=lambda one: (one[0].status != "failed", len(one[1].text)))
        for place, (view, log) in enumerate(logs):
            share = left if view.status == "failed" else left // (len(logs) - place)
            view.log = self._hide.log(log.text, LOG_LINES, max(500, share))
            view.log_lines = max(log.lines, view.log.whole)
            left = max(0, left - len(view.log.text))
