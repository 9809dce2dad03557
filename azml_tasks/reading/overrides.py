"""`--set NAME=VALUE`: override settings of steps and pipeline parameters for one run."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from azml_tasks.errors import UsageError
from azml_tasks.model import Pipeline, Step
from azml_tasks.model.written import WrittenFloat, WrittenInt
from azml_tasks.plan import ParameterValue, Plan
from azml_tasks.reading.syntax import plain_scalar, written_scalar
from azml_tasks.reading.tree import Node, TreeError, parse_tree
from azml_tasks.secrets import holds_secret, made_up_secrets, secret_or_copy_in, without_secrets
from azml_tasks.text import did_you_mean, listed, shortened, some_listed, what_there_is

_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    list: "a list, as in [1, 2]",
    dict: "a mapping, as in {a: 1}",
}
_QUOTES = ("'", '"')
_LARGEST_WRITTEN = 10**15


class OverrideError(UsageError):
    """An override with an unknown name or an invalid value."""


def override(pipeline: Pipeline, settings: Iterable[str], variables: Mapping[str, str] | None = None) -> Pipeline:
    """Return the pipeline with each setting applied in turn.

    `STEP.KEY=VALUE` changes a setting, `STEP.KEY.KEY=VALUE` one inside it, and `NAME=VALUE` a pipeline
    parameter. A value is read as it would be in pipeline.yaml, on one line, and has the type of the one that it
    replaces. The secrets among `variables` are refused as values. Raises OverrideError.
    """
    for setting in settings:
        name, equals, text = setting.partition("=")
        name = name.strip()
        if not equals or not name:
            raise OverrideError(f"'{setting}' is not a setting; write STEP.KEY=VALUE or PARAMETER=VALUE")
        _refuse_secret(name, text.strip(), variables or {})
        pipeline = _applied(pipeline, name, text.strip())
    return pipeline


def steps_with(plan: Plan, setting: str) -> frozenset[str]:
    """Return the keys of the steps that get a setting which `override` accepts."""
    name = setting.partition("=")[0].strip()
    if name not in plan.pipeline.pipeline_parameters:
        return frozenset(filter(None, [_longest(name, plan.by_key)]))
    return frozenset(
        step.key
        for step in plan.steps
        if any(isinstance(token, ParameterValue) and token.name == name for token in step.argv)
    )


def _refuse_secret(name: str, text: str, variables: Mapping[str, str]) -> None:
    """Reject values that look like secrets, by shape, name or value; raises OverrideError."""
    kind = secret_or_copy_in(text, made_up_secrets(variables))
    if kind or _is_secret(name.rpartition(".")[2], written_value(text)):
        raise OverrideError(
            f"the value of '{name}' looks like a secret{f' ({kind})' if kind else ''} and would be stored with the "
            "run; keep it in .env and in the workspace's key vault, and read it in the script with "
            'run.get_secret("NAME")'
        )


def _is_secret(key: str, value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_secret(str(inner), item) for inner, item in value.items())
    if isinstance(value, list):
        return any(_is_secret(key, item) for item in value)
    return isinstance(value, str) and holds_secret(key, value)


def _applied(pipeline: Pipeline, name: str, text: str) -> Pipeline:
    if name in pipeline.pipeline_parameters:
        value = _parameter(f"the pipeline parameter '{name}'", pipeline.pipeline_parameters[name], text)
        return pipeline.model_copy(update={"pipeline_parameters": {**pipeline.pipeline_parameters, name: value}})
    key = _longest(name, pipeline.steps)
    if key is None:
        raise OverrideError(_unknown(pipeline, name))
    step = pipeline.steps[key]
    if step.step_config is None:
        raise OverrideError(f"'{name}' is a setting, but step '{key}' has no step_config; add it in pipeline.yaml")
    path = name[len(key) + 1 :]
    if not path:
        some = next(iter(step.step_config), "KEY")
        raise OverrideError(f"'{name}' is a step; name one of its settings, as in {key}.{some}={text}")
    config = _replaced(step.step_config, path, f"step '{key}'", partial(_config_value, f"'{name}'", text))
    changed: Step = step.model_copy(update={"step_config": config})
    return pipeline.model_copy(update={"steps": {**pipeline.steps, key: changed}})


def _longest(name: str, keys: Iterable[str]) -> str | None:
    """Return the longest key that `name` equals or starts with, up to a dot: keys may contain dots."""
    found = [key for key in keys if name == key or name.startswith(f"{key}.")]
    return max(found, key=len, default=None)


def _replaced(config: Mapping[str, Any], path: str, owner: str, read: Callable[[Any], Any]) -> dict[str, Any]:
    key = _longest(path, config)
    if key is None:
        raise OverrideError(f"{owner} has no setting '{path}'{what_there_is(path, config)}")
    rest = path[len(key) + 1 :]
    if not rest:
        return {**config, key: read(config[key])}
    inner = config[key]
    if not isinstance(inner, Mapping):
        raise OverrideError(f"{owner}: '{key}' is not a mapping, so '{path}' cannot be set; set '{key}' instead")
    return {**config, key: _replaced(inner, rest, f"{owner}, '{key}'", read)}


def _unknown(pipeline: Pipeline, name: str) -> str:
    first, dot, _ = name.partition(".")
    if dot:
        return f"'{name}': the pipeline has no step '{first}'{what_there_is(first, pipeline.steps)}"
    owners = [key for key, step in pipeline.steps.items() if name in (step.step_config or {})]
    if owners:
        return f"'{name}' is a setting of a step; name it: {listed([f'{key}.{name}' for key in owners], 'or')}"
    parameters = pipeline.pipeline_parameters
    known = f"the file has {some_listed(parameters)}" if parameters else "the file has no pipeline_parameters"
    meant = did_you_mean(name, [*parameters, *pipeline.steps])
    return f"unknown pipeline parameter '{name}'{meant or f'; {known}'}"


def _config_value(owner: str, text: str, before: Any) -> Any:
    """Read a value for a setting: of its type, or `null`; any type if it is null."""
    if before is None:
        return _value(owner, text)
    if text and plain_scalar(text) is None:
        return None
    return _like(owner, before, text)


def _parameter(owner: str, before: Any, text: str) -> Any:
    """Read a value for a pipeline parameter, which the scripts receive as it is written."""
    value = _like(owner, before, text)
    written = written_scalar(text) if isinstance(value, (int, float)) else value
    return written if type(written) in (WrittenInt, WrittenFloat) and isinstance(written, type(value)) else value


def _like(owner: str, before: Any, text: str) -> Any:
    """Read a value of the type of `before`: Azure ML requires the type of a pipeline parameter's default."""
    if isinstance(before, str) and text[:1] not in _QUOTES:
        return text
    value = _value(owner, text)
    if isinstance(before, float) and type(value) is int:
        with contextlib.suppress(OverflowError):
            value = float(value)
    kind = _kind(before)
    if type(value) is not kind:
        said = shortened(repr(text), 40)
        raise OverrideError(f"{owner} must be {_KINDS[kind]}, not {said}{_whole_hint(before, value)}")
    return value


def _kind(value: Any) -> type:
    return next(kind for kind in _KINDS if isinstance(value, kind))


def _whole_hint(before: Any, value: Any) -> str:
    """Describe how to write a whole number, or how to allow fractions."""
    if _kind(before) is not int or not isinstance(value, float) or not math.isfinite(value):
        return ""
    whole = f"; write {int(value)}" if abs(value) < _LARGEST_WRITTEN else ""
    return whole if value.is_integer() else f"; write {before}.0 in pipeline.yaml to allow any number"


def written_value(text: str) -> Any:
    """Return the value of a text where any type is allowed; the text itself if it cannot be read."""
    try:
        return _value("", text)
    except OverrideError:
        return text


def shown_settings(settings: Iterable[str]) -> tuple[str, ...]:
    """Return the `--set` values without secrets."""
    parts = (setting.partition("=") for setting in settings)
    return tuple(f"{name.strip()}={_shown_text(name.strip(), text.strip())}" for name, _, text in parts)


def _shown_text(name: str, text: str) -> str:
    """Return a value as it was written, unless there is a secret in it."""
    from azml_tasks.runs.show import value_text

    value = written_value(text)
    hidden = without_secrets(name, value)
    return text if hidden == value else value_text(hidden)


def _value(owner: str, text: str) -> Any:
    if text[:1] not in ("[", "{", *_QUOTES):
        return plain_scalar(text)
    try:
        return _plain(parse_tree(text))
    except TreeError as error:
        raise OverrideError(f"the value of {owner} cannot be read: {error.message}") from None


def _plain(node: Node) -> Any:
    if isinstance(node.value, dict):
        return {key: _plain(item) for key, item in node.value.items()}
    if isinstance(node.value, list):
        return [_plain(item) for item in node.value]
    return node.value
