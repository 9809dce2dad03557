"""Published pipelines of one name: versions, their endpoint, and runs of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from azml_tasks.azure.errors import MissingError, is_foreign, is_missing
from azml_tasks.azure.published import published_name, published_values
from azml_tasks.azure.records import AzureRunRecord
from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.backend import PublishedVersion, VersionState
from azml_tasks.model.base import Scalar
from azml_tasks.reading import Project
from azml_tasks.text import did_you_mean, listed


def pipeline_service(ws: Any) -> Any:
    """Return the client of the SDK's public classes, for what these do not expose.

    `Schedule` hides the experiment of its runs, loses tags when disabled, and cannot be listed if any stored schedule
    has a time zone that the SDK does not support; `PublishedPipeline` hides the defaults of its parameters, and
    `get_graph` fails where a step reads a registered dataset.
    """
    from azureml.pipeline.core._graph_context import _GraphContext

    return _GraphContext("azml", ws).workflow_provider._service_caller


def published_pipelines(ws: Any) -> list[tuple[Any, str]]:
    """Return the published pipelines of the workspace in all states, each with when it was created.

    The times are the service's texts, which sort by time; `PublishedPipeline` hides them.
    """
    from azureml.pipeline.core._graph_context import _GraphContext

    workflow = _GraphContext("azml", ws).workflow_provider
    provider = workflow.published_pipeline_provider
    entities = workflow._service_caller.get_all_published_pipelines(active_only=False)
    return [
        (provider.from_pipeline_entity(ws, entity, provider), str(entity.created_date or "")) for entity in entities
    ]


# The SDK's default is 100.
MOST_ENDPOINTS = 10_000


@dataclass(frozen=True)
class PublishedVersions:
    """The published pipelines of one name, in all states, and the endpoint of that name, as the SDK's objects.

    `elsewhere` are the ids of the workspace's other published pipelines, `created` the creation times.
    """

    name: str
    pipelines: tuple[Any, ...]
    endpoint: Any | None
    elsewhere: frozenset[str] = frozenset()
    created: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its published pipelines, including those that are only in the endpoint."""
        return frozenset(pipeline.id for pipeline in self.pipelines) | frozenset(self.endpoint_versions)

    @property
    def endpoint_versions(self) -> dict[str, int]:
        """Id of a published pipeline: its number in the endpoint."""
        versions = self.endpoint.pipeline_version_list if self.endpoint else ()
        return {item.pipeline_id: int(item.version) for item in versions}

    @property
    def default(self) -> Any | None:
        """The published pipeline that the endpoint runs."""
        return next((pipeline for pipeline in self.pipelines if pipeline.id == self.default_id), None)

    @property
    def default_id(self) -> str | None:
        """The id of the endpoint's default."""
        if self.endpoint is None:
            return None
        number = self.endpoint.default_version
        return next((item.pipeline_id for item in self.endpoint.pipeline_version_list if item.version == number), None)

    def state(self, pipeline: Any) -> VersionState:
        """Return whether a version is the endpoint's default, or can be run by its own address, or not at all."""
        if pipeline.status != "Active":
            return "disabled"
        return "default" if pipeline.id == self.default_id else "active"

    def of_version(self, version: str) -> Any | None:
        """Return the published pipeline of a version, if there is one: the default, else an active one."""
        order = {"default": 0, "active": 1, "disabled": 2}
        found = [pipeline for pipeline in self.pipelines if pipeline.version == version]
        return min(found, key=lambda pipeline: order[self.state(pipeline)], default=None)

    def kept(self, version: str) -> Any | None:
        """Return the published pipeline of a version that stays when there are several, if there is one.

        The oldest active one, else the oldest: all who look at the same pipelines choose the same.
        """
        found = [pipeline for pipeline in self.pipelines if pipeline.version == version]
        return min(found, key=lambda one: (one.status != "Active", self._age(one)), default=None)

    def duplicates(self, version: str) -> list[Any]:
        """Return the active published pipelines of a version but for the one that stays."""
        kept = self.kept(version)
        same = [pipeline for pipeline in self.pipelines if pipeline.version == version and pipeline.status == "Active"]
        return [pipeline for pipeline in same if kept is not None and pipeline.id != kept.id]

    def including(self, published: Any) -> PublishedVersions:
        """Return the family with a pipeline that has just been published, which a list may not show yet."""
        if published.id in {pipeline.id for pipeline in self.pipelines}:
            return self
        return replace(self, pipelines=(*self.pipelines, published))

    def _age(self, pipeline: Any) -> tuple[bool, str, str]:
        created = self.created.get(pipeline.id, "")
        return not created, created, pipeline.id


def find_published(ws: Any, name: str) -> PublishedVersions:
    """Return the published pipelines of a name."""
    with service_calls(f"looking up the published pipeline '{name}'"):
        there = published_pipelines(ws)
        return PublishedVersions(
            name,
            tuple(pipeline for pipeline, _ in there if pipeline.name == name),
            find_endpoint(ws, name),
            frozenset(pipeline.id for pipeline, _ in there if pipeline.name != name),
            {pipeline.id: created for pipeline, created in there if pipeline.name == name},
        )


def find_endpoint(ws: Any, name: str | None = None, identifier: str | None = None) -> Any | None:
    """Return a pipeline endpoint by its name or id, if it is there."""
    from azureml.pipeline.core import PipelineEndpoint

    try:
        return PipelineEndpoint.get(ws, id=identifier, name=name)
    except Exception as error:  # the SDK passes on errors of its generated client
        if is_foreign(error) and is_missing(error):
            return None
        raise


def list_versions(ws: Any, name: str) -> tuple[str, list[PublishedVersion]]:
    """Return the URL of the endpoint of that name (empty without one) and its versions, the default first.

    Raises MissingError when nothing is published as that.
    """
    family = find_published(ws, name)
    if not family.pipelines:
        raise MissingError(_nothing_published(ws, name))
    numbers = family.endpoint_versions
    order = {"default": 0, "active": 1, "disabled": 2}
    rows = sorted(family.pipelines, key=lambda pipeline: (order[family.state(pipeline)], -numbers.get(pipeline.id, -1)))
    versions = [
        PublishedVersion(item.version or "", family.state(item), item.description or "", item.id, item.endpoint or "")
        for item in rows
    ]
    return family.endpoint.endpoint if family.endpoint else "", versions


def published_version(family: PublishedVersions, ws: Any, version: str | None) -> Any:
    """Return the published pipeline of a version (or a prefix), by default the endpoint's.

    Raises MissingError if there is none, or more than one.
    """
    if version is None:
        if family.default is None:
            raise MissingError(_nothing_published(ws, family.name))
        return family.default
    found = {item.version for item in family.pipelines if (item.version or "").startswith(version)}
    if len(found) > 1:
        raise MissingError(f"several versions of '{family.name}' start with '{version}': {listed(sorted(found))}")
    if not found:
        known = [item.version or "" for item in family.pipelines]
        raise MissingError(f"'{family.name}' has no published version '{version}'{did_you_mean(version, known)}")
    return family.of_version(found.pop())


def _nothing_published(ws: Any, name: str) -> str:
    return f"no published pipeline '{name}' in the workspace '{ws.name}'; publish it with `invoke publish`"


def relaunch(
    project: Project,
    ws: Any,
    *,
    settings: Iterable[str] = (),
    experiment: str | None = None,
    version: str | None = None,
    dry: bool = False,
) -> tuple[str, AzureRunRecord | None]:
    """Start a run of the endpoint's default, or of another version, and return the version and the run's record.

    `settings` are overrides (`train.lr=0.1`) of the published values, which may differ from the current file. With
    `dry` nothing is started. Raises OverrideError, and ServiceError if nothing is published.
    """
    settings = list(settings)
    named = experiment or project.pipeline.experiment
    with service_calls("running the published pipeline"):
        family = find_published(ws, published_name(project))
        published = published_version(family, ws, version)
        values = published_values(project.plan, _defaults(ws, published), settings) if settings else {}
        if dry:
            return published.version or "", None
        run = _started(family.endpoint if version is None else None, published, ws, named, values)
        if project.pipeline.tags:
            run.set_tags(dict(project.pipeline.tags))
        return published.version or "", AzureRunRecord(
            id=run.id,
            experiment=named,
            status="waiting",
            url=run.get_portal_url(),
            started=time.time(),
            parameters=values,
            tags=dict(project.pipeline.tags),
        )


def _started(endpoint: Any | None, published: Any, ws: Any, experiment: str, values: Mapping[str, Scalar]) -> Any:
    from azml_tasks.azure.v1.pipeline import silently

    with silently():
        if endpoint is not None:
            return endpoint.submit(experiment, pipeline_parameters=dict(values))
        return published.submit(ws, experiment, pipeline_parameters=dict(values))


def _defaults(ws: Any, published: Any) -> dict[str, str]:
    interface = pipeline_service(ws).get_graph_interface_async(published.graph_id)
    return {parameter.name: parameter.default_value or "" for parameter in interface.parameters or ()}
