"""The folders of this run: the pipeline's, its steps' and their children's, and those of earlier runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from . import records
from .artifacts import Artifacts
from .context import Context, current, did_you_mean
from .errors import UserErrorException
from .reads import fact

# Where a step's folder holds what the step did to the pipeline's run.
ON_PARENT = "on_parent.jsonl"
# What the runner records of a run or a step, by the SDK's name of it.
_STATUSES = {
    "waiting": "NotStarted",
    "completed": "Completed",
    "reused": "Completed",
    "failed": "Failed",
    "cancelled": "Canceled",
    "interrupted": "Canceled",
    "skipped": "NotStarted",
}


class Folder:
    """Where one run is recorded.

    `kind` is what `Run.type` says, `parent` the folder of the run that this one belongs to, `record` the path of
    what the runner knows of it.
    """

    def __init__(
        self,
        path: str,
        run_id: str,
        name: str,
        kind: str,
        *,
        parent: Folder | None = None,
        artifacts: Artifacts | None = None,
        record: str | None = None,
    ) -> None:
        self.path = path
        self.run_id = run_id
        self.name = name
        self.kind = kind
        self.parent = parent
        self.artifacts = artifacts or Artifacts(os.path.join(path, "artifacts"), added=self._note_artifact)
        self._record = record

    def file(self, name: str) -> str:
        """Return the path of a file of records."""
        return os.path.join(self.path, name)

    def append(self, name: str, record: dict) -> None:
        """Add a record to a file of records; what a step adds to the pipeline's run says which step it was."""
        if self.kind == "azureml.PipelineRun":
            record = {**record, "by": _own_name()}
            self.note({"file": name, "record": record})
        records.append(self.file(name), record)

    def note(self, record: dict) -> None:
        """Note what a step does to the pipeline's run, which is done again to the next one when the step is reused."""
        if self.kind == "azureml.PipelineRun" and (context := current()) is not None:
            records.append(os.path.join(context.step_dir, ON_PARENT), record)

    def pairs(self, name: str) -> dict[str, str]:
        """Return what a file of keys and values adds up to."""
        pairs: dict[str, str] = {}
        for record in records.read(self.file(name)):
            if not isinstance(record.get("key"), str):
                continue
            if record.get("removed"):
                pairs.pop(record["key"], None)
            elif isinstance(record.get("value"), (str, type(None))):
                pairs[record["key"]] = record.get("value")
        return pairs

    def _note_artifact(self, name: str) -> None:
        self.note({"artifact": name})

    @property
    def known(self) -> dict:
        """What the runner has recorded of the run."""
        return records.load(self._record) if self._record else {}

    @property
    def status(self) -> str:
        """What the runner knows once the run ended, else what the script said of itself, else Running."""
        said = records.load(self.file("status.json")).get("status")
        said = said if isinstance(said, str) else "Running"
        known = self.known.get("status")
        return _STATUSES.get(known, said) if isinstance(known, str) else said

    def make_child(self, name: str | None, run_id: str | None) -> Folder:
        """Make the folder of a new child run, with a number that no other child has."""
        children = self.file("children")
        os.makedirs(children, exist_ok=True)
        number = len(os.listdir(children)) + 1
        while True:
            path = os.path.join(children, str(number))
            try:
                os.mkdir(path)
            except FileExistsError:
                number += 1
                continue
            break
        described = {"run_id": run_id or f"{self.run_id}_{number}", "name": f"{self.name}>{name or ''}"}
        records.write(os.path.join(path, "run.json"), described)
        return self._child(path, described)

    def children(self) -> Iterator[Folder]:
        """Return the folders of the child runs, in the order in which they were made."""
        children = self.file("children")
        numbers = sorted(int(n) for n in os.listdir(children) if n.isdigit()) if os.path.isdir(children) else []
        for number in numbers:
            path = os.path.join(children, str(number))
            described = records.load(os.path.join(path, "run.json"))
            if all(
                isinstance(described.get(key), str) for key in ("run_id", "name")
            ):  # else it was killed while it was being made
                yield self._child(path, described)

    def _child(self, path: str, described: dict) -> Folder:
        return Folder(path, described["run_id"], described["name"], "azureml.scriptrun", parent=self)


def _own_name() -> str:
    context = current()
    return os.path.basename(context.step_dir) if context is not None else ""


def of_step(context: Context) -> Folder:
    """Return the folder of the step that this process runs."""
    artifacts = Artifacts(context.artifacts_dir, context.working_dir)
    parent = of_pipeline(context, context.run_dir)
    name, run_id = context.step_name, context.step_run_id
    return Folder(context.step_dir, run_id, name, "azureml.StepRun", parent=parent, artifacts=artifacts)


def of_pipeline(context: Context, run_dir: str) -> Folder:
    """Return the folder of a pipeline's run: this one's or an earlier one's."""
    run_id, record = os.path.basename(run_dir), os.path.join(run_dir, "run.json")
    path = os.path.join(run_dir, "parent")
    return Folder(path, run_id, context.experiment, "azureml.PipelineRun", record=record)


def of_steps(context: Context, run_dir: str) -> Iterator[Folder]:
    """Return the folders of a pipeline run's steps."""
    steps = os.path.join(run_dir, "steps")
    for step in sorted(os.listdir(steps)) if os.path.isdir(steps) else []:
        path = os.path.join(steps, step)
        if path == context.step_dir:
            yield of_step(context)
        elif os.path.isdir(path):
            yield _of_other_step(context, run_dir, step)


def pipeline_runs(context: Context, experiment: str | None = None) -> list[str]:
    """Return the folders of the pipeline runs of this project, or of an experiment of it, the newest first."""
    if not os.path.isdir(context.runs_dir):
        return []
    paths = [os.path.join(context.runs_dir, name) for name in sorted(os.listdir(context.runs_dir), reverse=True)]
    runs = [path for path in paths if os.path.isdir(os.path.join(path, "steps"))]
    return [path for path in runs if experiment in (None, _experiment(context, path))]


def _experiment(context: Context, run_dir: str) -> str:
    own = context.experiment if run_dir == context.run_dir else None
    return own or records.load(os.path.join(run_dir, "run.json")).get("experiment", "")


def find(context: Context, run_id: str) -> Folder:
    """Return the folder of a run of this project, by the run's id."""
    known = []
    for folder in _all(context):
        if folder.run_id == run_id:
            return folder
        known.append(folder.run_id)
    raise UserErrorException(f"there is no run {run_id!r} in this project{did_you_mean(run_id, known)}")


def _all(context: Context) -> Iterator[Folder]:
    step = of_step(context)
    yield step
    yield from _below(step)
    yield from _with_steps(context, context.run_dir)
    # Not before it is known that the run is none of this pipeline: the list grows with each run.
    for run_dir in pipeline_runs(context):
        yield from _with_steps(context, run_dir)


def _with_steps(context: Context, run_dir: str) -> Iterator[Folder]:
    yield of_pipeline(context, run_dir)
    for folder in of_steps(context, run_dir):
        yield folder
        yield from _below(folder)


def _below(folder: Folder) -> Iterator[Folder]:
    for child in folder.children():
        yield child
        yield from _below(child)


def _of_other_step(context: Context, run_dir: str, step: str) -> Folder:
    """Return the folder of another step; of the run that it was reused from, when it did not run itself."""
    path = os.path.join(run_dir, "steps", step)
    run_id, record = f"{os.path.basename(run_dir)}_{step}", os.path.join(path, "record.json")
    producer = records.load(record).get("producer")
    if isinstance(producer, str) and producer and os.path.basename(producer) == producer and producer.strip("."):
        path = os.path.join(context.runs_dir, producer, "steps", step)
    fact(f"step_names/{step}")
    name = context.step_names.get(step, step)
    return Folder(path, run_id, name, "azureml.StepRun", parent=of_pipeline(context, run_dir), record=record)
