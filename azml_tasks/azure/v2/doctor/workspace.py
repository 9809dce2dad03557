"""Check the workspace of a project, and suggest fixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from functools import partial

from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v2.assets import find_environment, missing_packages
from azml_tasks.azure.v2.client.connection import Client, connect
from azml_tasks.azure.v2.documents import Documents, documents
from azml_tasks.azure.v2.register import check_compute, check_datastore, has_identity, register
from azml_tasks.azure.v2.schedules import own_schedule, schedule_name
from azml_tasks.backend import KINDS
from azml_tasks.checks.doctor import Finding, schedule_finding, unfinished_move
from azml_tasks.errors import AzmlError, LoginError, NotInstalledError, ProjectError
from azml_tasks.export.assets import is_curated
from azml_tasks.plan import DatasetInput
from azml_tasks.reading import Project
from azml_tasks.text import listed

_TASKS = {"environment": "register-env", "dataset": "register-csv"}


def examine_workspace(project: Project) -> Iterator[Finding]:
    """Check the login, the workspace and what the file names in it, and change nothing."""
    try:
        client = connect(project)
        _ = client.history
    except (NotInstalledError, ProjectError):
        return  # `azml_tasks.checks.doctor.examine` has reported what is missing
    except LoginError as error:
        yield Finding("bad", str(error), "az login")
        return
    except AzmlError as error:
        yield Finding("bad", str(error), "correct ws_name, resource_group and subscription_id")
        return
    yield Finding("good", f"the workspace '{client.workspace}' was opened")
    yield from examine_names(project, client)
    try:
        with documents(project, [f"{kind}s" for kind in KINDS]) as found:
            yield from _declared(found, client)
            yield from _needed(found, client)
    except AzmlError as error:
        yield from (Finding("bad", line) for line in str(error).splitlines())
    yield from _schedule(project, client)


def examine_names(project: Project, client: Client) -> Iterator[Finding]:
    """Check what the file names without declaring it."""
    pipeline, steps = project.pipeline, project.plan.steps
    read = [item.dataset for step in steps for item in step.inputs if isinstance(item, DatasetInput)]
    stores = [pipeline.datasets[name].datastore_name for name in read if name in pipeline.datasets]
    written = [output.destination for step in steps for output in step.outputs]
    stores += [place.datastore_name for place in written if place]
    for section, names, declared, check in (
        ("computes", (pipeline.compute_of(step.step) for step in steps), pipeline.computes, check_compute),
        ("environments", (pipeline.env_of(step.step) for step in steps), pipeline.environments, find_environment),
        ("datastores", stores, pipeline.datastores, check_datastore),
    ):
        for name in dict.fromkeys(filter(None, names)):
            if name not in declared:
                yield from _missing(partial(check, client, name), section)


def _missing(check: Callable[[], object], section: str) -> Iterator[Finding]:
    try:
        check()
    except MissingError as error:
        yield Finding("bad", str(error), f"declare it in `{section}:`, or correct the name")
    except AzmlError as error:
        yield Finding("bad", str(error))


def _declared(found: Documents, client: Client) -> Iterator[Finding]:
    """Check what the file declares, as `register` would make it."""
    try:
        for change in register(client, found, KINDS, dry=True):
            if change.is_made:
                task = _TASKS.get(change.kind, f"register-{change.kind}")
                verdict = "note" if change.outcome == "updated" else "bad"
                yield Finding(verdict, str(change), _command(found.project, task))  # type: ignore[arg-type]
    except AzmlError as error:
        yield from (Finding("bad", line) for line in str(error).splitlines())


def _needed(found: Documents, client: Client) -> Iterator[Finding]:
    """Check what the scripts need in a job: packages of environments of the workspace, identities of computes."""
    project, pipeline = found.project, found.project.pipeline
    for name, packages in found.made.needed.items():
        if name in pipeline.environments or is_curated(name):
            continue
        place = next(
            ("steps", s.key, "env_name") if s.step.env_name else ("env_name",)
            for s in project.plan.steps
            if pipeline.env_of(s.step) == name
        )
        missing = missing_packages(client, name, packages)
        if missing:
            text = f"environment '{name}' of the workspace does not list {listed(missing)}, which its scripts need"
            yield Finding(
                "bad",
                str(project.problem(place, text)),
                "add to the environment, or declare another in `environments:`",
            )
    for step in project.plan.steps:
        compute = pipeline.compute_of(step.step)
        if step.key in found.made.with_secrets and compute and not has_identity(client, compute):
            text = f"step '{step.key}' reads a secret, and its compute '{compute}' has no managed identity"
            remedy = (
                f"az ml compute update --name {compute} --identity-type system_assigned, and give it the role Key "
                "Vault Secrets User"
            )
            yield Finding("bad", str(project.problem(("steps", step.key), text)), remedy)


def _schedule(project: Project, client: Client) -> Iterator[Finding]:
    asked = project.pipeline.schedule
    if asked is None:
        return
    try:
        name = schedule_name(project)
        row, replaced = own_schedule(client, project, datetime.now(timezone.utc))
    except ProjectError:
        return  # without a name it is not published
    except AzmlError as error:
        yield Finding("bad", str(error))
        return
    if replaced and project.target is not None:
        yield unfinished_move(replaced, project.target)
    times = [row.next] if row and row.state == "enabled" else []
    finding = schedule_finding(name, is_asked=asked.enabled, times=times, command=_command(project, "schedule"))
    yield from [finding] if finding else []


def _command(project: Project, task: str) -> str:
    return f"invoke {task}" + (f" --target {project.target}" if project.target else "")
