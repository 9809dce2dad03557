"""Publish a pipeline: one published pipeline per content, and one endpoint whose default changes.

Several commands may publish at once. Each checks again after a change, until nothing is left to change: all keep the
oldest of the active pipelines of a content, and the endpoint runs it. Because each checks after its changes, the last
one sees all changes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from azml_tasks import backend
from azml_tasks.azure.errors import is_foreign
from azml_tasks.azure.published import published_name
from azml_tasks.azure.sent import SentRun, Versions, described_steps, remember, sent_to, step_differences, workspace_of
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.publish.published import PublishedVersions, find_endpoint, find_published
from azml_tasks.azure.v1.publish.version import content_digest, content_version, environment_contents
from azml_tasks.checks.azure import check_azure_needs, publishing_problems
from azml_tasks.checks.contract import check_contracts
from azml_tasks.errors import ProjectError, ServiceError
from azml_tasks.plan import Plan
from azml_tasks.plan.plan import reuse_when_published
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import ABSENT, Difference, stated_difference
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots
from azml_tasks.text import listed

# The seconds to wait before each look after a change, as long as others change the same or no change shows.
_LOOKS = (0, 0, 0.2, 0.5, 1, 2, 4, 8)


@dataclass(frozen=True)
class PipelineToPublish:
    """A pipeline that is ready to be published under a name.

    With `is_of_file`, its content is written down in the project's `.azml`, for the differences of later versions.
    """

    name: str
    description: str | None
    plan: Plan
    snapshots: Mapping[str, Snapshot]
    directory: Path
    is_of_file: bool = False


@dataclass(frozen=True, kw_only=True)
class Publication(backend.Publication):
    """The result of publishing; nothing is changed with `dry`.

    `id` and `endpoint_id` are Azure's, empty if there is none; a POST to `url` runs the endpoint's default. `before` is
    the previous default version, None for a new endpoint. `notes` are remarks on the published pipeline.
    """

    version: str
    before: str | None
    id: str = ""
    endpoint_id: str = ""

    @property
    def headline(self) -> str:
        """Its text without the differences."""
        would = "would be " if self.dry and self.outcome != "unchanged" else ""
        same = "unchanged" if self.before == self.version else "published before"
        done = {"created": "published", "enabled": "enabled again", "unchanged": same}[self.outcome]
        text = f"{self.name} {self.version}: {would}{done}"
        if self.before is None:
            return f"{text}, with a new endpoint"
        if self.before != self.version:
            return f"{text}, now the endpoint's default instead of {self.before}"
        return text


def publish(project: Project, ws: Any, dry: bool = False) -> Publication:
    """Publish a project's pipeline unless this very content is published; its version becomes the endpoint's default.

    Raises ProjectError and ServiceError.
    """
    wanted = publishable(project)
    return publish_pipeline(ws, wanted, dry)


def publishable(project: Project) -> PipelineToPublish:
    """Return the project's pipeline as it would be published, without asking Azure.

    Raises ProjectError.
    """
    check_azure_needs(project)
    problems = publishing_problems(project)
    if problems:
        raise ProjectError(problems)
    project.require("publish", "environments", "env_name", "compute_name")
    said = project.pipeline.publish
    description = (said.description if said else None) or project.pipeline.description
    builder = SnapshotBuilder(project.directory)
    snapshots = take_snapshots(builder, project.plan.steps, project.problem)
    check_contracts(project.plan.steps, snapshots, builder, project.problem)
    return PipelineToPublish(
        published_name(project), description, project.plan, snapshots, project.directory, is_of_file=True
    )


def publish_pipeline(ws: Any, wanted: PipelineToPublish, dry: bool = False) -> Publication:
    """Publish a pipeline; see `publish`."""
    with service_calls(f"publishing the pipeline '{wanted.name}'"):
        environments = environment_contents(ws, wanted.plan, wanted.directory)
        version = content_version(wanted.plan, wanted.snapshots, environments, wanted.description)
        found = find_published(ws, wanted.name)
        published = found.kept(version)
        outcome: Literal["created", "enabled", "unchanged"] = "unchanged"
        if published is None:
            outcome = "created"
        elif published.status != "Active":
            outcome = "enabled"
        # Read now, because the SDK changes its endpoint object when the default changes.
        before = None if found.endpoint is None else _default_version(found)
        family, notes = (found, []) if dry else _published(ws, wanted, version, found)
        published, endpoint = family.kept(version), family.endpoint
        described = _described(wanted, environments) if wanted.is_of_file else {}
        if wanted.is_of_file and not dry:
            remember(wanted.directory, _sent(wanted, version, described))
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
            differences=tuple(_differences(wanted, before, described)) if before != version and described else (),
        )


def _described(wanted: PipelineToPublish, environments: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the descriptions of the steps; the versions of environments are digests of their definitions."""
    datasets = {name: str(dataset.version) for name, dataset in wanted.plan.pipeline.datasets.items()}
    versions = Versions({name: content_digest(one) for name, one in environments.items()}, datasets)
    return described_steps(wanted.plan, wanted.snapshots, versions, reuse_when_published(wanted.plan))


def _sent(wanted: PipelineToPublish, version: str, described: Mapping[str, Any]) -> SentRun:
    return SentRun(version, "", workspace_of(wanted.plan.pipeline), time.time(), {}, described, wanted.name)


def _differences(wanted: PipelineToPublish, before: str | None, described: Mapping[str, Any]) -> Iterator[Difference]:
    """Yield the differences from the endpoint's default of now, if it was published from this folder."""
    plan = wanted.plan
    known = next((one for one in sent_to(wanted.directory, plan.pipeline, wanted.name) if one.id == before), None)
    if known is None:
        return
    for key in known.steps.keys() - described.keys():
        yield Difference("step", key, now=ABSENT, label=f"step {key}")
    for step in plan.steps:
        if step.key not in known.steps:
            yield Difference("step", step.key, ABSENT, label=f"step {step.key}")
            continue
        old, now, snapshot = known.steps[step.key], described[step.key], wanted.snapshots[step.key]
        for one in step_differences(step, snapshot, wanted.directory, old, now, {}):
            is_digest = one.kind == "environment" and one.name == now["environment"]
            found = stated_difference(f"environment {one.name} changed", one.kind, one.name) if is_digest else one
            yield found._replace(step=step.key)


def _published(
    ws: Any, wanted: PipelineToPublish, version: str, found: PublishedVersions
) -> tuple[PublishedVersions, list[str]]:
    """Publish the version if needed, make it the endpoint's default, and return the new state with notes."""
    if found.kept(version) is not None:
        family, disabled, displaced = _resolve_race(ws, wanted, version, found)
        return family, list(_notes_of_others(family, version, disabled, displaced, ""))
    made = _create(ws, wanted, version)
    family, disabled, displaced = _resolve_race(ws, wanted, version, find_published(ws, wanted.name).including(made))
    return family, list(_notes_of_others(family, version, disabled, displaced, made.id))


def _create(ws: Any, wanted: PipelineToPublish, version: str) -> Any:
    from azml_tasks.azure.v1.pipeline import built_pipeline, silently
    from azml_tasks.azure.v1.resources.find import find_resources

    plan = wanted.plan
    resources = find_resources(ws, plan, wanted.directory)
    with built_pipeline(ws, plan, wanted.snapshots, resources, reuse_when_published(plan)) as assembly, silently():
        return assembly.pipeline.publish(
            name=wanted.name,
            description=wanted.description or "",
            version=version,
            continue_on_step_failure=plan.pipeline.continue_on_step_failure,
        )


def _resolve_race(
    ws: Any, wanted: PipelineToPublish, version: str, family: PublishedVersions
) -> tuple[PublishedVersions, int, bool]:
    """Keep one active pipeline of the version, the endpoint's default.

    Returns the new state, how many duplicates were disabled, and whether another command made another version the
    default in the meantime, which is not changed.
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
        family = find_published(ws, wanted.name).including(kept)
    raise ServiceError(
        f"other commands keep changing the published pipeline '{wanted.name}'; run `invoke publish` again when they "
        "have finished"
    )


def _point(ws: Any, family: PublishedVersions, wanted: PipelineToPublish, published: Any) -> bool:
    """Make the published pipeline the endpoint's default; return False if another command has changed the endpoint in
    the meantime."""
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


def _notes_of_others(
    family: PublishedVersions, version: str, disabled: int, is_displaced: bool, created: str
) -> Iterator[str]:
    kept = family.kept(version)
    if created and kept is not None and kept.id != created:
        yield "another command published the same content at the same time; its copy is kept, and this one is disabled"
    elif disabled:
        copies = "one copy is" if disabled == 1 else f"{disabled} copies are"
        yield f"the same content was published more than once; {copies} disabled"
    if is_displaced and family.default is not None:
        yield (
            f"another command set the endpoint's default to {family.default.version} at the same time; run `invoke "
            f"publish` to set it to {version}"
        )


def _default_version(family: PublishedVersions) -> str:
    default = family.default
    return (default.version if default else None) or str(family.endpoint.default_version if family.endpoint else "")


def _notes(plan: Plan) -> Iterator[str]:
    reuse = reuse_when_published(plan)
    idle = [
        step.key for step in plan.steps if reuse[step.key] and not step.upstream and step.step.allow_reuse is not True
    ]
    if len(idle) == 1:
        yield (
            f"step '{idle[0]}' reads no dataset, so Azure reuses its earlier result in every run; set `allow_reuse: "
            "false` to rerun it each time"
        )
    elif idle:
        yield (
            f"steps {listed(map(repr, idle))} read no dataset, so Azure reuses their earlier results in every run; "
            "set `allow_reuse: false` to rerun them each time"
        )
