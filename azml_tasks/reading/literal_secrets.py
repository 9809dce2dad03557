"""Secrets that stand where they are stored with each run, told by the names of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from azml_tasks.model import Pipeline
from azml_tasks.reading.sentences import described
from azml_tasks.reading.tree import Path
from azml_tasks.secrets import holds_secret
from azml_tasks.wiring import Finding

# A pipeline parameter's value is looked at where its default stands.
_PARAMETER = "${{"


def literal_secrets(pipeline: Pipeline) -> Iterator[Finding]:
    """Find texts that their keys say are secrets: hyperparameters, arguments, variables, pipeline parameters."""
    for key, step in pipeline.steps.items():
        place = ("steps", key)
        yield from _in_value((*place, "step_config"), step.step_config)
        if isinstance(step.arguments, Mapping):
            yield from _in_value((*place, "arguments"), step.arguments)
        else:
            yield from _in_arguments((*place, "arguments"), step.arguments)
        yield from _in_value((*place, "environment_variables"), step.environment_variables)
    yield from _in_value(("pipeline_parameters",), pipeline.pipeline_parameters)
    for name, environment in pipeline.environments.items():
        yield from _in_value(("environments", name, "environment_variables"), environment.environment_variables)


def _in_value(path: Path, value: Any, name: str = "") -> Iterator[Finding]:
    """Look through a value; what a list holds goes by the list's own key."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _in_value((*path, key), item, key)
    elif isinstance(value, (list, tuple)):
        for place, item in enumerate(value):
            yield from _in_value((*path, place), item, name)
    elif isinstance(value, str) and _PARAMETER not in value and holds_secret(name, value):
        yield _finding(path, ".".join(map(str, path[2:] if path[0] != "pipeline_parameters" else path)))


def _in_arguments(path: Path, arguments: Any) -> Iterator[Finding]:
    """Look through arguments that stand as a list: `--password`, and the value in it or behind it."""
    words = [word if isinstance(word, str) and _PARAMETER not in word else "" for word in arguments]
    for place, (before, word) in enumerate(pairwise(["", *words])):
        flag, equals, value = word.partition("=") if word.startswith("-") else (before, "=", word)
        if equals and flag.startswith("-") and holds_secret(flag, value):
            yield _finding((*path, place), f"the argument {flag}")


def _finding(path: Path, label: str) -> Finding:
    owner, _ = described(path)
    prefix = f"{owner}: " if owner else ""
    return Finding(path, f"{prefix}{label} looks like a secret, and what stands here is stored with each run")
