"""What the page shows of a run, within a budget of text."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from azml_tasks.runs.compare import Comparison
from azml_tasks.runs.details import RunDetails
from azml_tasks.runs.metrics import Metrics
from azml_tasks.runs.origin import Packages
from azml_tasks.runs.report.differences import changes, highlights, settings
from azml_tasks.runs.report.files import FileViews, web
from azml_tasks.runs.report.graph import Drawing, NodeView, draw, is_tall
from azml_tasks.runs.report.steps import StepView, StepViews
from azml_tasks.runs.report.tables import overview
from azml_tasks.runs.report.texts import Budget, Hider
from azml_tasks.runs.show import local_time, time_taken
from azml_tasks.runs.summary import code_text
from azml_tasks.text import counted

# The width (pixels) of the page, and the most steps whose graph is drawn for narrow screens, too.
_ROOM = 1010
_FEW = 12


class View:
    """Everything that the template shows."""

    def __init__(self, details: RunDetails, comparison: Comparison | None, folder: Path, hide: Hider, budget: Budget):
        self._details = details
        self._hide = hide
        left = Budget(**vars(budget))
        run = details.run
        self.id, self.experiment, self.status, self.url = run.id, run.experiment, run.status, web(run.url)
        self.release, self.system = details.provenance.release, details.provenance.system
        self.written = local_time(time.time())
        self.before = comparison.runs[0].run if comparison else None
        self.facts = list(self._facts())
        views = StepViews(FileViews(folder, left), hide, left)
        self.steps = [views.step(place, step, run) for place, step in enumerate(details.steps)]
        self.own = StepView("", "run", "", "", "", None)
        # Of the run itself, then of each step.
        own, *others = metrics = [Metrics.of(details.metrics), *(Metrics.of(step.metrics) for step in details.steps)]
        views.share_points(metrics)
        views.add_metrics(self.own, own, details.files)
        for view, step, logged in zip(self.steps, details.steps, others, strict=True):
            views.add_metrics(view, logged, step.files, step.outputs, step.record.children())
        views.share_log(self.steps, details.steps)
        # The number of steps whose metrics there is no room for.
        self.left_out = views.left_out
        # Of many steps, whose metrics are then not all shown at once.
        self.overview = overview(zip([step.key for step in self.steps], others, strict=True), _FEW, hide)
        self.graphs = list(self._graphs())
        self.highlights = list(highlights(metrics, [step.key for step in self.steps], comparison))
        self.settings = list(settings(details, comparison, hide))
        self.changes = list(changes(comparison, hide, left))
        self.environments = list(self._environments())
        self.failed = [step for step in self.steps if step.status == "failed"]

    @property
    def nodes(self) -> Mapping[str, NodeView]:
        """What the nodes of the graph show, by the steps' names."""
        return {step.key: _node(step) for step in self.steps}

    def _facts(self) -> Iterator[tuple[str, str]]:
        run, source = self._details.run, self._details.provenance
        if run.started:
            yield "Started", local_time(run.started)
        if run.seconds is not None:
            yield "Time", time_taken(run.seconds)
        if source.user or source.host:
            yield "By", " on ".join(filter(None, [source.user, source.host]))
        if run.origin.is_debugged:
            yield "Debugger", "a step ran under a debugger: its result is not reused"
        if run.origin.target:
            yield "Target", run.origin.target
        yield "Where", run.where
        if run.origin.command:
            yield "Command", self._hide.short(" ".join(run.origin.command), 400)
        if source.code:
            yield "Code", code_text(source.code)
        for name, value in self._details.tags.items():
            yield f"Tag {name}", self._hide.value(name, value) if value is not None else ""

    def _graphs(self) -> Iterator[tuple[str, Drawing]]:
        """Yield the drawings of the graph, each with its class: the best one, and of a small one another for phones."""
        above = {step.key: step.origin.after for step in self._details.steps}
        if len(above) < 2 or not any(above.values()):
            return
        tall = is_tall(above, _ROOM)
        if tall or len(above) > _FEW:
            yield "any", draw(above, is_tall=tall)
        else:
            yield "wide", draw(above, is_tall=False)
            yield "narrow", draw(above, is_tall=True)

    def _environments(self) -> Iterator[tuple[str, Packages, str]]:
        """Yield each environment with its steps in words."""
        steps: dict[str, int] = {}
        for step in self._details.steps:
            steps[step.origin.environment] = steps.get(step.origin.environment, 0) + 1
        for name, found in self._details.provenance.environments.items():
            if name in steps:
                yield found.name or "The Python that runs Invoke", found, counted(steps[name], "steps")


def _node(step: StepView) -> NodeView:
    title = f"{step.key}: {step.status}" + (f"; {step.reason}" if step.reason else "")
    time_shown = f" · {step.time}" if step.time and step.status != "reused" else ""
    return NodeView(step.key, step.status + time_shown, step.status, title, f"#{step.anchor}")
