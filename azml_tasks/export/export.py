"""Export a project to files for Azure ML v2, with remarks on what is left to do by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from azml_tasks.checks.azure import check_azure_needs
from azml_tasks.errors import Problem, ProjectError
from azml_tasks.export import launcher
from azml_tasks.export.assets import compute_file, data_files, datastore_file, environment_files, is_table
from azml_tasks.export.command import pipeline_inputs
from azml_tasks.export.document import Names, asset_name, schedule_name
from azml_tasks.export.folder import Content, code_files
from azml_tasks.export.jobs import Job, component_file, jobs_of, pipeline_file, published_file
from azml_tasks.export.launcher import PROGRAM, is_carried
from azml_tasks.export.remarks import Exported, remarks_of, remarks_of_a_run
from azml_tasks.export.schedule import schedule_file, stated_name
from azml_tasks.export.scripts import LOGGING, Scripts, scripts_of
from azml_tasks.export.unset import unset_remarks, with_placeholders
from azml_tasks.plan import DatasetInput, StepPlan
from azml_tasks.reading import Project
from azml_tasks.reading.environment import conda
from azml_tasks.reading.project import files_of
from azml_tasks.snapshot import Snapshot, SnapshotBuilder, take_snapshots, with_words

# The exported keys; the others are about the workspace and the login.
EXPORTED = (
    *("compute_name", "computes", "continue_on_step_failure", "datasets", "datastores", "description", "env_name"),
    *("environments", "experiment_name", "pipeline_parameters", "publish", "schedule", "steps", "tags"),
)
# The pipeline as a component, if it is to be published.
PUBLISHED = "component.yml"


@dataclass(frozen=True)
class Export:
    """The files by their posix path under `azureml-v2/`, and the remarks in the order of their places.

    `jobs` are the steps by their names in the pipeline job, `assets` maps the declared datasets to v2's names,
    `needed` the environments to the packages that their steps need. `with_secrets` are the steps that read secrets.
    """

    files: Mapping[str, Content]
    remarks: tuple[Problem, ...]
    jobs: Mapping[str, Job] = field(default_factory=dict)
    assets: Mapping[str, str] = field(default_factory=dict)
    needed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    with_secrets: frozenset[str] = frozenset()


def export(project: Project, snapshots: Mapping[str, Snapshot] | None = None) -> Export:
    """Return the project's pipeline as files for Azure ML v2, the same on every machine.

    `snapshots` are those of the steps, if they were taken before. Unset variables become placeholders. Raises
    ProjectError if the pipeline cannot run on Azure.
    """
    check_azure_needs(project, sent=False)
    unset = tuple(unset_remarks(project, *EXPORTED))
    project = with_placeholders(project, *EXPORTED)
    snapshots = snapshots or take_snapshots(SnapshotBuilder(project.directory), project.plan.steps, project.problem)
    exported = _exported(project, snapshots)
    jobs = exported.jobs
    files = {path: Content.of(text) for path, text in _documents(exported)}
    for job in jobs:
        for path, content in code_files(snapshots[job.step.key]):
            files[f"code/{job.name}/{path}"] = content
        if is_carried(project.pipeline, job.step.step):
            _check_free(project, job, snapshots)
            for path, text in launcher.files(job.step, project.pipeline, job.registered).items():
                files[f"code/{job.name}/{path}"] = Content.of(text)
    remarks = {*remarks_of(exported), *project.notes, *files_of(project).unseen_by_azure(), *unset}
    carried = (job.step for job in jobs if is_carried(project.pipeline, job.step.step))
    with_secrets = frozenset(step.key for step in carried if exported.scripts.reads_secrets(step.key))
    by_name = {job.name: job for job in jobs}
    return Export(files, tuple(sorted(remarks)), by_name, exported.assets, exported.needed, with_secrets)


def run_remarks(project: Project, snapshots: Mapping[str, Snapshot]) -> list[Problem]:
    """Return what the steps of a run on v2 need, and what their scripts cannot do there."""
    return sorted({*remarks_of_a_run(_exported(with_placeholders(project, *EXPORTED), snapshots))})


def data_assets(project: Project) -> dict[str, str]:
    """Return the names in v2 of the datasets that the file declares."""
    names = Names()
    declared = (name for name, dataset in project.pipeline.datasets.items() if dataset.is_declared)
    return {name: names.give(asset_name(name)) for name in declared}


def _exported(project: Project, snapshots: Mapping[str, Snapshot]) -> Exported:
    assets = data_assets(project)
    top = pipeline_inputs(project, assets)
    scripts = scripts_of(project.directory, snapshots)
    jobs = tuple(jobs_of(with_words(project.plan, snapshots), top))
    return Exported(project, assets, top, jobs, scripts, _needed(project, scripts))


def _needed_in_a_job(project: Project, step: StepPlan, scripts: Scripts) -> Iterator[str]:
    """Yield what the stand-in for azureml imports for the step's scripts."""
    yield from conda.tables_in_a_job(project.pipeline, step)
    if scripts.reads_secrets(step.key):
        yield from ("azure-identity", "azure-keyvault-secrets")


def _check_free(project: Project, job: Job, snapshots: Mapping[str, Snapshot]) -> None:
    """Raise ProjectError if a file of the step has the name of the launcher."""
    if any(path.split("/")[0] == PROGRAM for path in snapshots[job.step.key].files):
        message = f"step '{job.step.key}': rename {PROGRAM}; the step's code has a file of azml-tasks with this name"
        raise ProjectError([project.problem(("steps", job.step.key), message)])


def _documents(exported: Exported) -> Iterator[tuple[str, bytes]]:
    project = exported.project
    pipeline = project.pipeline
    yield "pipeline.yml", pipeline_file(project, exported.jobs, exported.top)
    if pipeline.publish:
        yield PUBLISHED, published_file(project, exported.jobs, exported.top)
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
        if is_carried(project.pipeline, step.step):
            if scripts.use_sdk(step.key):
                packages.update(dict.fromkeys(_needed_in_a_job(project, step, scripts)))
            continue
        if scripts.use_sdk(step.key):
            packages[conda.RUN] = None
        if any(isinstance(item, DatasetInput) and is_table(project, item.dataset) for item in step.inputs):
            packages.update(dict.fromkeys((conda.MLTABLE, conda.TABLES)))
        if any(use.name.removeprefix("run.") in LOGGING for use in scripts.uses_by(step.key)):
            packages[conda.MLFLOW] = None
    # In a fixed order, independent of the steps.
    return {name: tuple(sorted(packages)) for name, packages in needed.items()}
