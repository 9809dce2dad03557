"""A step: a script, its inputs and its outputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from azml_tasks.model.base import Argument, Config, Model, Sequence
from azml_tasks.model.names import (
    ArgumentName,
    ComputeName,
    DatasetName,
    DatastoreName,
    EnvironmentReference,
    InputKey,
    StepKey,
    VariableName,
)
from azml_tasks.text import listed, shortened


def _inside(path: str) -> str:
    depth = 0
    for part in path.split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            raise ValueError(f"'{shortened(path)}' is outside the datastore")
    return path


class Destination(Model):
    """A location for an output, instead of the workspace's default."""

    datastore_name: DatastoreName = Field(description="A datastore of this file or of the workspace.")
    path: Annotated[str, AfterValidator(_inside)] | None = Field(
        None, description="Folder in the datastore; Azure replaces `{run-id}` and `{output-name}`."
    )

    @property
    def folder(self) -> str:
        """The folder in the datastore; default: that of Azure (azureml-core, OutputFileDatasetConfig)."""
        return self.path or "dataset/{run-id}/{output-name}"


class OutputFolder(Model):
    """Options of an output folder."""

    destination: Destination | None = Field(None, description="Where the folder is stored.")
    register_on_complete: DatasetName | None = Field(
        None, description="Register the folder as a file dataset with this name when the step completes."
    )


_NAMES_OF_DATASETS = ("dataset", "dataset_name", "name")
# Keys that belong to a dataset, or would.
_OF_DATASETS = {*_NAMES_OF_DATASETS, "mode", "type", "path", "local_path", "separator", "version", "datastore_name"}


class StepTable(Model):
    """A step's output folder, read as a table by another step."""

    step: StepKey = Field(description="The step that writes the table.")
    output: ArgumentName | None = Field(None, description="The output folder, if it has several: `--name`.")
    format: Literal["parquet", "delimited"] = Field(
        "parquet", description="The format of the files; parquet keeps types, delimited reads everything as text."
    )

    @model_validator(mode="before")
    @classmethod
    def _not_of_a_dataset(cls, value: object) -> object:
        if not isinstance(value, Mapping) or "step" in value or not _OF_DATASETS & value.keys():
            return value
        name = next((value[key] for key in _NAMES_OF_DATASETS if isinstance(value.get(key), str)), "NAME")
        options = [f"{key}: {item}" for key, item in value.items() if key not in _NAMES_OF_DATASETS]
        moved = f", and put {listed([f'`{shortened(option)}`' for option in options])} in datasets.{name}"
        raise ValueError(
            f"input_datasets: write only the name of the dataset, as in `--new-data: {shortened(name)}`"
            + (moved if options else "")
        )


# Suffixes after which `.py` is not added, because that file is meant.
_NO_SCRIPTS = (".ipynb", ".json", ".pyc", ".r", ".sh", ".sql", ".txt", ".yaml", ".yml")
# What the file can contain for `output_folders`; the model has the mapping.
_OutputFolders = Mapping[ArgumentName, OutputFolder | None] | Sequence[ArgumentName] | None


class Step(Model):
    """One Python script of the pipeline."""

    script_name: str = Field(description="The script, relative to script_directory; `.py` is optional.", min_length=1)
    script_directory: str = Field(".", description="The folder of the script, relative to this file.", min_length=1)
    step_name: str | None = Field(None, description="The label in Azure; default: the step's name.", min_length=1)
    step_config: Config | None = Field(None, description="The step's settings, passed as --config, a JSON object.")
    input_datasets: Mapping[InputKey, str | StepTable] = Field(
        {},
        description="Argument (`--new-data`) or plain name: the dataset that it reads, or `{step: ..., format: "
        "...}` for a step's output read as a table.",
    )
    input_folders: Mapping[ArgumentName, str] | None = Field(
        None,
        description="Argument: the step whose output folder it reads, or `step/--output` if that step has several. "
        "Default: --input-folder reads the previous step; {} passes none.",
    )
    output_folders: Mapping[ArgumentName, OutputFolder] | None = Field(
        None, description="The arguments that receive an output folder. Default: --output-folder; [] passes none."
    )
    arguments: Mapping[str, Argument] | Sequence[Argument] = Field(
        (),
        description="More arguments, as a mapping or a list; `${{ parameters.name }}` passes a pipeline parameter.",
    )
    run_after: Sequence[str] = Field((), description="Steps that must complete before this one starts.")
    include: Sequence[str] = Field(
        (), description="More files for the snapshot: patterns such as `params.json` or `sql/**`."
    )
    snapshot: Literal["imports", "directory"] = Field(
        "imports",
        description="`imports`: the script and what it imports from the project; "
        "`directory`: all of script_directory, except .amlignore.",
    )
    environment_variables: Mapping[VariableName, str] = Field({}, description="Variables set for the script.")
    max_run_duration_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Stop the step after this number of seconds."
    )
    allow_reuse: bool | None = Field(
        None, description="Whether to reuse an earlier result if nothing changed; default: true."
    )
    compute_name: ComputeName | None = Field(None, description="The compute of this step; default: the pipeline's.")
    env_name: EnvironmentReference | None = Field(
        None, description="The environment of this step; default: the pipeline's."
    )

    @field_validator("script_name")
    @classmethod
    def _with_suffix(cls, name: str) -> str:
        if name.lower().endswith(_NO_SCRIPTS):
            remedy = f"; convert it with `jupyter nbconvert --to script {name}`" if name.endswith(".ipynb") else ""
            raise ValueError(f"script_name must be a Python script (.py), not {shortened(name)}{remedy}")
        return name if name.endswith(".py") else f"{name}.py"

    @field_validator("output_folders", mode="before", json_schema_input_type=_OutputFolders)
    @classmethod
    def _outputs_as_mapping(cls, value: object) -> object:
        if isinstance(value, (list, tuple)) and all(isinstance(argument, str) for argument in value):
            for argument, count in Counter(value).items():
                if count > 1:
                    raise ValueError(f"output_folders: duplicate {argument}")
            return {argument: {} for argument in value}
        if isinstance(value, Mapping):
            return {argument: {} if options is None else options for argument, options in value.items()}
        if value is not None:
            raise ValueError("output_folders: expected arguments, such as [--train-folder, --test-folder]")
        return None

    @field_validator("step_name")
    @classmethod
    def _one_line(cls, name: str | None) -> str | None:
        if name is not None and not name.isprintable():
            raise ValueError("step_name must be one line of text")
        return name


# Keys of other kinds of v1 steps, none of which is a key of this file.
OTHER_KINDS = {
    "parallel_run_config": "ParallelRunStep",
    "mini_batch_size": "ParallelRunStep",
    "automl_config": "AutoMLStep",
    "hyperdrive_config": "HyperDriveStep",
    "estimator": "EstimatorStep",
    "distributed_training": "MpiStep",
    "node_count": "MpiStep",
    "process_count_per_node": "MpiStep",
    "notebook_run_config": "NotebookRunnerStep",
    "command": "CommandStep",
    "rscript_name": "RScriptStep",
    "sql_script": "a database step",
    "source_data_reference": "DataTransferStep",
}
