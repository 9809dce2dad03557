"""Publish a pipeline: as a registered component of its name, with a version for each content.

A version is 12 digits of the content; content that is published again after another one gets a version of its own, with
a number behind the digits. So the newest version is the one that counts, for Azure's label `latest`, too, and nothing
that was published is ever changed.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from azml_tasks import backend
from azml_tasks.azure.published import published_name, published_values
from azml_tasks.azure.records import AzureRunRecord
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.data import check_outputs
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.azure.v2.jobs import pin_environments
from azml_tasks.backend import Change, PublishedPipeline, PublishedVersion, RunRequest
from azml_tasks.errors import ServiceError, UsageError
from azml_tasks.export.command import json_inside, text_of, value_inside
from azml_tasks.export.document import asset_name
from azml_tasks.export.export import PUBLISHED
from azml_tasks.export.jobs import published_component
from azml_tasks.model import Publish
from azml_tasks.model.base import Scalar
from azml_tasks.model.written import argument_text
from azml_tasks.plan.plan import config_parameters, reuse_when_published
from azml_tasks.reading import Project
from azml_tasks.text import listed

# Goes up when the same content is sent in another form, so that it is published again.
_FORM = 1
_LENGTH = 12
# Tags of a version: what a component cannot hold, and what it was made with.
COMPUTE = "azml_tasks.compute"
GOES_ON = "azml_tasks.continue_on_step_failure"
ENVIRONMENTS = "azml_tasks.environments"
_NUMBER = re.compile(r"-(\d+)$")


@dataclass(frozen=True, kw_only=True)
class Publication(backend.Publication):
    """The result of publishing; nothing is changed with `dry`.

    `before` is the version that counted until now, None if there was none, and `content` the digits of the content.
    """

    version: str
    content: str
    before: str | None

    @property
    def headline(self) -> str:
        """Its text without the differences."""
        would = "would be " if self.dry and self.outcome != "unchanged" else ""
        done = "unchanged" if self.outcome == "unchanged" else f"{would}published"
        text = f"{self.name} {self.version}: {done}"
        if self.outcome == "unchanged" or self.before is None:
            return text
        return f"{text}, now the newest version instead of {self.before}"


def to_publish(project: Project) -> Project:
    """Return the project as it is published: with a name, and without the reuse that would make a schedule do nothing.

    Raises ProjectError if it has no name.
    """
    pipeline, reuse = project.pipeline, reuse_when_published(project.plan)
    steps = {
        key: step if reuse[key] or step.allow_reuse is False else step.model_copy(update={"allow_reuse": False})
        for key, step in pipeline.steps.items()
    }
    publish = pipeline.publish or Publish(name=published_name(project))
    return replace(project, pipeline=pipeline.model_copy(update={"steps": steps, "publish": publish}))


def publish(client: Client, found: Documents, dry: bool = False) -> Publication:
    """Publish the pipeline of `to_publish` unless its content is that of the newest version."""
    project = found.project
    name = published_component(project)
    content = content_version(found)
    doing = f"publishing the pipeline '{name}'"
    newest = _newest(client, doing, name)
    before = None if newest is None else str(newest.version)
    if before is not None and _NUMBER.sub("", before) == content:
        return Publication(name=name, outcome="unchanged", version=before, content=content, before=before, dry=dry)
    version = content if before is None else _free_version(client, doing, name, content)
    check_outputs(client, project, found.made.jobs.values())
    if not dry:
        pins = pin_environments(client, found)
        client.call(doing, lambda: _put(client, found, version, pins))
    return Publication(name=name, outcome="created", version=version, content=content, before=before, dry=dry)


def content_version(found: Documents) -> str:
    """Return the digits of the content: of all that is sent but the versions of environments, which are counted by
    what they are made of."""
    pipeline = found.project.pipeline
    used = {asset_name(pipeline.env_of(step.step) or "") for step in found.project.plan.steps}
    parts = [
        f"{path} {content.digest}"
        for path, content in sorted(found.made.files.items())
        if path == PUBLISHED
        or path.startswith(("components/", "code/"))
        or (path.startswith("environments/") and re.split(r"[/]|\.yml$", path)[1] in used)
    ]
    described = {"form": _FORM, "parts": parts, "tags": _settings(found.project)}
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:_LENGTH]


def _settings(project: Project) -> dict[str, str]:
    """Return the tags for what a pipeline has and a component has not."""
    pipeline = project.pipeline
    return {COMPUTE: pipeline.compute_name or "", GOES_ON: str(pipeline.continue_on_step_failure).lower()}


def _put(client: Client, found: Documents, version: str, pins: Mapping[str, str]) -> None:
    from azure.ai.ml import load_component

    component = load_component(found.folder / PUBLISHED)
    component.version = version
    component.tags = {**_settings(found.project), ENVIRONMENTS: pinned_text(pins)}
    client.ml.components.create_or_update(component, version=version)


def pinned_text(pins: Mapping[str, str]) -> str:
    """Return versions of environments as a text: `env:3, other:1`."""
    return ", ".join(f"{name}:{version}" for name, version in sorted(pins.items()))


def _newest(client: Client, doing: str, name: str) -> Any | None:
    return client.call(doing, lambda: found_or_none(lambda: client.ml.components.get(name, label="latest")))


def _free_version(client: Client, doing: str, name: str, content: str) -> str:
    """Return the version for content that was published before, with the next number behind it."""
    there = {str(one.version) for one in client.call(doing, lambda: _listed(client, name, everything=True))}
    if content not in there:
        return content
    numbers = (int(match[1]) for one in there if one.startswith(content) and (match := _NUMBER.search(one)))
    return f"{content}-{max(numbers, default=1) + 1}"


def _listed(client: Client, name: str, *, everything: bool) -> list[Any]:
    """Return the versions of a published pipeline, the newest first; the disabled ones only with `everything`."""
    from azure.ai.ml.constants import ListViewType

    view = ListViewType.ALL if everything else ListViewType.ACTIVE_ONLY
    found = found_or_none(lambda: list(client.ml.components.list(name, list_view_type=view)))
    return sorted(found or (), key=_created, reverse=True)


def _created(component: Any) -> str:
    context = component.creation_context
    return str(context.created_at) if context is not None else ""


def list_versions(client: Client, name: str) -> PublishedPipeline:
    """Return the published versions, the one that counts first."""
    doing = f"listing the versions of '{name}'"
    active = client.call(doing, lambda: _listed(client, name, everything=False))
    all_there = client.call(doing, lambda: _listed(client, name, everything=True))
    on = [str(one.version) for one in active]
    versions = [
        PublishedVersion(
            version=str(one.version),
            state="default" if on and str(one.version) == on[0] else "active" if str(one.version) in on else "disabled",
            description=one.description or "",
            id=str(one.id or ""),
            url="",
        )
        for one in all_there
    ]
    versions.sort(key=lambda version: version.state != "default")
    where = f"a component of the workspace {client.workspace}" if versions else ""
    return PublishedPipeline(name, "", versions, where)


def prune_versions(client: Client, name: str, kept: set[str], dry: bool) -> Iterator[Change]:
    """Disable the versions that are not kept, and yield each of them."""
    for one in list_versions(client, name).versions:
        if one.state == "active" and not kept & {one.version, _NUMBER.sub("", one.version)}:
            if not dry:
                version = one.version
                doing = f"disabling {name} {version}"
                client.call(doing, lambda v=version: client.ml.components.archive(name, version=v))  # type: ignore[misc]
            yield Change("version", f"{name} {one.version}", "disabled", dry=dry)


def find_published(client: Client, name: str, version: str | None) -> Any:
    """Return the component of a version, or of how one begins; by default of the newest.

    Raises ServiceError if nothing is published, and UsageError if no version matches, or several.
    """
    doing = f"looking up the published pipeline '{name}'"
    if version is None:
        found = _newest(client, doing, name)
        if found is None:
            raise ServiceError(f"nothing is published as '{name}' yet; publish it with `invoke publish`")
        return found
    there = [str(one.version) for one in client.call(doing, lambda: _listed(client, name, everything=True))]
    matching = [version] if version in there else [one for one in there if one.startswith(version)]
    if not there:
        raise ServiceError(f"nothing is published as '{name}' yet; publish it with `invoke publish`")
    if len(matching) != 1:
        what = f"several versions start with '{version}'" if matching else f"no version '{version}'"
        raise UsageError(f"{what} of the published pipeline '{name}': it has {listed(matching or there)}")
    return client.call(doing, lambda: client.ml.components.get(name, version=matching[0]))


def run_published(
    client: Client, project: Project, request: RunRequest, version: str | None, dry: bool
) -> tuple[str, AzureRunRecord | None]:
    """Start a run of a version, and return the version and the record of the run; with `dry` nothing is started."""
    name = published_component(to_publish(project))
    component = find_published(client, name, version)
    defaults = {key: str(one.default or "") for key, one in component.inputs.items()}
    changed = _changed_values(project, defaults, request)
    if dry:
        return str(component.version), None
    identifier, experiment = str(uuid.uuid4()), request.experiment or project.pipeline.experiment
    tags = {**(component.tags or {})}
    values = {**defaults, **changed}

    def send() -> Any:
        job = component(**values)
        job.name = identifier
        job.tags = dict(project.pipeline.tags)
        job.settings.default_compute = tags.get(COMPUTE) or project.pipeline.compute_name
        job.settings.continue_on_step_failure = tags.get(GOES_ON) == "true"
        return client.ml.jobs.create_or_update(job, experiment_name=experiment)

    job = client.call(f"running the published pipeline '{name}'", send)
    return str(component.version), AzureRunRecord(
        id=identifier,
        experiment=experiment,
        status="waiting",
        url=str(job.studio_url or ""),
        started=time.time(),
        parameters=changed,
        tags=dict(project.pipeline.tags),
    )


def _changed_values(project: Project, defaults: Mapping[str, str], request: RunRequest) -> dict[str, str]:
    """Return the values that the settings change, as v2 puts them into commands."""
    if not request.settings:
        return {}
    plain = {name: text_of(value) for name, value in defaults.items()}
    found: Mapping[str, Scalar] = published_values(project.plan, plain, request.settings)
    configs = set(config_parameters(project.plan).values())
    return {
        name: json_inside(json.loads(str(value))) if name in configs else value_inside(argument_text(value))
        for name, value in found.items()
    }
