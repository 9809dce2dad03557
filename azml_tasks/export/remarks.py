"""Remarks on what v2 cannot do, does differently, or requires by hand, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from azml_tasks.errors import Problem
from azml_tasks.export.assets import datastore_remark, is_curated, is_table, is_workspace_known, untyped_columns
from azml_tasks.export.command import PipelineInputs
from azml_tasks.export.document import asset_name, or_placeholder
from azml_tasks.export.folder import FOLDER
from azml_tasks.export.jobs import Job
from azml_tasks.export.launcher import is_carried
from azml_tasks.export.schedule import schedule_remarks
from azml_tasks.export.scripts import VAULT, Scripts
from azml_tasks.lock.lockfile import current_lock
from azml_tasks.plan import DatasetInput, FolderInput, Input
from azml_tasks.reading import Project
from azml_tasks.reading.environment.conda import RUN, has_own_python
from azml_tasks.text import listed

_Path = tuple[str | int, ...]
_Remark = tuple[_Path, str]


@dataclass(frozen=True)
class Exported:
    """The parts of an export.

    `assets` are v2's names for the declared datasets, and `needed` the pip packages that each environment needs.
    """

    project: Project
    assets: Mapping[str, str]
    top: PipelineInputs
    jobs: tuple[Job, ...]
    scripts: Scripts
    needed: Mapping[str, tuple[str, ...]]


def remarks_of(exported: Exported) -> Iterator[Problem]:
    """Yield the remarks."""
    project = exported.project
    for path, message in (
        *_pipeline(exported),
        *(remark for job in exported.jobs for remark in _job(exported, job)),
        *_environments(exported),
        *_vaults(exported),
        *_data(exported),
    ):
        yield project.problem(path, message)
    yield from _scripts(exported)


def remarks_of_a_run(exported: Exported) -> Iterator[Problem]:
    """Yield the remarks that matter to a run of ours, which does everything else by itself."""
    project = exported.project
    for path, message in (*_environments(exported), *_vaults(exported), *_registered(exported)):
        yield project.problem(path, message)
    yield from _scripts(exported)


def _registered(exported: Exported) -> Iterator[_Remark]:
    for job in exported.jobs:
        for written in () if is_carried(exported.project.pipeline, job.step.step) else job.step.outputs:
            if written.register_on_complete:
                place = ("steps", job.step.key, "output_folders", written.argument, "register_on_complete")
                yield (
                    place,
                    f"step '{job.step.key}': Azure ML v2 registers '{written.register_on_complete}' also when the step "
                    "fails",
                )


def _vaults(exported: Exported) -> Iterator[_Remark]:
    """Yield the steps that read secrets without the address of a key vault."""
    pipeline = exported.project.pipeline
    for job in exported.jobs:
        step = job.step.step
        environment = pipeline.environments.get(str(pipeline.env_of(step)))
        variables = {**(environment.environment_variables if environment else {}), **step.environment_variables}
        if is_carried(pipeline, step) and exported.scripts.reads_secrets(job.step.key) and VAULT not in variables:
            message = (
                f"step '{job.step.key}': its script reads a secret; set {VAULT} in environment_variables to the "
                "address of the key vault, such as https://NAME.vault.azure.net"
            )
            yield ("steps", job.step.key), message


def _scripts(exported: Exported) -> Iterator[Problem]:
    pipeline = exported.project.pipeline
    for job in exported.jobs:
        is_stand_in = is_carried(pipeline, job.step.step)
        for file in exported.scripts.of_step[job.step.key]:
            for use in exported.scripts.uses[file]:
                sentence = use.sentence_in_a_job if is_stand_in else use.sentence
                if sentence:
                    yield Problem(file, use.lines[0], sentence)


def _pipeline(exported: Exported) -> Iterator[_Remark]:
    pipeline = exported.project.pipeline
    for name, value in pipeline.pipeline_parameters.items():
        if "'" in str(value):
            message = (
                f"pipeline parameter '{name}': v2 puts the value in single quotes in a command; write a single quote "
                "in another value as '''"
            )
            yield ("pipeline_parameters", name), message
    for name, datastore in pipeline.datastores.items():
        remark = datastore_remark(name, datastore, f"{FOLDER}/datastores/{asset_name(name)}.yml")
        if remark:
            yield ("datastores", name), remark
    if pipeline.publish:
        message = (
            "v2 has no published pipelines: component.yml is the pipeline as a component; register it with "
            f"`az ml component create --file {FOLDER}/component.yml --version 1`, and for a URL, deploy it to a batch "
            "endpoint"
        )
        yield ("publish",), message
    if pipeline.schedule and pipeline.schedule.on_blob_change:
        message = (
            "v2 has no schedules on blob changes, so none is exported: an Event Grid trigger, such as a Logic App, "
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
            yield place, f"step '{step.key}': '{name}' is registered as {asset_name(name)}, a valid name in v2"
    for key, output in job.after.items():
        number = step.step.run_after.index(key)
        message = (
            f"step '{step.key}' runs after '{key}': v2 orders jobs only by their data, so it gets the output "
            f"'{output}' of '{key}' as an input, which it does not read"
        )
        yield ("steps", step.key, "run_after", number), message


def _input(exported: Exported, job: Job, item: Input) -> str | None:
    """Return what a script must do differently to read an input, if anything."""
    if isinstance(item, FolderInput) or is_carried(exported.project.pipeline, job.step.step):
        return None
    added = job.added.get(item)
    if isinstance(item, DatasetInput):
        if added is None and item.mode != "direct":
            return None
        holds = f"{item.argument} is a path in v2, not an id"
        is_files = not is_table(exported.project, item.dataset)
        reading = "read the files there" if is_files else "read it with mltable.load(PATH).to_pandas_dataframe()"
    else:
        holds = f"{item.argument} is the folder that '{item.output.step}' wrote"
        is_parquet = item.format == "parquet"
        reading = f"read it with {'pandas.read_parquet(PATH)' if is_parquet else 'pandas.read_csv(FILE, dtype=str)'}"
    if added is not None:
        holds = f"v2 passes data only in arguments, so the script must also accept {added} PATH"
    return f"{holds}; {reading}, not with run.input_datasets['{item.name}']"


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
                message = f"environment '{name}' is an image without packages: it must contain {listed(packages)}"
                yield ("environments", name), message
            lock = current_lock(exported.project.plan, name, exported.project.directory, in_a_job=True)
            missing = lock.lacks(packages) if lock else []
            if missing:
                message = (
                    f"environment '{name}': its lock does not have {listed(missing)}, which its scripts need: add "
                    f"{'it' if len(missing) == 1 else 'them'} to pip_packages and run `invoke lock`"
                )
                yield ("environments", name), message
            continue
        packages = tuple(package for package in packages if package != RUN)
        if packages:
            yield place, f"environment '{name}' is not in this file: it must contain {listed(packages)}"
        if is_curated(name):
            message = (
                f"environment '{name}' is from Microsoft's registry, where those of v1 will be removed: az ml "
                "environment list --registry-name azureml lists them"
            )
            yield place, message


def _data(exported: Exported) -> Iterator[_Remark]:
    project = exported.project
    # Of the others, the pipeline reads the files, not the MLTable.
    read = {name for name, is_stand_in in exported.top.data if not is_stand_in}
    as_tables = {name for name in read if is_table(project, name)}
    for name, asset in exported.assets.items():
        dataset = project.pipeline.datasets[name]
        if asset != name:
            yield ("datasets", name), f"dataset '{name}' is called {asset} in v2, where names cannot contain spaces"
        if dataset.version != "latest":
            message = f"dataset '{name}': version {dataset.version} is a v1 version; the pipeline reads it unchanged"
            yield ("datasets", name, "version"), message
        for column in untyped_columns(dataset) if name in as_tables else ():
            message = (
                f"dataset '{name}': v2 needs the format of dates, so the type of '{column}' will be detected; set it "
                f"in {FOLDER}/data/{asset}/MLTable"
            )
            yield ("datasets", name, "set_column_types", column), message
    if not is_workspace_known(project) and any(name in as_tables for name in exported.assets):
        message = (
            "the MLTable files refer to data without the workspace, which mltable may not accept outside a job; set "
            "ws_name, resource_group and subscription_id, and export again"
        )
        yield ("datasets",), message
