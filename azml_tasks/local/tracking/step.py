"""What one step may see and log: its own run, its children, and earlier runs to read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azml_tasks.local.store.files import read_json
from azml_tasks.local.store.paths import ProjectPaths, StepPaths
from azml_tasks.local.tracking.errors import TrackingError, does_not_exist
from azml_tasks.local.tracking.models import model_of
from azml_tasks.local.tracking.runs import Hide, TrackedRun, mlflow_id

# The run's own experiment, as MLflow calls the one that is there without being made.
DEFAULT_EXPERIMENT = "0"


@dataclass
class StepTracking:
    """The tracking of one step. `experiments` are the names of experiments by their ids.

    `looked` are the files of other steps' runs that it read, `has_searched` whether it searched among all runs, and
    `models_by` the version of an MLflow that logged models. It is not used any more once it `is_over`.
    """

    layout: ProjectPaths
    places: StepPaths
    name: str
    experiments: dict[str, str]
    hide: Hide = field(repr=False)
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)
    is_over: bool = False
    looked: set[str] = field(default_factory=set)
    has_searched: bool = False
    models_by: str = ""

    def __post_init__(self) -> None:
        self.run = _run_of(self.places, self.name, DEFAULT_EXPERIMENT, self.hide)
        self._own = {self.run.run_id: self.run}

    @property
    def experiment(self) -> str:
        """The name of the run's own experiment."""
        return self.experiments[DEFAULT_EXPERIMENT]

    def end(self) -> None:
        """Refuse everything from now on."""
        with self.lock:
            self.is_over = True

    # Own runs, which can be changed

    def own(self, run_id: object) -> TrackedRun:
        """Return the step's own run, or a child of it. Raises TrackingError for others."""
        found = self._own.get(str(run_id))
        if found is not None:
            return found
        for child in self._children():  # made in the step's process, by `run.child_run`
            if child.run_id == run_id:
                self._own[child.run_id] = child
                return child
        if self._other(str(run_id)) is not None:
            raise TrackingError(
                f"run '{run_id}' belongs to another step; in a local run, a step can only log to its own run and that "
                "run's children",
                "PERMISSION_DENIED",
                403,
            )
        raise does_not_exist(f"Run with id={run_id}")

    def make_run(self, values: dict[str, Any]) -> TrackedRun:
        """Make a child of the step's run, or of the child that is named as its parent. Raises TrackingError, OSError.

        A script's second `start_run()` gets one, too.
        """
        tags = values.get("tags") or []
        if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
            raise TrackingError("Invalid value for parameter 'tags'")
        above = next((tag.get("value") for tag in tags if tag.get("key") == "mlflow.parentRunId"), None)
        parent = self._own.get(str(above), self.run)
        named = next((tag.get("value") for tag in tags if tag.get("key") == "mlflow.runName"), "")
        name = str(values.get("run_name") or named)
        experiment = str(values.get("experiment_id") or DEFAULT_EXPERIMENT)
        if experiment not in self.experiments:
            raise does_not_exist(f"Experiment with id={experiment}")
        try:
            user, started = str(values.get("user_id") or ""), int(values.get("start_time") or 0)
        except (TypeError, ValueError, OverflowError):
            raise TrackingError("Invalid value for parameter 'start_time'") from None
        run = parent.make_child(name or f"run-{len(self._own)}", experiment, user, started)
        self._own[run.run_id] = run
        run.set_tags(tags)
        return run

    def own_model(self, model_id: str) -> tuple[TrackedRun, dict[str, Any]]:
        """Return a model of this step, with its run. Raises TrackingError."""
        for run in (self.run, *self._children()):
            if (model := model_of(run, model_id)) is not None:
                return run, model
        raise does_not_exist(f"Logged model with ID '{model_id}'")

    # All runs, to be read

    def any_run(self, run_id: object) -> TrackedRun:
        """Return a run of this project. Raises TrackingError."""
        if str(run_id) in self._own:
            return self._own[str(run_id)]
        for child in self._children():
            if child.run_id == run_id:
                return child
        found = self._other(str(run_id))
        if found is None:
            raise does_not_exist(f"Run with id={run_id}")
        self.looked.update(found.files)
        return found

    def any_model(self, model_id: str) -> dict[str, Any]:
        """Return a model of this project. Raises TrackingError."""
        for run in self.all_runs():
            if (model := model_of(run, model_id)) is not None:
                if run.run_id not in self._own:
                    self.looked.update((*run.files, str(run.folder / "models" / f"{model_id}.json")))
                return model
        raise does_not_exist(f"Logged model with ID '{model_id}'")

    def all_runs(self) -> Iterator[TrackedRun]:
        """Yield the runs of this step, those of the pipeline's other steps, and earlier ones of the experiment."""
        yield self.run
        yield from self._children()
        current = self.places.of_run.root
        yield from self._runs_in(current)
        for folder in sorted(_folders(self.layout.runs), reverse=True):
            if folder != current and (read_json(folder / "run.json") or {}).get("experiment") == self.experiment:
                yield from self._runs_in(folder)

    def _children(self) -> Iterator[TrackedRun]:
        for child in self.run.children():
            yield self._own.get(child.run_id, child)

    def _runs_in(self, folder: Path) -> Iterator[TrackedRun]:
        for path in sorted(_folders(folder / "steps")):
            if path != self.places.root:
                run = self._of_step(folder, path)
                yield run
                yield from run.children()

    def _of_step(self, run: Path, folder: Path) -> TrackedRun:
        """Return the run of another step; of a reused one what it was reused from, under its id in this run."""
        places = StepPaths(folder)
        producer = str((read_json(places.record) or {}).get("producer") or run.name)
        source = self.layout.run(producer).steps / folder.name
        found = StepPaths(source if source.is_dir() else folder)
        run_id = mlflow_id(f"{run.name}_{folder.name}")
        return TrackedRun(found.root, run_id, folder.name, DEFAULT_EXPERIMENT, self.hide, record=places.record)

    def _other(self, run_id: str) -> TrackedRun | None:
        for folder in _folders(self.layout.runs):
            if not run_id.startswith(f"{mlflow_id(folder.name)}_"):
                continue
            for run in self._runs_in(folder):
                if run.run_id == run_id:
                    return run
        return None


def _run_of(places: StepPaths, name: str, experiment: str, hide: Hide) -> TrackedRun:
    run_id = mlflow_id(f"{places.of_run.root.name}_{places.root.name}")
    return TrackedRun(places.root, run_id, name, experiment, hide, record=places.record)


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.is_dir() else []
