"""The command of a v2 component, and the inputs of the pipeline that it may name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from azml_tasks.export.assets import DataInput, carried_inputs, data_input
from azml_tasks.export.document import Names
from azml_tasks.export.launcher import is_carried
from azml_tasks.model.names import identifier
from azml_tasks.model.written import argument_text
from azml_tasks.plan import DatasetInput
from azml_tasks.plan.plan import config_parameters
from azml_tasks.reading import Project

_HARMLESS = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_MEANT_FOR_V2 = re.compile(r"\$(?=\{\{|\[\[)")


def word(text: str) -> str:
    """Quote a text so that the shell passes it to the script unchanged."""
    if _HARMLESS.fullmatch(text):
        return text
    # What v2 would read as an expression is broken up for it; to the shell, '' in a word is nothing.
    unread = _MEANT_FOR_V2.sub("$''", inside(text))
    return f"'{unread}'"


def inside(text: str) -> str:
    """Escape a text for single quotes in a shell."""
    return text.replace("'", "'\\''")


def value_inside(text: str) -> str:
    """Return the value of an input that stands between apostrophes in a command; `text_of` is the reverse.

    Azure takes an empty input as missing. Two apostrophes end the word and begin it again, which adds nothing to it.
    """
    return inside(text) or "''"


def text_of(value: str) -> str:
    """Return the text that the script gets for the value of an input."""
    return "" if value == "''" else value.replace("'\\''", "'")


def json_inside(value: Mapping[str, Any]) -> str:
    r"""Return a JSON object that can stand between apostrophes.

    What would end them, or be an expression, is written `\u0027` and `\u0024`, which JSON allows inside strings with
    the same meaning.
    """
    return _MEANT_FOR_V2.sub(r"\\u0024", json.dumps(value).replace("'", "\\u0027"))


def input_of(name: str) -> str:
    """Return the word that v2 replaces by an input."""
    return f"'${{{{inputs.{name}}}}}'"


def output_of(name: str) -> str:
    """Return the word that v2 replaces by the path of an output."""
    return f"'${{{{outputs.{name}}}}}'"


@dataclass(frozen=True)
class PipelineInputs:
    """The v2 names of parameters and step configurations, and the inputs by which datasets are read.

    `data` has them by the dataset, and by whether the stand-in for azureml reads it.
    """

    parameters: Mapping[str, str]
    configs: Mapping[str, str]
    data: Mapping[tuple[str, bool], tuple[tuple[str, DataInput], ...]]


def pipeline_inputs(project: Project, assets: Mapping[str, str]) -> PipelineInputs:
    """Return the inputs; `assets` are v2's names for the declared datasets."""
    plan = project.plan
    names = Names()
    parameters = {name: names.give(name) for name in plan.pipeline.pipeline_parameters}
    configs = {key: names.give(name) for key, name in config_parameters(plan).items()}
    read = dict.fromkeys(
        (item.dataset, is_carried(plan.pipeline, step.step))
        for step in plan.steps
        for item in step.inputs
        if isinstance(item, DatasetInput)
    )
    data = {
        (name, carried): tuple(
            (names.give(identifier(name)), data)
            for data in (
                carried_inputs(project, name) if carried else (data_input(project, name, assets.get(name, name)),)
            )
        )
        for name, carried in read
    }
    return PipelineInputs(parameters, configs, data)


def plain_inputs(project: Project, top: PipelineInputs) -> dict[str, str]:
    """Return the inputs that are no data, with their values.

    Every value is text: the script gets the characters that it gets from v1, which v2 might write otherwise (`True`,
    `2e-05`).
    """
    pipeline = project.pipeline
    parameters = {
        name: value_inside(argument_text(pipeline.pipeline_parameters[parameter]))
        for parameter, name in top.parameters.items()
    }
    configs = {name: json_inside(pipeline.steps[key].step_config or {}) for key, name in top.configs.items()}
    return {**parameters, **configs}


def input_keys(project: Project, top: PipelineInputs) -> dict[str, Any]:
    """Return the inputs with their values."""
    keys: dict[str, Any] = dict(plain_inputs(project, top))
    for inputs in top.data.values():
        keys.update((name, data.keys) for name, data in inputs)
    return keys
