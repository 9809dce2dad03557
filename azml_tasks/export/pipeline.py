"""The pipeline ("CLI (v2) pipeline job YAML schema") and its components ("CLI (v2) command component YAML schema").

A step is a component in a file of its own, since only a component can say that it is not to be reused
(`is_deterministic`); the pipeline says what it reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from azml_tasks.export.document import document
from azml_tasks.export.environments import environment_reference
from azml_tasks.export.inputs import PipelineInputs, input_keys
from azml_tasks.export.jobs import Job
from azml_tasks.model import Pipeline
from azml_tasks.reading import Project


def pipeline_file(project: Project, jobs: Iterable[Job], top: PipelineInputs) -> bytes:
    """Return the file of the pipeline."""
    pipeline = project.pipeline
    settings = {
        "default_compute": f"azureml:{pipeline.compute_name}" if pipeline.compute_name else None,
        # Stated always: two pages of the documentation disagree on its default.
        "continue_on_step_failure": pipeline.continue_on_step_failure,
    }
    keys = {
        "type": "pipeline",
        "display_name": pipeline.publish.name if pipeline.publish else None,
        "experiment_name": pipeline.experiment,
        "description": pipeline.description,
        "tags": dict(pipeline.tags) or None,
        "settings": settings,
        "inputs": input_keys(project, top) or None,
        "jobs": {job.name: _node(pipeline, job) for job in jobs},
    }
    return document("pipelineJob", keys)


def component_file(pipeline: Pipeline, job: Job) -> bytes:
    """Return the file of a step's component."""
    step = job.step.step
    keys = {
        "type": "command",
        "name": job.name,
        "display_name": job.step.label,
        "is_deterministic": step.allow_reuse is not False,
        "inputs": {name: {"type": kind} for name, kind in job.types.items()} or None,
        "outputs": {name: {"type": keys["type"]} for name, keys in job.outputs.items()} or None,
        "code": f"../code/{job.name}",
        "environment": environment_reference(pipeline.environments, str(pipeline.env_of(step))),
        "command": job.command,
    }
    return document("commandComponent", keys)


def _node(pipeline: Pipeline, job: Job) -> dict[str, Any]:
    step = job.step.step
    seconds = step.max_run_duration_seconds
    environment = pipeline.environments.get(str(pipeline.env_of(step)))
    # v2's environments have no variables of their own.
    variables = {**(environment.environment_variables if environment else {}), **step.environment_variables}
    own_compute = step.compute_name if step.compute_name != pipeline.compute_name else None
    return {
        "type": "command",
        "component": f"./components/{job.name}.yml",
        "compute": f"azureml:{own_compute}" if own_compute else None,
        "limits": {"timeout": seconds} if seconds else None,
        "environment_variables": variables or None,
        "inputs": dict(job.inputs) or None,
        "outputs": dict(job.outputs) or None,
    }
