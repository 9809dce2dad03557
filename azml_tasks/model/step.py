"""A step: a script, what it is given, and what it leaves behind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, field_validator

from azml_tasks.errors import shortened
from azml_tasks.model.base import Argument, Config, Model, Sequence
from azml_tasks.model.names import (
    ArgumentName,
    ComputeName,
    DatastoreName,
    InputKey,
    StepKey,
    VariableName,
)


class Destination(Model):
    """Where an output is kept, instead of the workspace's own place."""

    datastore_name: DatastoreName = Field(description="A datastore of this file or of the workspace.")
    path: str | None = Field(
        None, description="Folder in the datastore; `{run-id}` and `{output-name}` are filled in by Azure."
    )

    @property
    def folder(self) -> str:
        """The folder in the datastore, by default where Azure puts one (azureml-core, OutputFileDatasetConfig)."""
        return self.path or "dataset/{run-id}/{output-name}"


class OutputFolder(Model):
    """What becomes of one output folder of a step."""

    destination: Destination | None = Field(None, description="Where the folder is kept.")
    register_on_complete: str | None = Field(
        None, description="Register the folder as a file dataset of this name when the step has completed."
    )


class StepTable(Model):
    """A step's output folder, read as a table by another step."""

    step: StepKey = Field(description="The step that writes the table.")
    output: ArgumentName | None = Field(
        None, description="Which of its output folders, where it has several: `--name`."
    )
    format: Literal["parquet", "delimited"] = Field(
        "parquet", description="What its files are; parquet keeps the types, delimited gives all text."
    )


# Endings that `.py` is not to be put behind: whoever writes one means that file.
_NO_SCRIPTS = (".ipynb", ".json", ".pyc", ".r", ".sh", ".sql", ".txt", ".yaml", ".yml")
# What the file may say for `output_folders`; the model holds the mapping.
_OutputFolders = Mapping[ArgumentName, OutputFolder | None] | Sequence[ArgumentName] | None


class Step(Model):
    """One Python script of the pipeline."""

    script_name: str = Field(
        description="The script, relative to script_directory; `.py` may be left out.", min_length=1
    )
    script_directory: str = Field(".", description="The folder of the script, relative to this file.", min_length=1)
    step_name: str | None = Field(
        None, description="The label that Azure shows; by default the step's key.", min_length=1
    )
    step_config: Config | None = Field(None, description="Hyperparameters; arrive as --config, a JSON object.")
    input_datasets: Mapping[InputKey, str | StepTable] = Field(
        {},
        description="Argument (`--new-data`) or bare name: the dataset that it reads, or `{step: ..., format: ...}` "
        "for a step's output read as a table.",
    )
    input_folders: Mapping[ArgumentName, str] | None = Field(
        None,
        description="Argument: the step whose output folder it reads, or `step/--output` where that step has several. "
        "By default --input-folder reads the step before; {} passes none.",
    )
    output_folders: Mapping[ArgumentName, OutputFolder] | None = Field(
        None, description="The arguments that name an output folder. By default --output-folder; [] passes none."
    )
    arguments: Mapping[str, Argument] | Sequence[Argument] = Field(
        (),
        description="Further arguments, as a mapping or a list; `${{ parameters.name }}` takes a pipeline parameter.",
    )
    run_after: Sequence[str] = Field((), description="Steps that must have completed before this one starts.")
    include: Sequence[str] = Field(
        (), description="Further files of the snapshot: patterns such as `params.json` or `sql/**`."
    )
    snapshot: Literal["imports", "directory"] = Field(
        "imports",
        description="`imports`: the script and what it imports from the project; "
        "`directory`: all of script_directory, less .amlignore.",
    )
    environment_variables: Mapping[VariableName, str] = Field({}, description="Variables set for the script.")
    max_run_duration_seconds: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Stop the step after so many seconds."
    )
    allow_reuse: bool | None = Field(
        None, description="Whether an earlier result may stand in when nothing has changed; by default yes."
    )
    compute_name: ComputeName | None = Field(None, description="The compute of this step; by default the pipeline's.")
    env_name: str | None = Field(None, description="The environment of this step; by default the pipeline's.")

    @field_validator("script_name")
    @classmethod
    def _with_suffix(cls, name: str) -> str:
        if name.lower().endswith(_NO_SCRIPTS):
            remedy = f"; `jupyter nbconvert --to script {name}` makes one of it" if name.endswith(".ipynb") else ""
            raise ValueError(f"script_name: a step runs a Python script (.py), which {shortened(name)} is not{remedy}")
        return name if name.endswith(".py") else f"{name}.py"

    @field_validator("output_folders", mode="before", json_schema_input_type=_OutputFolders)
    @classmethod
    def _outputs_as_mapping(cls, value: object) -> object:
        if isinstance(value, (list, tuple)) and all(isinstance(argument, str) for argument in value):
            for argument, count in Counter(value).items():
                if count > 1:
                    raise ValueError(f"output_folders: {argument} stands twice in the list")
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
            raise ValueError("step_name is one line of text")
        return name


# Keys by which people would ask for another kind of v1 step, none of which is a key of this file.
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
