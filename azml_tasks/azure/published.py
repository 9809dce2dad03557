"""What is published: its name, its schedule's name, and the values that a run of it gets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from azml_tasks.errors import AzmlError, Problem, ProjectError
from azml_tasks.model.base import Scalar
from azml_tasks.plan import Plan, build_plan
from azml_tasks.plan.plan import config_parameters, parameter_values
from azml_tasks.reading import Project
from azml_tasks.reading.overrides import OverrideError, override
from azml_tasks.text import listed


def published_name(project: Project) -> str:
    """Return the name that the pipeline is published under: that of `publish`, else the experiment's.

    Raises ProjectError when the file has neither.
    """
    project.require("publish")
    pipeline = project.pipeline
    name = pipeline.publish.name if pipeline.publish else pipeline.experiment_name
    if name is None:
        message = "set a name to publish: add `publish: {name: ...}`"
        raise ProjectError([Problem(project.file.name, 0, message)])
    return name


def schedule_name(project: Project) -> str:
    """Return the name of the project's schedule: its own, else the published pipeline's."""
    asked = project.pipeline.schedule
    return (asked.name if asked else None) or published_name(project)


def published_values(file: Plan, defaults: Mapping[str, str], settings: Iterable[str]) -> dict[str, Scalar]:
    """Return the parameters that the settings change, with their values; all else stays as it was published."""
    before = build_plan(_as_published(file, defaults))
    settings = list(settings)
    after = build_plan(override(before.pipeline, settings))
    unknown = [name for name in _named(file, settings) if name not in defaults]
    if unknown:
        named = listed(map(repr, unknown))
        raise OverrideError(f"the published pipeline has no parameter {named}; update it with `invoke publish`")
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
        raise AzmlError(f"the published parameter '{name}' is not JSON; update it with `invoke publish`") from None


def _like(value: Scalar, text: str) -> Scalar:
    """Return a default, which the service keeps as text, in the type that the file has for it."""
    if isinstance(value, bool):
        return text.lower() == "true"
    try:
        return type(value)(text)
    except ValueError:
        return text
