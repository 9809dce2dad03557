"""The version of a published pipeline, from its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from azml_tasks.azure.v1.resources.environments import environment_definition, find_environment
from azml_tasks.plan import DatasetInput, Plan, StepPlan
from azml_tasks.plan.plan import Output, reuse_when_published
from azml_tasks.snapshot import Snapshot, with_words

# Goes up when the same content is turned into another graph, so that it is published again.
_FORM = 1
_LENGTH = 12


def content_version(
    plan: Plan, snapshots: Mapping[str, Snapshot], environments: Mapping[str, Any], description: str | None
) -> str:
    """Return the version of the pipeline: 12 hexadecimal digits, the same for the same content.

    The content is everything in the graph, except what depends on the workspace, such as the latest versions of
    datasets, so that the same content has the same version in every workspace.
    """
    plan, pipeline = with_words(plan, snapshots), plan.pipeline
    reuse = reuse_when_published(plan)
    content = {
        "form": _FORM,
        "description": description,
        "graph description": pipeline.description,
        "continue_on_step_failure": pipeline.continue_on_step_failure,
        "pipeline_parameters": dict(pipeline.pipeline_parameters),
        "steps": [_step(plan, step, snapshots[step.key], reuse[step.key]) for step in plan.steps],
        "environments": dict(environments),
        "dataset versions": {
            item.dataset: pipeline.datasets[item.dataset].version
            for step in plan.steps
            for item in step.inputs
            if isinstance(item, DatasetInput) and item.dataset in pipeline.datasets
        },
    }
    return content_digest(content)


def content_digest(content: Any) -> str:
    """Return a digest of content as JSON."""
    return hashlib.sha256(json.dumps(content, default=_plain).encode()).hexdigest()[:_LENGTH]


def environment_contents(ws: Any, plan: Plan, directory: Path) -> dict[str, Any]:
    """Return the definition of each environment; for one that the file does not declare, its version in the workspace.

    Raises MissingError, and ProjectError for a file that cannot be read.
    """
    names = dict.fromkeys(plan.pipeline.env_of(step.step) for step in plan.steps)
    return {name: _environment(ws, plan, name, directory) for name in names if name}


def _environment(ws: Any, plan: Plan, name: str, directory: Path) -> Any:
    declared = plan.pipeline.environments.get(name)
    if declared is None:
        found = find_environment(ws, name)
        return f"{found.name}@{found.version}"
    definition = environment_definition(plan, name, directory)
    return {
        "declared": declared,
        "conda": definition.python.conda_dependencies.as_dict(),
        "dockerfile": definition.docker.base_dockerfile,
    }


def _step(plan: Plan, step: StepPlan, snapshot: Snapshot, reuse: bool) -> dict[str, Any]:
    return {
        "key": step.key,
        "label": step.label,
        "script": step.step.script_name,
        "files": snapshot.digest,
        "argv": [_token(token) for token in step.argv],
        "inputs": [_token(item) for item in step.inputs],
        "outputs": [_token(output) for output in step.outputs],
        "upstream": list(step.upstream),
        "environment": plan.pipeline.env_of(step.step),
        "compute": plan.pipeline.compute_of(step.step),
        "variables": dict(step.step.environment_variables),
        "seconds": step.step.max_run_duration_seconds,
        "reuse": reuse,
    }


def _token(token: Any) -> Any:
    return token if isinstance(token, str) else {type(token).__name__: _fields(token)}


def _fields(token: Any) -> dict[str, Any]:
    # JSON would have a named tuple as a list.
    return {name: _fields(value) if isinstance(value, Output) else value for name, value in token._asdict().items()}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a pipeline's content")
