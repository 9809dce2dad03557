"""What is published under one name: its versions, and the endpoint in front of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.failures import MissingError, is_foreign, is_missing
from azml_tasks.azure.pipeline_service import published_pipelines
from azml_tasks.errors import did_you_mean, listed

# The SDK asks for 100 unless told.
MOST_ENDPOINTS = 10_000

State = Literal["default", "active", "disabled"]


@dataclass(frozen=True)
class Family:
    """The published pipelines of one name, in all states, and the endpoint of that name, as the SDK's objects.

    `elsewhere` holds the ids of the workspace's other published pipelines, `created` when each pipeline was created.
    """

    name: str
    pipelines: tuple[Any, ...]
    endpoint: Any | None
    elsewhere: frozenset[str] = frozenset()
    created: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> frozenset[str]:
        """The ids of its published pipelines, those that only the endpoint knows too."""
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
        """The id of what the endpoint runs."""
        if self.endpoint is None:
            return None
        number = self.endpoint.default_version
        return next((item.pipeline_id for item in self.endpoint.pipeline_version_list if item.version == number), None)

    def state(self, pipeline: Any) -> State:
        """Say whether a version is the endpoint's default, or can be run by its own address, or not at all."""
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

    def including(self, published: Any) -> Family:
        """Return the family with a pipeline that has just been published, which a list may not show yet."""
        if published.id in {pipeline.id for pipeline in self.pipelines}:
            return self
        return replace(self, pipelines=(*self.pipelines, published))

    def _age(self, pipeline: Any) -> tuple[bool, str, str]:
        created = self.created.get(pipeline.id, "")
        return not created, created, pipeline.id


@dataclass(frozen=True)
class Version:
    """A row of the list of versions; `url` takes the POST that runs this very version."""

    version: str
    state: State
    description: str
    id: str
    url: str


def find_family(ws: Any, name: str) -> Family:
    """Return what is published under a name."""
    with service_calls(f"looking up what is published as '{name}'"):
        there = published_pipelines(ws)
        return Family(
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
    except Exception as error:  # the SDK raises what its generated client does
        if is_foreign(error) and is_missing(error):
            return None
        raise


def list_versions(ws: Any, name: str) -> tuple[str, list[Version]]:
    """Return the URL of the endpoint of that name (empty without one) and its versions, the default first.

    Raises MissingError when nothing is published as that.
    """
    family = find_family(ws, name)
    if not family.pipelines:
        raise MissingError(_nothing_published(ws, name))
    numbers = family.endpoint_versions
    order = {"default": 0, "active": 1, "disabled": 2}
    rows = sorted(family.pipelines, key=lambda pipeline: (order[family.state(pipeline)], -numbers.get(pipeline.id, -1)))
    versions = [
        Version(item.version or "", family.state(item), item.description or "", item.id, item.endpoint or "")
        for item in rows
    ]
    return family.endpoint.endpoint if family.endpoint else "", versions


def published_version(family: Family, ws: Any, version: str | None) -> Any:
    """Return the published pipeline of a version (or how it begins), by default the endpoint's.

    Raises MissingError when there is none, or more than one.
    """
    if version is None:
        if family.default is None:
            raise MissingError(_nothing_published(ws, family.name))
        return family.default
    found = {item.version for item in family.pipelines if (item.version or "").startswith(version)}
    if len(found) > 1:
        raise MissingError(f"several versions of '{family.name}' begin with '{version}': {listed(sorted(found))}")
    if not found:
        known = [item.version or "" for item in family.pipelines]
        raise MissingError(f"'{family.name}' has no published version '{version}'{did_you_mean(version, known)}")
    return family.of_version(found.pop())


def _nothing_published(ws: Any, name: str) -> str:
    return f"nothing is published as '{name}' in the workspace '{ws.name}'; `invoke publish` does it"
