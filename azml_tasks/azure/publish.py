"""Publish a pipeline: one published pipeline a content, one endpoint whose default moves.

Several may publish at once. Whoever has changed something looks again, until nothing is left to change: of the active
pipelines of a content all keep the oldest, and the endpoint runs it. Since each looks after it has written, the last to
write sees what all others wrote.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.content import content_version, environment_contents
from azml_tasks.azure.failures import is_foreign
from azml_tasks.azure.published import MOST_ENDPOINTS, Family, find_endpoint, find_family
from azml_tasks.azure.schedule_records import read_schedules
from azml_tasks.checks import check_contracts
from azml_tasks.errors import Problem, ProjectError, ServiceError, listed
from azml_tasks.needs import check_needs, publishing_problems
from azml_tasks.reading import Project
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring import Plan
from azml_tasks.wiring.reuse import reuse_when_published

# The seconds to wait before each look after a change, as long as others change the same or no change shows.
_LOOKS = (0, 0, 0.2, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class Publishable:
    """A pipeline that is ready to be published under a name."""

    name: str
    description: str | None
    plan: Plan
    snapshots: Mapping[str, Snapshot]
    directory: Path


@dataclass(frozen=True)
class Publication:
    """What publishing did, or with `dry` would do.

    `id` and `endpoint_id` are Azure's, empty as long as there is none; `url` takes the POST that runs the endpoint's
    default. `before` is the version that was the default until now, None for a new endpoint. `notes` are remarks on
    what is published.
    """

    name: str
    version: str
    outcome: Literal["created", "enabled", "unchanged"]
    before: str | None
    id: str = ""
    endpoint_id: str = ""
    url: str = ""
    notes: tuple[str, ...] = ()
    dry: bool = False

    def __str__(self) -> str:
        would = "would be " if self.dry and self.outcome != "unchanged" else ""
        same = "unchanged" if self.before == self.version else "published before"
        done = {"created": "published", "enabled": "enabled again", "unchanged": same}[self.outcome]
        text = f"{self.name} {self.version}: {would}{done}"
        if self.before is None:
            return f"{text}, behind a new endpoint"
        if self.before != self.version:
            return f"{text}, the endpoint's default instead of {self.before}"
        return text


def publish(project: Project, ws: Any, dry: bool = False) -> Publication:
    """Publish a project's pipeline unless this very content is published; its version becomes the endpoint's default.

    Raises ProjectError and ServiceError.
    """
    wanted = publishable(project)
    return publish_pipeline(ws, wanted, dry)


def publishable(project: Project) -> Publishable:
    """Return the project's pipeline as it would be published, without asking Azure.

    Raises ProjectError.
    """
    check_needs(project)
    problems = publishing_problems(project)
    if problems:
        raise ProjectError(problems)
    project.require("publish", "environments", "env_name", "compute_name")
    said = project.pipeline.publish
    description = (said.description if said else None) or project.pipeline.description
    builder = SnapshotBuilder(project.directory)
    snapshots = take_snapshots(builder, project.plan.steps, project.problem)
    check_contracts(project.plan.steps, snapshots, builder, project.problem)
    return Publishable(published_name(project), description, project.plan, snapshots, project.directory)


def published_name(project: Project) -> str:
    """Return the name that the pipeline is published under: that of `publish`, else the experiment's.

    Raises ProjectError when the file has neither.
    """
    project.require("publish")
    pipeline = project.pipeline
    name = pipeline.publish.name if pipeline.publish else pipeline.experiment_name
    if name is None:
        message = "publishing needs a name: add `publish: {name: ...}`"
        raise ProjectError([Problem(project.file.name, 0, message)])
    return name


def publish_pipeline(ws: Any, wanted: Publishable, dry: bool = False) -> Publication:
    """Publish a pipeline; see `publish`."""
    with service_calls(f"publishing the pipeline '{wanted.name}'"):
        environments = environment_contents(ws, wanted.plan, wanted.directory)
        version = content_version(wanted.plan, wanted.snapshots, environments, wanted.description)
        found = find_family(ws, wanted.name)
        published = found.kept(version)
        outcome: Literal["created", "enabled", "unchanged"] = "unchanged"
        if published is None:
            outcome = "created"
        elif published.status != "Active":
            outcome = "enabled"
        # Asked now, since the SDK changes its endpoint when the default moves.
        before = None if found.endpoint is None else _default_version(found)
        family, notes = (found, []) if dry else _published(ws, wanted, version, found)
        published, endpoint = family.kept(version), family.endpoint
        return Publication(
            name=wanted.name,
            version=version,
            outcome=outcome,
            before=before,
            id=published.id if published else "",
            endpoint_id=endpoint.id if endpoint else "",
            url=endpoint.endpoint if endpoint else "",
            notes=(*_notes(wanted.plan), *notes),
            dry=dry,
        )


def unused_versions(ws: Any, name: str) -> list[Any]:
    """Return the active versions of a published pipeline that neither an endpoint's default nor a schedule needs."""
    with service_calls(f"looking for unused versions of '{name}'"):
        family = find_family(ws, name)
        used = _used(ws, family)
        return [item for item in family.pipelines if item.status == "Active" and item.id not in used]


def disable_versions(ws: Any, name: str, versions: Iterable[Any]) -> list[Any]:
    """Disable published pipelines, so that nothing can run them any more, and return those that are disabled.

    One that became an endpoint's default, or was scheduled, meanwhile is enabled again.
    """
    versions = list(versions)
    with service_calls("disabling unused versions"):
        for published in versions:
            published.disable()
        used = _used(ws, find_family(ws, name)) if versions else set()
        for published in versions:
            if published.id in used:
                published.enable()
        return [published for published in versions if published.id not in used]


def _used(ws: Any, family: Family) -> set[str | None]:
    """Return the ids of the published pipelines that an endpoint has for its default, or an active schedule runs."""
    from azureml.pipeline.core import PipelineEndpoint

    used = {record.pipeline_id for record in read_schedules(ws) if record.is_active}
    endpoints = PipelineEndpoint.list(ws, active_only=False, max_results=MOST_ENDPOINTS)
    return used | {Family("", (), endpoint).default_id for endpoint in endpoints} | {family.default_id}


def _published(ws: Any, wanted: Publishable, version: str, found: Family) -> tuple[Family, list[str]]:
    """Publish the version where that is needed, have the endpoint run it, and return what there is then, and notes."""
    if found.kept(version) is not None:
        family, disabled, displaced = _settled(ws, wanted, version, found)
        return family, list(_notes_of_others(family, version, disabled, displaced, ""))
    made = _create(ws, wanted, version)
    family, disabled, displaced = _settled(ws, wanted, version, find_family(ws, wanted.name).including(made))
    return family, list(_notes_of_others(family, version, disabled, displaced, made.id))


def _create(ws: Any, wanted: Publishable, version: str) -> Any:
    from azml_tasks.azure.assembly import assembled, silently
    from azml_tasks.azure.resources import find_resources

    plan = wanted.plan
    resources = find_resources(ws, plan, wanted.directory)
    with assembled(ws, plan, wanted.snapshots, resources, reuse_when_published(plan)) as assembly, silently():
        return assembly.pipeline.publish(
            name=wanted.name,
            description=wanted.description or "",
            version=version,
            continue_on_step_failure=plan.pipeline.continue_on_step_failure,
        )


def _settled(ws: Any, wanted: Publishable, version: str, family: Family) -> tuple[Family, int, bool]:
    """Leave one active pipeline of the version, which the endpoint runs.

    Returns what there is then, how many duplicates were disabled, and whether another command has made another version
    the default meanwhile, which is left to it.
    """
    is_moved, disabled = False, 0
    for seconds in _LOOKS:
        kept: Any = family.kept(version)
        endpoint: Any = family.endpoint
        duplicates = family.duplicates(version)
        is_displaced = is_moved and family.default is not None and family.default.version != version
        is_run = is_displaced or (family.default_id == kept.id and endpoint.status == "Active")
        if kept.status == "Active" and is_run and not duplicates:
            return family, disabled, is_displaced
        if kept.status != "Active":
            kept.enable()
        if not is_run:
            is_moved = _point(ws, family, wanted, kept) or is_moved
        for duplicate in duplicates:  # after the endpoint runs another one
            duplicate.disable()
        disabled += len(duplicates)
        time.sleep(seconds)
        family = find_family(ws, wanted.name).including(kept)
    raise ServiceError(
        f"other commands keep changing what is published as '{wanted.name}'; run `invoke publish` again when they are "
        "done"
    )


def _point(ws: Any, family: Family, wanted: Publishable, published: Any) -> bool:
    """Have the endpoint run the published pipeline; False where another command has changed the endpoint meanwhile."""
    from azureml.pipeline.core import PipelineEndpoint

    endpoint = family.endpoint
    try:
        if endpoint is None:
            PipelineEndpoint.publish(
                ws, name=wanted.name, description=wanted.description or wanted.name, pipeline=published
            )
            return True
        if endpoint.status != "Active":
            endpoint.enable()
        if published.id not in family.endpoint_versions:
            endpoint.add_default(published)
        elif published.id != family.default_id:
            endpoint.set_default(published)
    except ValueError:  # the SDK: the endpoint is there, or has that version, by now
        return False
    except Exception as error:
        if endpoint is not None or not is_foreign(error) or find_endpoint(ws, wanted.name) is None:
            raise
        return False
    return True


def _notes_of_others(family: Family, version: str, disabled: int, is_displaced: bool, created: str) -> Iterator[str]:
    kept = family.kept(version)
    if created and kept is not None and kept.id != created:
        yield "another command published the same content at the same time; its copy is kept, and this one is disabled"
    elif disabled:
        copies = "one copy is" if disabled == 1 else f"{disabled} copies are"
        yield f"the same content was published more than once; {copies} disabled"
    if is_displaced and family.default is not None:
        yield (
            f"another command made {family.default.version} the endpoint's default at the same time; "
            f"`invoke publish` makes it {version} again"
        )


def _default_version(family: Family) -> str:
    default = family.default
    return (default.version if default else None) or str(family.endpoint.default_version if family.endpoint else "")


def _notes(plan: Plan) -> Iterator[str]:
    reuse = reuse_when_published(plan)
    idle = [
        step.key for step in plan.steps if reuse[step.key] and not step.upstream and step.step.allow_reuse is not True
    ]
    if len(idle) == 1:
        yield (
            f"step '{idle[0]}' reads no dataset, so Azure takes its earlier result in every run; "
            "`allow_reuse: false` has it run each time"
        )
    elif idle:
        yield (
            f"steps {listed(map(repr, idle))} read no dataset, so Azure takes their earlier results in every run; "
            "`allow_reuse: false` has them run each time"
        )
