"""What becomes of a submitted pipeline: its steps start when those before them are done, and end."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from . import artifacts
from .graphs import FromDataset, FromStep, SubmittedStep, steps_of
from .pipeline_state import PipelineRun
from .run_state import CANCELED, COMPLETED, ENDED, FAILED, NOT_STARTED, Run
from .state import State, Workspace

OnSubmit = Literal["finish", "execute", "hold"]
FAILED_STEPS = "Pipeline has some failed steps. See child run or execution logs for more details."


@dataclass(frozen=True)
class Place:
    """Where an output lies."""

    datastore: str
    account: str
    container: str
    path: str


class Progress:
    """Run submitted pipelines.

    `on_submit` says how: "finish" ends every step at once, "execute" really runs the scripts in a
    thread, "hold" starts what can start and waits to be told (`end_step`). `failing` names steps that
    fail in place of ending well, with the message of their error.
    """

    def __init__(self, state: State, lock: threading.RLock, execute: Callable[[Workspace, PipelineRun], None]) -> None:
        self.on_submit: OnSubmit = "finish"
        self.failing: dict[str, str] = {}
        self._state = state
        self._lock = lock
        self._execute = execute
        self._threads: list[threading.Thread] = []
        self._reusable: dict[str, str] = {}
        """Key of a step that ended well -> its run."""

    def submit(self, workspace: Workspace, run: PipelineRun, parent: str | None = None) -> None:
        """Begin a pipeline's run."""
        run.submitted = True
        record = self._record(workspace, run, Run(run.id, run.experiment, "azureml.PipelineRun", parent))
        record.properties.update({"azureml.runsource": "azureml.PipelineRun", "runSource": run.source})
        record.properties["azureml.parameters"] = json.dumps({**self.parameters(workspace, run)})
        if run.published:
            record.properties["azureml.pipelineid"] = run.published
        record.begin()
        if self.on_submit == "execute":
            thread = threading.Thread(target=self._execute, args=(workspace, run), daemon=True)
            self._threads.append(thread)
            thread.start()
            return
        self.start_ready(workspace, run)
        if self.on_submit == "finish":
            self.finish(workspace, run)

    def finish(self, workspace: Workspace, run: PipelineRun) -> None:
        """End every step of a run, well or as `failing` says."""
        while True:
            with self._lock:
                going = [name for name, step in self.step_runs(workspace, run).items() if step.status not in ENDED]
                for name in going:
                    failure = self.failing.get(name)
                    log = f"Step {name} {'failed' if failure else 'ran'} on the stand-in.\n".encode()
                    self.end_step(workspace, run, name, FAILED if failure else COMPLETED, failure, log)
            if not going:
                return

    def start_ready(self, workspace: Workspace, run: PipelineRun) -> list[SubmittedStep]:
        """Start the steps whose upstream ended well; reused ones end at once. Gives those started."""
        started = []
        with self._lock:
            steps = self.steps(workspace, run)
            found = True
            while found and not self._over(workspace, run):
                done = self.step_runs(workspace, run)
                ready = [
                    step
                    for name, step in steps.items()
                    if name not in done and all(self._done_well(done.get(before)) for before in step.upstream)
                ]
                found = bool(ready)
                started += [step for step in ready if not self._start(workspace, run, step)]
            self._end_when_done(workspace, run)
        return started

    def end_step(
        self,
        workspace: Workspace,
        run: PipelineRun,
        name: str,
        status: str = COMPLETED,
        message: str | None = None,
        log: bytes | None = None,
    ) -> None:
        """End a started step and start what waited for it."""
        with self._lock:
            step = self.step_runs(workspace, run)[name]
            if step.status in ENDED:
                return
            if log is not None:
                artifacts.put(self._state, workspace, step.container, artifacts.LOG, log)
            step.end(status, message)
            if status == COMPLETED:
                self._reusable[self._key(workspace, run, self.steps(workspace, run)[name])] = step.id
            self.start_ready(workspace, run)

    def cancel(self, workspace: Workspace, run: PipelineRun) -> None:
        """End a run and its started steps as canceled."""
        with self._lock:
            for record in (*self.step_runs(workspace, run).values(), workspace.runs[run.id]):
                if record.status not in ENDED:
                    record.end(CANCELED)

    def settle(self) -> None:
        """Wait for the runs that execute."""
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def steps(self, workspace: Workspace, run: PipelineRun) -> dict[str, SubmittedStep]:
        return steps_of(workspace, workspace.graphs[run.graph])

    def step_runs(self, workspace: Workspace, run: PipelineRun) -> dict[str, Run]:
        """Give the runs of the steps that started, by the step's name."""
        steps = self.steps(workspace, run).values()
        return {step.name: workspace.runs[run.steps[step.node]] for step in steps if step.node in run.steps}

    def parameters(self, workspace: Workspace, run: PipelineRun) -> Mapping[str, str]:
        """Give the values that the pipeline's parameters have in this run."""
        return {**workspace.graphs[run.graph].defaults, **run.parameters}

    def places(self, workspace: Workspace, run: PipelineRun, node: str) -> dict[str, Place]:
        """Say where the outputs of a step that started lie."""
        step = next(step for step in self.steps(workspace, run).values() if step.node == node)
        record = workspace.runs[run.steps[node]]
        identifier = record.properties.get("azureml.reusedrunid", record.id)
        found = {}
        for output in step.outputs.values():
            store = workspace.datastores[output.datastore]
            path = output.path or "dataset/{run-id}/{output-name}"
            path = path.replace("{run-id}", identifier).replace("{output-name}", output.name).strip("/")
            found[output.name] = Place(store.name, store.account, store.container, path)
        return found

    def _start(self, workspace: Workspace, run: PipelineRun, step: SubmittedStep) -> bool:
        """Make the run of a step; says whether an earlier one's result was reused."""
        identifier = workspace.identifiers.new("step run")
        record = self._record(workspace, run, Run(identifier, run.experiment, "azureml.StepRun", run.id, run.id))
        record.name, record.script, record.target = step.name, step.script, step.target
        record.tags.update({"azureml.nodeid": step.node, "azureml.pipeline": run.id})
        record.properties.update(
            {
                "azureml.runsource": "azureml.StepRun",
                "azureml.nodeid": step.node,
                "azureml.moduleid": step.module.id,
                "azureml.moduleName": step.name,
                "azureml.pipelinerunid": run.id,
                "ContentSnapshotId": step.module.snapshot_id or "",
                "StepType": "PythonScriptStep",
            }
        )
        record.definition = {**step.runconfig, "script": step.script, "target": step.target}
        run.steps[step.node] = record.id
        record.begin()
        earlier = self._reusable.get(self._key(workspace, run, step))
        if earlier is None or not step.allow_reuse or step.regenerate:
            return False
        record.properties["azureml.reusedrunid"] = earlier
        record.properties["azureml.isreused"] = "true"
        record.end(COMPLETED)
        return True

    def _record(self, workspace: Workspace, run: PipelineRun, record: Run) -> Run:
        record.number = 1 + sum(other.experiment == run.experiment for other in workspace.runs.values())
        workspace.runs[record.id] = record
        return record

    def _key(self, workspace: Workspace, run: PipelineRun, step: SubmittedStep) -> str:
        """Say what a step's result depends on: its module, parameters, environment, data sets, and what it reads."""
        values = self.parameters(workspace, run)
        done = self.step_runs(workspace, run)
        sources = []
        for name, source in sorted(step.inputs.items()):
            if isinstance(source, FromDataset):
                latest = workspace.datasets.get(source.dataset or "")
                follows = source.version is None and latest is not None
                sources.append([name, latest.latest.saved.id if follows and latest else source.id])
            elif isinstance(source, FromStep):
                before = done[source.step]
                sources.append([name, before.properties.get("azureml.reusedrunid", before.id), source.output])
        own = {name: values[graph] for name, graph in step.parameters.items()}
        # Of the run configuration what the script can notice: not the compute.
        environment = [step.environment, step.runconfig.get("environmentVariables")]
        text = json.dumps([step.module.hash, own, sources, environment], sort_keys=True)
        return hashlib.sha256((workspace.id + text).encode()).hexdigest()

    @staticmethod
    def _done_well(run: Run | None) -> bool:
        return run is not None and run.status == COMPLETED

    def _over(self, workspace: Workspace, run: PipelineRun) -> bool:
        """Say whether no further step is to start."""
        if workspace.runs[run.id].status in ENDED:
            return True
        failed = any(step.status == FAILED for step in self.step_runs(workspace, run).values())
        return failed and not run.continue_on_failure

    def _end_when_done(self, workspace: Workspace, run: PipelineRun) -> None:
        record, steps = workspace.runs[run.id], self.step_runs(workspace, run).values()
        if record.status in (*ENDED, NOT_STARTED) or any(step.status not in ENDED for step in steps):
            return
        if any(step.status == FAILED for step in steps):
            record.end(FAILED, FAILED_STEPS)
        elif any(step.status == CANCELED for step in steps):
            record.end(CANCELED)
        else:
            record.end(COMPLETED)
