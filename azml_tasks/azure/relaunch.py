"""Run a published pipeline once more, with other values for its parameters."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azml_tasks.azure.calls import service_calls
from azml_tasks.azure.pipeline_service import pipeline_service
from azml_tasks.azure.publish import published_name
from azml_tasks.azure.published import find_family, published_version
from azml_tasks.azure.records import RunRecord
from azml_tasks.errors import AzmlError, listed
from azml_tasks.model.base import Scalar
from azml_tasks.overrides import OverrideError, override
from azml_tasks.reading import Project
from azml_tasks.wiring import Plan, plan
from azml_tasks.wiring.parameters import config_parameters, parameter_values


def relaunch(
    project: Project,
    ws: Any,
    *,
    settings: Iterable[str] = (),
    experiment: str | None = None,
    version: str | None = None,
    dry: bool = False,
) -> tuple[str, RunRecord | None]:
    """Start a run of what the endpoint runs, or of another version, and return the version and the run's record.

    `settings` are overrides (`train.lr=0.1`) of the values that were published, which may be others than the file's
    of today. With `dry` nothing is started. Raises OverrideError, and ServiceError when nothing is published.
    """
    settings = list(settings)
    named = experiment or project.pipeline.experiment
    with service_calls("running the published pipeline"):
        family = find_family(ws, published_name(project))
        published = published_version(family, ws, version)
        values = _values(project.plan, _defaults(ws, published), settings) if settings else {}
        if dry:
            return published.version or "", None
        run = _started(family.endpoint if version is None else None, published, ws, named, values)
        if project.pipeline.tags:
            run.set_tags(dict(project.pipeline.tags))
        return published.version or "", RunRecord(
            id=run.id,
            experiment=named,
            status="waiting",
            url=run.get_portal_url(),
            started=time.time(),
            parameters=values,
            tags=dict(project.pipeline.tags),
        )


def _started(endpoint: Any | None, published: Any, ws: Any, experiment: str, values: Mapping[str, Scalar]) -> Any:
    from azml_tasks.azure.assembly import silently

    with silently():
        if endpoint is not None:
            return endpoint.submit(experiment, pipeline_parameters=dict(values))
        return published.submit(ws, experiment, pipeline_parameters=dict(values))


def _defaults(ws: Any, published: Any) -> dict[str, str]:
    interface = pipeline_service(ws).get_graph_interface_async(published.graph_id)
    return {parameter.name: parameter.default_value or "" for parameter in interface.parameters or ()}


def _values(file: Plan, defaults: Mapping[str, str], settings: Iterable[str]) -> dict[str, Scalar]:
    """Return the parameters that the settings change, with their values; all else stays as it was published."""
    before = plan(_as_published(file, defaults))
    settings = list(settings)
    after = plan(override(before.pipeline, settings))
    unknown = [name for name in _named(file, settings) if name not in defaults]
    if unknown:
        named = listed(map(repr, unknown))
        raise OverrideError(f"what is published has no parameter {named}; `invoke publish` publishes the file as it is")
    return parameter_values(before, after)


def _named(file: Plan, settings: Iterable[str]) -> Iterator[str]:
    """Yield the parameters that the settings are about."""
    names = [setting.partition("=")[0].strip() for setting in settings]
    yield from (name for name in file.pipeline.pipeline_parameters if name in names)
    for key, parameter in config_parameters(file).items():
        if any(name.startswith(f"{key}.") for name in names):
            yield parameter


def _as_published(file: Plan, defaults: Mapping[str, str]) -> Any:
    """Return the file's pipeline with the values that were published."""
    pipeline = file.pipeline
    steps = dict(pipeline.steps)
    for key, name in config_parameters(file).items():
        if name in defaults:
            steps[key] = steps[key].model_copy(update={"step_config": _config(name, defaults[name])})
    parameters = {
        name: _like(value, defaults[name]) if name in defaults else value
        for name, value in pipeline.pipeline_parameters.items()
    }
    return pipeline.model_copy(update={"steps": steps, "pipeline_parameters": parameters})


def _config(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise AzmlError(f"the published parameter '{name}' is no JSON; `invoke publish` publishes the file's") from None


def _like(value: Scalar, text: str) -> Scalar:
    """Return a default, which the service keeps as text, in the type that the file has for it."""
    if isinstance(value, bool):
        return text.lower() == "true"
    try:
        return type(value)(text)
    except ValueError:
        return text
