"""The folders of this run: the pipeline's, its steps' and their children's, and those of earlier runs."""

from __future__ import annotations

import os
from collections.abc import Iterator

from . import records
from .artifacts import Artifacts
from .context import Context, did_you_mean
from .errors import UserErrorException


class Folder:
    """Where one run is recorded."""

    def __init__(self, path: str, run_id: str, name: str, kind: str, artifacts: Artifacts) -> None:
        self.path = path
        self.run_id = run_id
        self.name = name
        self.kind = kind  # what Run.type says: azureml.StepRun, azureml.PipelineRun or azureml.scriptrun
        self.artifacts = artifacts

    def file(self, name: str) -> str:
        """Return the path of a file of records."""
        return os.path.join(self.path, name)

    def pairs(self, name: str) -> dict[str, str]:
        """Return what a file of keys and values adds up to."""
        pairs: dict[str, str] = {}
        for record in records.read(self.file(name)):
            if record.get("removed"):
                pairs.pop(record["key"], None)
            else:
                pairs[record["key"]] = record["value"]
        return pairs

    @property
    def status(self) -> str:
        """What the script said of itself; Running until then."""
        return records.load(self.file("status.json")).get("status", "Running")

    def make_child(self, name: str | None, run_id: str | None, parent_name: str) -> Folder:
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
        described = {"run_id": run_id or f"{self.run_id}_{number}", "name": f"{parent_name}>{name or ''}"}
        records.write(os.path.join(path, "run.json"), described)
        return _child(path, described)

    def children(self) -> Iterator[Folder]:
        """Return the folders of the child runs, in the order in which they were made."""
        children = self.file("children")
        numbers = sorted(int(n) for n in os.listdir(children) if n.isdigit()) if os.path.isdir(children) else []
        for number in numbers:
            path = os.path.join(children, str(number))
            described = records.load(os.path.join(path, "run.json"))
            if described:  # else it was killed while it was being made
                yield _child(path, described)


def of_step(context: Context) -> Folder:
    """Return the folder of the step that this process runs."""
    artifacts = Artifacts(context.artifacts_dir, context.working_dir)
    return Folder(context.step_dir, context.step_run_id, context.step_name, "azureml.StepRun", artifacts)


def of_pipeline(context: Context, run_dir: str | None = None) -> Folder:
    """Return the folder of the pipeline's run; of an earlier one, when its folder is given."""
    run_dir = run_dir or context.run_dir
    path = os.path.join(run_dir, "parent")
    run_id = os.path.basename(run_dir)
    return Folder(path, run_id, context.experiment, "azureml.PipelineRun", Artifacts(os.path.join(path, "artifacts")))


def of_steps(context: Context, run_dir: str) -> Iterator[Folder]:
    """Return the folders of a pipeline run's steps."""
    steps = os.path.join(run_dir, "steps")
    for step in sorted(os.listdir(steps)) if os.path.isdir(steps) else []:
        path = os.path.join(steps, step)
        if os.path.samefile(path, context.step_dir) if os.path.isdir(context.step_dir) else False:
            yield of_step(context)
        elif os.path.isdir(path):
            run_id = f"{os.path.basename(run_dir)}_{step}"
            yield Folder(path, run_id, step, "azureml.StepRun", Artifacts(os.path.join(path, "artifacts")))


def pipeline_runs(context: Context) -> list[str]:
    """Return the folders of the pipeline runs of this project, the newest first."""
    if not os.path.isdir(context.runs_dir):
        return []
    paths = [os.path.join(context.runs_dir, name) for name in sorted(os.listdir(context.runs_dir), reverse=True)]
    return [path for path in paths if os.path.isdir(os.path.join(path, "steps"))]


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
    yield from step.children()
    yield of_pipeline(context)
    for run_dir in [context.run_dir, *pipeline_runs(context)]:
        yield of_pipeline(context, run_dir)
        for folder in of_steps(context, run_dir):
            yield folder
            yield from folder.children()


def _child(path: str, described: dict) -> Folder:
    artifacts = Artifacts(os.path.join(path, "artifacts"))
    return Folder(path, described["run_id"], described["name"], "azureml.scriptrun", artifacts)
