"""Check the workspace for everything in the file, and suggest fixes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Any

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.published import published_name, schedule_name
from azml_tasks.azure.v1.client.connection import connect
from azml_tasks.azure.v1.resources.computes import find_compute
from azml_tasks.azure.v1.resources.datasets import find_dataset
from azml_tasks.azure.v1.resources.datastores import find_datastore
from azml_tasks.azure.v1.resources.environments import environment_definition, find_environment, register_environment
from azml_tasks.azure.v1.schedules.manage import list_schedules, redundant
from azml_tasks.azure.v1.schedules.reconcile import watched_datastore
from azml_tasks.checks.doctor import Finding, schedule_finding
from azml_tasks.errors import AzmlError, LoginError, ProjectError
from azml_tasks.plan import DatasetInput
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import in_one_line

_AT_ONCE = 8

Look = Callable[[], "Finding | None"]


def examine_workspace(project: Project) -> Iterator[Finding]:
    """Check the login, the workspace, the resources in the file, and the schedules of the pipeline.

    A failure is a finding, and only ends the checks that depend on it.
    """
    try:
        ws = connect(project)
    except ProjectError:
        return  # `azml_tasks.checks.doctor.examine` has reported what is missing
    except AzmlError as error:
        yield Finding("bad", str(error), _mending(error))
        return
    yield Finding("good", f"the workspace {ws.name} in {ws.resource_group} can be opened")
    yield from _things(ws, project)
    yield from _schedules(ws, project)


def _mending(error: AzmlError) -> str:
    if isinstance(error, LoginError):
        return "az login"
    if isinstance(error, MissingError):
        return "correct ws_name, resource_group and subscription_id, or create the workspace in Azure"
    return ""  # the message itself contains the suggestion


def _things(ws: Any, project: Project) -> Iterator[Finding]:
    """Look for everything that the file declares or names, at the same time."""
    looks = list(_looks(ws, project))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        findings = [finding for finding in pool.map(lambda look: look(), looks) if finding is not None]
    yield from findings
    if not findings:
        yield Finding("good", "the workspace has everything in the file")


def _looks(ws: Any, project: Project) -> Iterator[Look]:
    pipeline, steps = project.pipeline, project.plan.steps
    for name in _names(pipeline.environments, (pipeline.env_of(step.step) for step in steps)):
        yield partial(_environment, ws, project, name)
    for name in _names(pipeline.computes, (pipeline.compute_of(step.step) for step in steps)):
        declared = name in pipeline.computes
        yield partial(_thing, project, find_compute, ws, name, declared, "register-compute", "computes")
    for name in _names(pipeline.datastores, _datastores(project)):
        declared = name in pipeline.datastores
        yield partial(_thing, project, find_datastore, ws, name, declared, "register-datastore", "datastores")
    read = (item.dataset for step in steps for item in step.inputs if isinstance(item, DatasetInput))
    for name in _names(pipeline.datasets, read):
        dataset = pipeline.datasets.get(name)
        find = partial(find_dataset, version=dataset.version if dataset else "latest")
        yield partial(
            _thing, project, find, ws, name, bool(dataset and dataset.is_declared), "register-csv", "datasets"
        )
    blob = pipeline.schedule.on_blob_change if pipeline.schedule else None
    if blob:
        yield partial(_watched, ws, blob)


def _names(declared: Iterable[str], used: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys((*declared, *filter(None, used))))


def _datastores(project: Project) -> Iterator[str | None]:
    pipeline = project.pipeline
    yield from (dataset.datastore_name for dataset in pipeline.datasets.values())
    for step in project.plan.steps:
        yield from (output.destination.datastore_name for output in step.outputs if output.destination)
    if pipeline.schedule and pipeline.schedule.on_blob_change:
        yield pipeline.schedule.on_blob_change.datastore_name


def _thing(
    project: Project,
    find: Callable[[Any, str], Any],
    ws: Any,
    name: str,
    is_declared: bool,
    task: str,
    section: str,
) -> Finding | None:
    try:
        find(ws, name)
    except MissingError as error:
        remedy = _command(project, task) if is_declared else f"declare it in `{section}:`, or correct the name"
        return Finding("bad", str(error), remedy)
    except AzmlError as error:
        return Finding("bad", str(error))
    return None


def _environment(ws: Any, project: Project, name: str) -> Finding | None:
    if name not in project.pipeline.environments:
        return _thing(project, find_environment, ws, name, False, "register-env", "environments")
    try:
        change = register_environment(ws, environment_definition(project.plan, name, project.directory), dry=True)[1]
    except AzmlError as error:
        return Finding("bad", str(error))
    if change.outcome == "unchanged":
        return None
    remedy = _command(project, "register-env")
    if change.outcome == "created":
        return Finding("bad", f"the workspace '{ws.name}' has no environment '{name}'", remedy)
    changed = in_one_line(change.differences)
    return Finding("note", f"the environment '{name}' in the workspace differs from the file: {changed}", remedy)


def _watched(ws: Any, blob: Any) -> Finding | None:
    try:
        watched_datastore(ws, blob)
    except MissingError:
        return None  # found by the look for datastores
    except AzmlError as error:
        return Finding("bad", str(error))
    return None


def _schedules(ws: Any, project: Project) -> Iterator[Finding]:
    try:
        pipeline, name = published_name(project), schedule_name(project)
    except ProjectError:
        return  # without a name it is not published
    try:
        rows = list_schedules(ws, datetime.now(timezone.utc), pipeline, name)
    except AzmlError as error:
        yield Finding("bad", str(error))
        return
    found = redundant(rows)
    for one in found:
        yield Finding("bad", f"the schedule '{one.row.name}' {one.reason}", _command(project, "schedules.prune"))
    asked = project.pipeline.schedule
    if asked is not None:
        times = [row.next for row in rows if row.record.name == name and row.record.is_active]
        command = _command(project, "schedule")
        finding = schedule_finding(name, is_asked=asked.enabled, times=times, command=command)
        # Of one that is enabled more than once, the finding above says enough.
        yield from [finding] if finding and not (found and finding.verdict == "good") else []


def _command(project: Project, task: str) -> str:
    return f"invoke {task}" + (f" --target {project.target}" if project.target else "")
