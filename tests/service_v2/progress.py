"""What becomes of a submitted job: its steps start when those before them are done, and end."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tests.service.run_state import CANCELED, COMPLETED, ENDED, FAILED, Run
from tests.service.state import Document, Workspace

from .state import Job

if TYPE_CHECKING:
    from .service import ServiceV2

_BINDING = re.compile(r"\$\{\{parent\.jobs\.([^.}]+)\.outputs\.([^.}]+)\}\}")
_REUSED = "azureml.reusedrunid"


def start(service: ServiceV2, workspace: Workspace, job: Job) -> None:
    """Begin a job, as `on_submit` of the service says."""
    properties = job.properties
    run = Run(job.name, properties.get("experimentName") or "Default", "azureml.PipelineRun")
    run.display_name = properties.get("displayName") or job.name
    run.description = properties.get("description")
    run.tags.update(properties.get("tags") or {})
    run.properties.update(properties.get("properties") or {})
    run.number = 1 + sum(other.experiment == run.experiment for other in workspace.runs.values())
    run.begin()
    workspace.runs[run.id] = run
    if service.on_submit == "execute":
        service.begin(job)
        return
    start_ready(service, workspace, job)
    if service.on_submit == "finish":
        finish(service, workspace, job)


def start_ready(service: ServiceV2, workspace: Workspace, job: Job) -> list[str]:
    """Start the nodes whose upstream ended well, and end the job when none is left. Gives those started."""
    run, started = workspace.runs[job.name], []
    while run.status not in ENDED:
        ready = [
            name
            for name in job.steps
            if name not in job.runs and all(_ended_well(workspace, job, other) for other in upstream(job, name))
        ]
        if not ready or _stops(workspace, job):
            break
        for name in ready:
            _begin(service, workspace, job, name)
        started += [name for name in ready if workspace.runs[job.runs[name]].status not in ENDED]
    _end_when_done(workspace, job)
    return started


def upstream(job: Job, name: str) -> list[str]:
    """Return the nodes whose outputs a node reads."""
    return [match[1] for match in bindings(job, name)]


def bindings(job: Job, name: str) -> Iterator[re.Match[str]]:
    return _BINDING.finditer(json.dumps(job.steps[name].get("inputs") or {}))


def finish(service: ServiceV2, workspace: Workspace, job: Job) -> None:
    """End every step, well or as `failing` says."""
    while True:
        going = [name for name, identifier in job.runs.items() if workspace.runs[identifier].status not in ENDED]
        if not going:
            return
        for name in going:
            failure = service.failing.get(name)
            log = f"Step {name} {'failed' if failure else 'ran'} on the stand-in.\n".encode()
            end_step(service, workspace, job, name, FAILED if failure else COMPLETED, failure, log)


def end_step(
    service: ServiceV2,
    workspace: Workspace,
    job: Job,
    name: str,
    status: str = COMPLETED,
    message: str | None = None,
    log: bytes | None = None,
) -> None:
    """End a started node, and start what waited for it."""
    run = workspace.runs[job.runs[name]]
    if run.status in ENDED:
        return
    if log is not None:
        service.write_log(run, log)
    run.end(status, message)
    if status == COMPLETED:
        service.reusable[_key(service, workspace, job, name)] = run.id
    start_ready(service, workspace, job)


def cancel(workspace: Workspace, job: Job) -> None:
    for identifier in (*job.runs.values(), job.name):
        if workspace.runs[identifier].status not in ENDED:
            workspace.runs[identifier].end(CANCELED)


def component_of(service: ServiceV2, node: Document) -> Document:
    """Return the specification of a node's component."""
    _, name, _, version = node["componentId"].rsplit("/", 3)
    spec: Document = service.v2.assets["components"][name][version]["properties"]["componentSpec"]
    return spec


def _begin(service: ServiceV2, workspace: Workspace, job: Job, name: str) -> None:
    node = job.steps[name]
    step = Run(
        workspace.identifiers.new("step run"),
        workspace.runs[job.name].experiment,
        "azureml.StepRun",
        parent=job.name,
        root=job.name,
        name=name,
        display_name=name,
    )
    step.properties.update({"azureml.runsource": "azureml.StepRun", "StepType": "CommandStep"})
    workspace.runs[step.id] = step
    job.runs[name] = step.id
    step.begin()
    spec = component_of(service, node)
    rerun = (job.properties.get("settings") or {}).get("force_rerun")
    before = service.reusable.get(_key(service, workspace, job, name))
    if before and not rerun and "never reuses" not in service.quirks and spec.get("is_deterministic", True):
        step.properties[_REUSED] = before
        step.properties["azureml.isreused"] = "true"
        step.end(COMPLETED)


def _key(service: ServiceV2, workspace: Workspace, job: Job, name: str) -> str:
    """Describe what a step's result depends on: the component, its inputs, and which runs wrote those."""
    node = job.steps[name]
    writers = {}
    for match in bindings(job, name):
        run = workspace.runs[job.runs[match[1]]]
        writers[match[0]] = run.properties.get(_REUSED, run.id)
    # Whether variables count is not known.
    described = [node["componentId"], node.get("inputs"), node.get("environment_variables"), writers]
    described.append(job.properties.get("inputs"))
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _ended_well(workspace: Workspace, job: Job, name: str) -> bool:
    identifier = job.runs.get(name)
    return identifier is not None and workspace.runs[identifier].status == COMPLETED


def _stops(workspace: Workspace, job: Job) -> bool:
    """Return whether a failed step keeps others from starting (an approximation of the service's rule)."""
    goes_on = (job.properties.get("settings") or {}).get("continue_on_step_failure", False)
    return not goes_on and any(workspace.runs[one].status == FAILED for one in job.runs.values())


def _end_when_done(workspace: Workspace, job: Job) -> None:
    run = workspace.runs[job.name]
    if run.status in ENDED:
        return
    statuses: list[Any] = [workspace.runs[one].status for one in job.runs.values()]
    if any(status not in ENDED for status in statuses):
        return
    if FAILED in statuses:
        run.end(FAILED, "Pipeline has some failed steps. See child run or execution logs for more details.")
    elif len(statuses) == len(job.steps):
        run.end(COMPLETED)
