"""What v2 cannot do, does otherwise, or wants done by hand: a sentence each, at the place that it is about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azml_tasks.conda import RUN, has_own_python
from azml_tasks.errors import Problem, listed
from azml_tasks.export.data import is_table, is_workspace_known, untyped_columns
from azml_tasks.export.datastores import datastore_remark
from azml_tasks.export.environments import is_curated
from azml_tasks.export.folder import FOLDER
from azml_tasks.export.inputs import PipelineInputs
from azml_tasks.export.jobs import Job
from azml_tasks.export.names import asset_name, or_placeholder
from azml_tasks.export.schedule import schedule_remarks
from azml_tasks.export.scripts import Scripts
from azml_tasks.reading import Project
from azml_tasks.wiring import DatasetInput, FolderInput, Input

_Path = tuple[str | int, ...]
_Remark = tuple[_Path, str]


@dataclass(frozen=True)
class Exported:
    """What an export consists of.

    `assets` are v2's names for the declared datasets, and `needed` the pip packages that each environment needs.
    """

    project: Project
    assets: Mapping[str, str]
    top: PipelineInputs
    jobs: tuple[Job, ...]
    scripts: Scripts
    needed: Mapping[str, tuple[str, ...]]


def remarks_of(exported: Exported) -> Iterator[Problem]:
    """Yield what is to be said."""
    project = exported.project
    for path, message in (
        *_pipeline(exported),
        *(remark for job in exported.jobs for remark in _job(exported, job)),
        *_environments(exported),
        *_data(exported),
    ):
        yield project.problem(path, message)
    for file, uses in exported.scripts.uses.items():
        for use in uses:
            yield Problem(file, use.lines[0], use.sentence)


def _pipeline(exported: Exported) -> Iterator[_Remark]:
    pipeline = exported.project.pipeline
    for name, value in pipeline.pipeline_parameters.items():
        if "'" in str(value):
            message = (
                f"pipeline parameter '{name}': v2 puts the value between apostrophes in a command, so one in it is "
                "written '\\'' there, and whoever gives another value has to write it so"
            )
            yield ("pipeline_parameters", name), message
    for name, datastore in pipeline.datastores.items():
        remark = datastore_remark(name, datastore, f"{FOLDER}/datastores/{asset_name(name)}.yml")
        if remark:
            yield ("datastores", name), remark
    if pipeline.publish:
        message = (
            "v2 has no published pipelines: a schedule runs the pipeline as it is, and a batch endpoint with a "
            "pipeline deployment gives it an address to be run by"
        )
        yield ("publish",), message
    if pipeline.schedule and pipeline.schedule.on_blob_change:
        message = (
            "v2 has no schedule on blob change, so none is written: an Event Grid trigger, such as a Logic App's, "
            "can start the pipeline"
        )
        yield ("schedule", "on_blob_change"), message
    elif pipeline.schedule:
        for key, message in schedule_remarks(exported.project.plan, pipeline.schedule):
            yield ("schedule", key), message


def _job(exported: Exported, job: Job) -> Iterator[_Remark]:
    step = job.step
    for item in step.inputs:
        message = _input(exported, job, item)
        if message:
            # Without an argument, the key is the name in the run.
            path = ("steps", step.key, "input_datasets", item.argument or item.name)
            yield path, f"step '{step.key}': {message}"
    for written in step.outputs:
        name = written.register_on_complete
        if name and or_placeholder(name, asset_name(name)) != name:
            place = ("steps", step.key, "output_folders", written.argument, "register_on_complete")
            yield place, f"step '{step.key}': '{name}' is registered as {asset_name(name)}, as v2 takes names"
    for key, output in job.after.items():
        number = step.step.run_after.index(key)
        message = (
            f"step '{step.key}' runs after '{key}': v2 orders jobs by their data alone, so it is given the address of "
            f"the output '{output}' of '{key}', which it does not read"
        )
        yield ("steps", step.key, "run_after", number), message


def _input(exported: Exported, job: Job, item: Input) -> str | None:
    """Return what a script has to do otherwise to read an input, if anything."""
    if isinstance(item, FolderInput):
        return None
    added = job.added.get(item)
    if isinstance(item, DatasetInput):
        if added is None and item.mode != "direct":
            return None
        holds = f"{item.argument} holds a path in v2 and no id"
        is_files = not is_table(exported.project, item.dataset)
        reading = "the files lie there" if is_files else "mltable.load(PATH).to_pandas_dataframe() reads it"
    else:
        holds = f"{item.argument} holds the folder that '{item.output.step}' wrote"
        is_parquet = item.format == "parquet"
        reading = f"{'pandas.read_parquet(PATH)' if is_parquet else 'pandas.read_csv(FILE, dtype=str)'} reads it"
    if added is not None:
        holds = f"v2 hands over data by arguments alone, so the script has to take {added} PATH besides"
    return f"{holds}; {reading}, in place of run.input_datasets['{item.name}']"


def _environments(exported: Exported) -> Iterator[_Remark]:
    pipeline = exported.project.pipeline
    places: dict[str, _Path] = {}
    for job in exported.jobs:
        step = job.step.step
        place: _Path = ("steps", job.step.key, "env_name") if step.env_name else ("env_name",)
        places.setdefault(str(pipeline.env_of(step)), place)
    for name, place in places.items():
        declared, packages = pipeline.environments.get(name), exported.needed[name]
        if declared:
            if packages and has_own_python(declared):
                message = f"environment '{name}' is an image without packages: see that it has {listed(packages)}"
                yield ("environments", name), message
            continue
        packages = tuple(package for package in packages if package != RUN)
        if packages:
            yield place, f"environment '{name}' is not in this file: see that it has {listed(packages)}"
        if is_curated(name):
            message = (
                f"environment '{name}' is looked for in Microsoft's registry, and those of v1 are retired in time: "
                "az ml environment list --registry-name azureml shows which there are"
            )
            yield place, message


def _data(exported: Exported) -> Iterator[_Remark]:
    project = exported.project
    for name, asset in exported.assets.items():
        dataset = project.pipeline.datasets[name]
        if asset != name:
            yield ("datasets", name), f"dataset '{name}' is called {asset} in v2, where names have no spaces"
        if dataset.version != "latest":
            message = f"dataset '{name}': version {dataset.version} is one of v1, which the pipeline reads as it is"
            yield ("datasets", name, "version"), message
        for column in untyped_columns(dataset):
            message = (
                f"dataset '{name}': v2 wants the format of dates, so the type of '{column}' is left to be guessed; "
                f"state it in {FOLDER}/data/{asset}/MLTable"
            )
            yield ("datasets", name, "set_column_types", column), message
    if not is_workspace_known(project) and any(is_table(project, name) for name in exported.assets):
        message = (
            "the MLTable files name their data without the workspace, which mltable may not take outside a job; "
            "set ws_name, resource_group and subscription_id, and export again"
        )
        yield ("datasets",), message
