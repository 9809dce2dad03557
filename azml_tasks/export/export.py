"""Project -> the files of Azure ML v2, and what is left to do by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azml_tasks import conda
from azml_tasks.errors import Problem
from azml_tasks.export.code import Content, code_files
from azml_tasks.export.computes import compute_file
from azml_tasks.export.data import data_files, is_table
from azml_tasks.export.datastores import datastore_file
from azml_tasks.export.environments import environment_files
from azml_tasks.export.inputs import pipeline_inputs
from azml_tasks.export.jobs import jobs_of
from azml_tasks.export.names import Names, asset_name, schedule_name
from azml_tasks.export.pipeline import component_file, pipeline_file
from azml_tasks.export.remarks import Exported, remarks_of
from azml_tasks.export.schedule import schedule_file, stated_name
from azml_tasks.export.scripts import LOGGING, Scripts, scripts_of
from azml_tasks.export.unset import unset_remarks, with_placeholders
from azml_tasks.needs import check_needs
from azml_tasks.reading import Project
from azml_tasks.reading.environment import files_of
from azml_tasks.snapshot import SnapshotBuilder, take_snapshots, with_words
from azml_tasks.wiring import DatasetInput

# What is exported of the file; the rest of it says where to run and how to log in.
_EXPORTED = (
    *("compute_name", "computes", "continue_on_step_failure", "datasets", "datastores", "description", "env_name"),
    *("environments", "experiment_name", "pipeline_parameters", "publish", "schedule", "steps", "tags"),
)
# What loads an MLTable ("Working with tables in Azure Machine Learning").
_TABLES = ("mltable", conda.TABLES)
_METRICS = "azureml-mlflow"


@dataclass(frozen=True)
class Export:
    """The files by their posix path under `azureml-v2/`, and the remarks in the order of their places."""

    files: Mapping[str, Content]
    remarks: tuple[Problem, ...]


def export(project: Project) -> Export:
    """Return the project's pipeline as files of Azure ML v2, the same whenever and wherever it is done.

    What is not known yet, since a variable is not set, is a placeholder. Raises ProjectError for what keeps the
    pipeline from running on Azure at all.
    """
    check_needs(project, sent=False)
    unset = tuple(unset_remarks(project, *_EXPORTED))
    project = with_placeholders(project, *_EXPORTED)
    snapshots = take_snapshots(SnapshotBuilder(project.directory), project.plan.steps, project.problem)
    names = Names()
    declared = (name for name, dataset in project.pipeline.datasets.items() if dataset.is_declared)
    assets = {name: names.give(asset_name(name)) for name in declared}
    top = pipeline_inputs(project, assets)
    scripts = scripts_of(project.directory, snapshots)
    jobs = tuple(jobs_of(with_words(project.plan, snapshots), top))
    exported = Exported(project, assets, top, jobs, scripts, _needed(project, scripts))
    files = {path: Content.of(text) for path, text in _documents(exported)}
    for job in exported.jobs:
        for path, content in code_files(snapshots[job.step.key]):
            files[f"code/{job.name}/{path}"] = content
    remarks = {*remarks_of(exported), *project.notes, *files_of(project).unseen_by_azure(), *unset}
    return Export(files, tuple(sorted(remarks)))


def _documents(exported: Exported) -> Iterator[tuple[str, bytes]]:
    project = exported.project
    pipeline = project.pipeline
    yield "pipeline.yml", pipeline_file(project, exported.jobs, exported.top)
    for job in exported.jobs:
        yield f"components/{job.name}.yml", component_file(pipeline, job)
    for name, environment in pipeline.environments.items():
        for path, text in environment_files(project, name, environment, exported.needed.get(name, ())):
            yield f"environments/{path}", text
    for name, compute in pipeline.computes.items():
        yield f"computes/{asset_name(name)}.yml", compute_file(name, compute)
    for name, datastore in pipeline.datastores.items():
        yield f"datastores/{asset_name(name)}.yml", datastore_file(name, datastore)
    for name, asset in exported.assets.items():
        for path, text in data_files(project, name, asset):
            yield f"data/{path}", text
    if pipeline.schedule and not pipeline.schedule.on_blob_change:
        name = schedule_name(stated_name(pipeline))
        yield f"schedules/{name}.yml", schedule_file(project.plan, pipeline.schedule)


def _needed(project: Project, scripts: Scripts) -> dict[str, tuple[str, ...]]:
    """Return the pip packages that each environment needs for what its steps read and for what their scripts use."""
    needed: dict[str, dict[str, None]] = {}
    for step in project.plan.steps:
        packages = needed.setdefault(str(project.pipeline.env_of(step.step)), {})
        if scripts.use_sdk(step.key):
            packages[conda.RUN] = None
        if any(isinstance(item, DatasetInput) and is_table(project, item.dataset) for item in step.inputs):
            packages.update(dict.fromkeys(_TABLES))
        if any(use.name.removeprefix("run.") in LOGGING for use in scripts.uses_by(step.key)):
            packages[_METRICS] = None
    # In one order, whichever step asks for them.
    return {name: tuple(sorted(packages)) for name, packages in needed.items()}
