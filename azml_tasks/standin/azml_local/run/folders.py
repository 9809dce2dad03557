"""The folders of runs, and the SDK's details of a run."""

from __future__ import annotations

import getpass
import os
import sys
import time
import traceback
from collections.abc import Iterator

from .. import records
from ..context import Context, current, did_you_mean, require_context
from ..errors import UserErrorException, is_in_job
from ..reads import fact
from .artifacts import Artifacts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..protocols import Json, SomeRun

# The place in a step's folder for its changes to the pipeline's run.
ON_PARENT = "on_parent.jsonl"
# Records of the runner for a run or a step, by the SDK's names.
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
    """The folder of a run.

    `kind` is the value of `Run.type`, `parent` the folder of the parent run, `record` the path of the runner's record.
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

    def append(self, name: str, record: Json) -> None:
        """Append a record to a file of records; records of a step on the pipeline's run include the step."""
        if self.kind == "azureml.PipelineRun":
            record = {**record, "by": _own_name()}
            self.note({"file": name, "record": record})
        records.append(self.file(name), record)

    def note(self, record: Json) -> None:
        """Record what a step does to the pipeline's run, to repeat it when the step is reused."""
        if self.kind == "azureml.PipelineRun" and (context := current()) is not None:
            records.append(os.path.join(context.step_dir, ON_PARENT), record)

    def pairs(self, name: str) -> dict[str, str | None]:
        """Return the merged records of a file of keys and values."""
        pairs: dict[str, str | None] = {}
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
    def known(self) -> Json:
        """The runner's record of the run."""
        return records.load(self._record) if self._record else {}

    @property
    def status(self) -> str:
        """The runner's status if the run has ended, else the status set by the script, else Running."""
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
        described: Json = {"run_id": run_id or f"{self.run_id}_{number}", "name": f"{self.name}>{name or ''}"}
        described["started"] = time.time()
        records.write(os.path.join(path, "run.json"), described)
        return self._child(path, described)

    def children(self) -> Iterator[Folder]:
        """Return the folders of the child runs, in order of creation."""
        children = self.file("children")
        numbers = sorted(int(n) for n in os.listdir(children) if n.isdecimal()) if os.path.isdir(children) else []
        for number in numbers:
            path = os.path.join(children, str(number))
            described = records.load(os.path.join(path, "run.json"))
            if all(
                isinstance(described.get(key), str) for key in ("run_id", "name")
            ):  # else it was killed during its creation
                yield self._child(path, described)

    def _child(self, path: str, described: Json) -> Folder:
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


def check_readable(folder: Folder, what: str) -> None:
    """Raise for what other steps of the pipeline have recorded, in a job of Azure ML v2, which has only its own."""
    if folder.kind == "azureml.PipelineRun" and is_in_job():
        raise UserErrorException(
            f"run.parent.{what} is not possible in a job on Azure ML v2; pass the values in an output folder of the "
            "step that logs them"
        )


def find(context: Context, run_id: str | None) -> Folder:
    """Return the folder of a run of this project, by the run's id."""
    known = []
    for folder in _all(context):
        if folder.run_id == run_id:
            return folder
        known.append(folder.run_id)
    if is_in_job():
        raise UserErrorException(
            f"a job on Azure ML v2 cannot read the run {run_id!r}; use mlflow.get_run, with azureml-mlflow in the "
            "environment"
        )
    raise UserErrorException(f"no run {run_id!r} in this project{did_you_mean(run_id, known)}")


def _all(context: Context) -> Iterator[Folder]:
    step = of_step(context)
    yield step
    yield from _below(step)
    yield from _with_steps(context, context.run_dir)
    # Only if the run is not one of this pipeline: the list grows with each run.
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


_MOST_CHILDREN = 100
_BATCH_TAG = "azureml.batch_child_number"


def details(run: SomeRun) -> Json:
    """Return a run's details; what only Azure has is empty."""
    context = require_context("run.get_details")
    from ..data.lineage import InputDatasets

    fact("compute_name")
    fact("environment_name")
    ended = records.load(run._folder.file("status.json"))
    known = run._folder.known
    described: Json = {
        "runId": run.id,
        "target": context.compute_name,
        "status": run.status,
        "properties": run.get_properties(),
        "inputDatasets": InputDatasets(run),
        "outputDatasets": [],
        "runDefinition": {
            "script": sys.argv[0],
            "arguments": sys.argv[1:],
            "framework": "Python",
            "target": context.compute_name,
            "environment": {"name": context.environment_name, "version": None},
        },
        "logFiles": {},
        "submittedBy": _user(),
    }
    if "started" in known:
        described["startTimeUtc"] = records.as_text(known["started"])
    if "time" in ended:
        described["endTimeUtc"] = ended["time"]
    if "error" in ended:
        described["error"] = {"error": ended["error"]}
    return described


def portal_url(run_id: str) -> str:
    """Return the page of a run of Azure ML, from a job."""
    workspace = require_context("run.get_portal_url").workspace
    scope = (
        f"/subscriptions/{workspace.get('subscription_id')}/resourcegroups/{workspace.get('resource_group')}"
        f"/workspaces/{workspace.get('name')}"
    )
    return f"https://ml.azure.com/runs/{run_id}?wsid={scope}"


def own_properties(kind: str) -> dict[str, str]:
    """Return the properties that Azure sets on a run of a kind."""
    if kind != "azureml.StepRun":
        return {"azureml.runsource": kind}
    return {
        "azureml.runsource": kind,
        "azureml.pipelinerunid": require_context("run.properties").run_id,
        "StepType": "PythonScriptStep",
    }


def error(error_details: str | BaseException | None, error_code: object) -> Json:
    """Return why a run failed, from a text or an exception."""
    found: Json = {"code": "UserError" if error_code is None else error_code}
    if error_details is None:
        return found
    if isinstance(error_details, str):
        return {**found, "message": error_details}
    if not isinstance(error_details, BaseException):
        raise TypeError("error_details must be a text or an exception")
    kind = type(error_details).__name__
    return {
        **found,
        "message": f"User program failed with {kind}: {error_details}",
        "debug_type": kind,
        "debug_message": str(error_details),
        "debug_stack_trace": "".join(traceback.format_tb(error_details.__traceback__)),
    }


def children_tags(
    count: int | None, tag_key: str | None, tag_values: Iterable[object] | None
) -> list[dict[str, object]]:
    """Return the tags of the children to make: numbered, or one value each. Raises as the SDK does."""
    if count is None and tag_key is None and tag_values is None:
        raise UserErrorException("run.create_children requires a count, or tag_key and tag_values")
    if (tag_key is None) != (tag_values is None):
        raise UserErrorException("run.create_children requires tag_key and tag_values together")
    if count is not None and tag_key is not None:
        raise UserErrorException("run.create_children requires either a count, or tag_key and tag_values")
    key = tag_key or _BATCH_TAG
    values: list[object] = list(tag_values or ()) if count is None else list(range(count))
    if len(values) > _MOST_CHILDREN:
        raise UserErrorException(f"run.create_children can create at most {_MOST_CHILDREN} runs")
    return [{key: value} for value in values]


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, in a container
        return None
