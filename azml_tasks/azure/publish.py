"""Publish a pipeline: one published pipeline a content, one endpoint whose default moves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.content import content_version, environment_contents
from azml_tasks.azure.published import MOST_ENDPOINTS, Family, find_family
from azml_tasks.azure.schedule_records import read_schedules
from azml_tasks.errors import Problem, ProjectError, listed
from azml_tasks.needs import check_needs
from azml_tasks.reading import Project
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.wiring import Plan
from azml_tasks.wiring.reuse import reuse_when_published


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
    project.require("publish", "environments", "env_name", "compute_name")
    said = project.pipeline.publish
    description = (said.description if said else None) or project.pipeline.description
    snapshots = take_snapshots(SnapshotBuilder(project.directory), project.plan.steps, project.problem)
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
        family = find_family(ws, wanted.name)
        published = family.of_version(version)
        outcome: Literal["created", "enabled", "unchanged"] = "unchanged"
        if published is None:
            outcome = "created"
        elif published.status != "Active":
            outcome = "enabled"
        # Asked now, since the SDK changes its endpoint when the default moves.
        before = None if family.endpoint is None else _default_version(family)
        if not dry:
            published = _published(ws, wanted, version, published)
            endpoint = _endpoint(ws, family, wanted, published)
        else:
            endpoint = family.endpoint
        return Publication(
            name=wanted.name,
            version=version,
            outcome=outcome,
            before=before,
            id=published.id if published else "",
            endpoint_id=endpoint.id if endpoint else "",
            url=endpoint.endpoint if endpoint else "",
            notes=tuple(_notes(wanted.plan)),
            dry=dry,
        )


def unused_versions(ws: Any, name: str) -> list[Any]:
    """Return the active versions of a published pipeline that neither an endpoint's default nor a schedule needs."""
    with service_calls(f"looking for unused versions of '{name}'"):
        from azureml.pipeline.core import PipelineEndpoint

        family = find_family(ws, name)
        used = {record.pipeline_id for record in read_schedules(ws) if record.is_active}
        endpoints = PipelineEndpoint.list(ws, active_only=False, max_results=MOST_ENDPOINTS)
        used |= {Family("", (), endpoint).default_id for endpoint in endpoints}
        used.add(family.default_id)
        return [item for item in family.pipelines if item.status == "Active" and item.id not in used]


def disable_versions(versions: list[Any]) -> None:
    """Disable published pipelines, so that nothing can run them any more."""
    with service_calls("disabling unused versions"):
        for published in versions:
            published.disable()


def _published(ws: Any, wanted: Publishable, version: str, there: Any | None) -> Any:
    """Return the published pipeline of the version, made or enabled where needed."""
    if there is not None:
        if there.status != "Active":
            there.enable()
        return there
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


def _endpoint(ws: Any, family: Family, wanted: Publishable, published: Any) -> Any:
    """Return the endpoint, made or moved so that it runs the published pipeline."""
    from azureml.pipeline.core import PipelineEndpoint

    endpoint = family.endpoint
    if endpoint is None:
        return PipelineEndpoint.publish(
            ws, name=wanted.name, description=wanted.description or wanted.name, pipeline=published
        )
    if endpoint.status != "Active":
        endpoint.enable()
    if published.id not in family.endpoint_versions:
        endpoint.add_default(published)
    elif published.id != family.default_id:
        endpoint.set_default(published)
    return endpoint


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
