"""`--set NAME=VALUE`: other values for hyperparameters and pipeline parameters, for one run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from azml_tasks.errors import AzmlError, did_you_mean, listed
from azml_tasks.model import Pipeline, Step
from azml_tasks.model.base import Scalar
from azml_tasks.reading.scalars import plain_scalar
from azml_tasks.reading.tree import Node, TreeError, parse_tree


class OverrideError(AzmlError):
    """An override names nothing that the pipeline has, or gives it a value that does not fit."""


def override(pipeline: Pipeline, settings: Iterable[str]) -> Pipeline:
    """Return the pipeline with each setting applied in turn.

    `STEP.KEY=VALUE` sets a hyperparameter, `STEP.KEY.KEY=VALUE` one inside it, and `NAME=VALUE` a pipeline
    parameter. A value is read as it would be in pipeline.yaml, on one line. Raises OverrideError.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise OverrideError(f"'{setting}' sets nothing; write STEP.KEY=VALUE or PARAMETER=VALUE")
        pipeline = _applied(pipeline, name, text.strip())
    return pipeline


def _applied(pipeline: Pipeline, name: str, text: str) -> Pipeline:
    if name in pipeline.pipeline_parameters:
        value = _like(name, pipeline.pipeline_parameters[name], text)
        return pipeline.model_copy(update={"pipeline_parameters": {**pipeline.pipeline_parameters, name: value}})
    key = _longest(name, pipeline.steps)
    if key is None:
        raise OverrideError(_unknown(pipeline, name))
    step = pipeline.steps[key]
    if step.step_config is None:
        raise OverrideError(f"'{name}' sets a hyperparameter, and step '{key}' has no step_config")
    path = name[len(key) + 1 :]
    if not path:
        some = next(iter(step.step_config), "KEY")
        raise OverrideError(f"'{name}' is a step; name one of its hyperparameters, as in {key}.{some}={text}")
    config = _replaced(step.step_config, path, _value(name, text), f"step '{key}'")
    changed: Step = step.model_copy(update={"step_config": config})
    return pipeline.model_copy(update={"steps": {**pipeline.steps, key: changed}})


def _longest(name: str, keys: Iterable[str]) -> str | None:
    """Return the longest key that `name` is or starts with, up to a dot: keys may hold dots themselves."""
    found = [key for key in keys if name == key or name.startswith(f"{key}.")]
    return max(found, key=len, default=None)


def _replaced(config: Mapping[str, Any], path: str, value: Any, owner: str) -> dict[str, Any]:
    key = _longest(path, config)
    if key is None:
        known = f"it has {listed(config)}" if config else "its step_config is empty"
        raise OverrideError(f"{owner} has no hyperparameter '{path}': {known}{did_you_mean(path, config)}")
    rest = path[len(key) + 1 :]
    if not rest:
        return {**config, key: value}
    inner = config[key]
    if not isinstance(inner, Mapping):
        raise OverrideError(f"{owner}: '{key}' holds no keys, so '{path}' names nothing; set '{key}' itself")
    return {**config, key: _replaced(inner, rest, value, f"{owner}, '{key}'")}


def _unknown(pipeline: Pipeline, name: str) -> str:
    first, dot, _ = name.partition(".")
    if dot:
        close = did_you_mean(first, pipeline.steps)
        return f"'{name}': there is no step '{first}', only {listed(pipeline.steps)}{close}"
    owners = [key for key, step in pipeline.steps.items() if name in (step.step_config or {})]
    if owners:
        return f"'{name}' is a hyperparameter; name its step: {listed([f'{key}.{name}' for key in owners], 'or')}"
    parameters = pipeline.pipeline_parameters
    known = f"there is only {listed(parameters)}" if parameters else "the file has none"
    return f"there is no pipeline parameter '{name}'; {known}{did_you_mean(name, [*parameters, *pipeline.steps])}"


def _value(name: str, text: str) -> Any:
    if text[:1] not in ("[", "{", '"', "'"):
        return plain_scalar(text)
    try:
        return _plain(parse_tree(text))
    except TreeError as error:
        raise OverrideError(f"the value of '{name}' cannot be read: {error.message}") from None


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value


def _like(name: str, default: Scalar, text: str) -> Scalar:
    """Read a value of the default's type: Azure ML holds a pipeline parameter to the type of its default."""
    value = _value(name, text)
    if isinstance(default, str):
        return value if isinstance(value, str) else text
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is not type(default):
        raise OverrideError(f"the pipeline parameter '{name}' takes {_KINDS[type(default)]}, not {text!r}")
    assert isinstance(value, (int, float, bool))
    return value


_KINDS = {bool: "true or false", int: "a whole number", float: "a number"}
