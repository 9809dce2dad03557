"""Plan -> the SDK's pipeline: its steps, built by value without a request, and their snapshots with their origin."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from azureml.core import Environment
from azureml.core.runconfig import DockerConfiguration, RunConfiguration
from azureml.data import OutputFileDatasetConfig
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.pipeline.core import Pipeline, PipelineParameter
from azureml.pipeline.steps import PythonScriptStep

from azml_tasks.azure.v1.resources.find import Resources
from azml_tasks.plan import (
    ConfigValue,
    DatasetInput,
    FolderInput,
    Input,
    OptionValue,
    Output,
    ParameterValue,
    Plan,
    StepPlan,
    TableInput,
    Token,
)
from azml_tasks.plan.plan import config_parameters
from azml_tasks.snapshot import Snapshot, with_words


def build_steps(
    plan: Plan,
    resources: Resources,
    folders: Mapping[str, Path],
    reuse: Mapping[str, bool],
    values: Values | None = None,
) -> dict[str, PythonScriptStep]:
    """Return the SDK's step for each step of the plan.

    `folders` are the staged snapshots, `reuse` is whether earlier results may be reused, and `values` provides the
    arguments, by default the plan's.
    """
    values = values or Values(plan, resources)
    steps: dict[str, PythonScriptStep] = {}
    for step in plan.steps:
        compute = resources.computes[str(plan.pipeline.compute_of(step.step))]
        steps[step.key] = PythonScriptStep(
            name=step.label,
            script_name=step.step.script_name,
            source_directory=str(folders[step.key]),
            arguments=values.arguments(step),
            inputs=[values.value(item) for item in step.inputs if item.argument is None],
            compute_target=compute,
            runconfig=_configuration_of(plan, step, resources),
            allow_reuse=reuse[step.key],
        )
        for key in step.order_only:
            steps[step.key].run_after(steps[key])
    return steps


def _configuration_of(plan: Plan, step: StepPlan, resources: Resources) -> RunConfiguration:
    environment = resources.environments[str(plan.pipeline.env_of(step.step))]
    configuration = run_configuration(environment, str(plan.pipeline.compute_of(step.step)))
    configuration.environment_variables = dict(step.step.environment_variables)
    configuration.max_run_duration_seconds = step.step.max_run_duration_seconds
    return configuration


def run_configuration(environment: Environment, compute_name: str) -> RunConfiguration:
    """Return the run configuration for an environment and a compute."""
    configuration = RunConfiguration()
    configuration.target = compute_name
    configuration.environment = environment
    # The SDK's default for a cluster without a configuration (_python_script_step_base.py).
    configuration.docker = DockerConfiguration(use_docker=True)
    return configuration


class Values:
    """The SDK's objects for the tokens of a plan; one shared object for each thing."""

    def __init__(self, plan: Plan, resources: Resources) -> None:
        self._datasets = resources.datasets
        self._names = config_parameters(plan)
        self._parameters: dict[str, PipelineParameter] = {}
        written = [output for step in plan.steps for output in step.outputs]
        self._outputs = {output.name: _output(output) for output in written}
        self._tables = {
            (item.output.name, item.name): self._table(item)
            for step in plan.steps
            for item in step.inputs
            if isinstance(item, TableInput)
        }
        # Last, because the SDK deep-copies the contents of an output, and a datastore contains the whole connection.
        for output in written:
            if output.destination:
                datastore = resources.datastores[output.destination.datastore_name]
                self._outputs[output.name].destination = (datastore, output.destination.folder)

    def arguments(self, step: StepPlan) -> list[Any]:
        """Return the arguments of the step as PythonScriptStep takes them, in a list of its own."""
        return [self.value(token) for token in step.argv]

    def folders(self, step: StepPlan) -> list[Any]:
        """Return those of the step's arguments that give it folders."""
        folders = [item for item in (*step.inputs, *step.outputs) if isinstance(item, (FolderInput, Output))]
        return [part for item in folders for part in (item.argument, self.value(item))]

    def value(self, token: Token) -> Any:
        """Return the SDK's object for the token."""
        if isinstance(token, str):
            return token
        if isinstance(token, OptionValue):
            return token.joined
        if isinstance(token, ConfigValue):
            return self._parameter(self._names[token.step], token.text)
        if isinstance(token, ParameterValue):
            return self._parameter(token.name, token.default)
        if isinstance(token, Output):
            return self._outputs[token.name]
        return self._input(token)

    def _input(self, token: Input) -> DatasetConsumptionConfig:
        if isinstance(token, FolderInput):
            return self._outputs[token.output.name].as_input(token.name)
        if isinstance(token, TableInput):
            return self._tables[token.output.name, token.name]
        return consumption(token, self._datasets[token.dataset])

    def _table(self, token: TableInput) -> DatasetConsumptionConfig:
        folder = self._outputs[token.output.name]
        table = folder.read_parquet_files() if token.format == "parquet" else folder.read_delimited_files()
        return table.as_input(token.name)

    def _parameter(self, name: str, default: Any) -> PipelineParameter:
        return self._parameters.setdefault(name, PipelineParameter(name, default))


def consumption(token: DatasetInput, dataset: Any) -> DatasetConsumptionConfig:
    """Return how a step reads a dataset."""
    return DatasetConsumptionConfig(token.name, dataset, token.mode)


def _output(output: Output) -> OutputFileDatasetConfig:
    folder = OutputFileDatasetConfig(name=output.name)
    if output.register_on_complete:
        return folder.register_on_complete(output.register_on_complete)
    return folder


@dataclass(frozen=True)
class BuiltPipeline:
    """A pipeline that is ready to be sent; `nodes` maps the nodes of its graph to the keys of the steps."""

    pipeline: Pipeline
    nodes: Mapping[str, str]


@contextlib.contextmanager
def built_pipeline(
    ws: Any,
    plan: Plan,
    snapshots: Mapping[str, Snapshot],
    resources: Resources,
    reuse: Mapping[str, bool],
    values: Values | None = None,
) -> Iterator[BuiltPipeline]:
    """Build the pipeline for the duration of a block; its staged files are deleted afterwards.

    `reuse` says of each step whether an earlier result may be reused, and `values` gives the steps their arguments, by
    default the plan's.
    """
    with (
        _snapshots_forgotten_on_failure(ws),
        tempfile.TemporaryDirectory(prefix="azml-") as folder,
        told_origin(_some_folder(snapshots)),
    ):
        folders = {
            step.key: stage(snapshots[step.key], Path(folder, str(place))) for place, step in enumerate(plan.steps)
        }
        steps = build_steps(with_words(plan, snapshots), resources, folders, reuse, values)
        with silently():
            pipeline = Pipeline(ws, list(steps.values()), description=plan.pipeline.description)
        # The graph has its nodes in the order of the steps, each of which follows all that it needs.
        nodes = (node.node_id for node in pipeline.graph.module_nodes)
        yield BuiltPipeline(pipeline, dict(zip(nodes, steps, strict=True)))


@contextlib.contextmanager
def _snapshots_forgotten_on_failure(ws: Any) -> Iterator[None]:
    """Have the SDK look up the last snapshot again when the block fails: the one it remembers may not be there."""
    from azureml._restclient.snapshots_client import SnapshotsClient

    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            SnapshotsClient(ws.service_context)._cache.remove_latest()
        raise


def _some_folder(snapshots: Mapping[str, Snapshot]) -> Path:
    """Return a folder of the project from which git finds its repository."""
    return next((file.parent for snapshot in snapshots.values() for file in snapshot.files.values()), Path.cwd())


@contextlib.contextmanager
def silently() -> Iterator[None]:
    """Suppress the output of the SDK, which we replace with our own."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


_IGNORE_FILES = (".amlignore", ".gitignore")


def stage(snapshot: Snapshot, folder: Path) -> Path:
    """Copy the files of the snapshot, and nothing else, to the folder and return it.

    The SDK leaves out what an ignore file at the folder's root names (azureml-core, _project/ignore_file.py). Those
    rules were already applied to the snapshot, so an ignore file that lists only itself replaces them.
    """
    folder.mkdir(parents=True)
    for path, source in snapshot.files.items():
        if path != ".amlignore":
            target = folder / PurePosixPath(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(source, target)
    if any(name in snapshot.files for name in _IGNORE_FILES):
        (folder / ".amlignore").write_text(".amlignore\n", encoding="utf-8")
    return folder


def _place(source: Path, target: Path) -> None:
    try:
        os.link(os.path.realpath(source), target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


_SECONDS = 10
# A login in the address of a repository: `https://user:token@host/...`.
_LOGIN = re.compile(r"(?<=://)[^/@]+@")


@contextlib.contextmanager
def told_origin(directory: Path) -> Iterator[None]:
    """Set the SDK's information about the repository of the directory for the duration of a block.

    It would run git itself, but in the folder of the staged files. The variables are the SDK's own (azureml-core,
    git_tracking_info_provider.py); those that are already set are kept.
    """
    known = {name: value for name, value in _origin(directory).items() if value and name not in os.environ}
    os.environ.update(known)
    try:
        yield
    finally:
        for name in known:
            os.environ.pop(name, None)


def _origin(directory: Path) -> dict[str, str]:
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return {}
    return {
        "AZUREML_GIT_COMMIT": commit,
        "AZUREML_GIT_BRANCH": _git(directory, "symbolic-ref", "--short", "HEAD"),
        "AZUREML_GIT_REPOSITORY_URI": _LOGIN.sub("", _git(directory, "config", "--get", "remote.origin.url")),
        "AZUREML_GIT_DIRTY": str(bool(_git(directory, "status", "--porcelain", "."))),
    }


def _git(directory: Path, *arguments: str) -> str:
    """Return the output of git; empty if it is missing or fails."""
    command = ["git", "-C", str(directory), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return done.stdout.strip()


class OwnArguments(Values):
    """Values with the arguments of some steps, `own`, by key, except for folders."""

    def __init__(self, plan: Plan, resources: Resources, own: Mapping[str, list[Any]]) -> None:
        super().__init__(plan, resources)
        self._own = own

    def arguments(self, step: StepPlan) -> list[Any]:
        """Return the arguments of the step as PythonScriptStep takes them, in a list of its own."""
        if step.key not in self._own:
            return super().arguments(step)
        own = self._own[step.key]
        # Like `--config` of the file: a parameter of the pipeline.
        before = own.index("--config") if "--config" in own else -1
        config = ConfigValue(step.key, step.step.step_config or {})
        if 0 <= before < len(own) - 1 and own[before + 1] == config.text:
            own = [*own[: before + 1], self.value(config), *own[before + 2 :]]
        return [*own, *self.folders(step)]
