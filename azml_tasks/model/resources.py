"""Resources of the workspace: datasets, datastores, environments and compute clusters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from azml_tasks.model.base import MisfitError, Model, Sequence, is_unresolved
from azml_tasks.model.names import ContainerName, DatastoreName, InputName, StorageAccountName, VariableName

_REFERENCE = r"\$\{[A-Za-z_][A-Za-z0-9_]*\}"


def _only_a_variable(value: object) -> object:
    if not isinstance(value, str) or not re.fullmatch(_REFERENCE, value):
        # The value itself is not repeated: it may be the secret.
        raise ValueError(
            "do not write secrets in this file; use ${SOME_VARIABLE} and set it in the environment or in .env"
        )
    return value


SecretReference = Annotated[
    str,
    BeforeValidator(_only_a_variable),
    WithJsonSchema({"type": "string", "pattern": f"^{_REFERENCE}$"}),
]


class Datastore(Model):
    """A container of a storage account; without a key or token, the workspace's identity is used."""

    container_name: ContainerName = Field(description="The blob container.")
    account_name: StorageAccountName = Field(description="The storage account.")
    account_key: SecretReference | None = Field(None, description="The account key, as `${VARIABLE}`.")
    sas_token: SecretReference | None = Field(None, description="A SAS token, as `${VARIABLE}`.")

    @property
    def secret_variables(self) -> dict[str, str]:
        """The variables in the keys with secrets, by key."""
        references = {"account_key": self.account_key, "sas_token": self.sas_token}
        return {key: reference[2:-1] for key, reference in references.items() if reference}

    @model_validator(mode="after")
    def _one_secret(self) -> Datastore:
        if self.account_key and self.sas_token:
            raise MisfitError("sas_token", "use either account_key or sas_token, not both")
        return self


ColumnType = Literal["string", "long", "float", "boolean", "datetime"]


def _check_separator(separator: str) -> None:
    """Reject what the SDK rejects; raises MisfitError."""
    if (len(separator) == 1 and separator.isascii()) or is_unresolved(separator):
        return
    bare = separator.strip(" ")
    tab = separator.lower() in {r"\t", "tab"}
    meant = r'"\t" in double quotes' if tab else f"'{bare}'" if len(bare) == 1 and bare.isascii() else ""
    rule = "a separator must be exactly one ASCII character"
    raise MisfitError("separator", f"{rule}, not '{separator}'{f'; did you mean {meant}?' if meant else ''}")


class Dataset(Model):
    """A dataset; without `datastore_name` and `path` it must already exist in the workspace."""

    datastore_name: DatastoreName | None = Field(None, description="The datastore with the files.")
    path: str | Annotated[Sequence[str], Field(min_length=1)] | None = Field(
        None, description="One or more paths in the datastore; `*` and `**` are allowed."
    )
    local_path: str | None = Field(None, description="The file or folder used on this machine, relative to this file.")
    type: Literal["tabular", "file"] = Field("tabular", description="Read as a table, or as files.")
    mode: Literal["direct", "mount", "download"] = Field(
        "direct", description="The value of its argument: an id (direct) or a path (mount, download)."
    )
    format: Literal["delimited", "parquet"] = Field("delimited", description="The format of a tabular dataset's files.")
    separator: str | None = Field(None, description="The column separator of delimited files; default: a comma.")
    set_column_types: Mapping[str, ColumnType] = Field(
        {}, description="Column: its type. Types of other columns are detected."
    )
    support_multi_line: bool = Field(False, description="Whether quoted fields can contain line breaks.")
    version: Annotated[int, Field(ge=1)] | Literal["latest"] = Field(
        "latest", description="A registered version, or `latest`."
    )
    name: InputName | None = Field(None, description="Its name in the run; default: the dataset's name.")
    description: str | None = Field(None, description="Stored with the registered dataset.")
    tags: Mapping[str, str] = Field({}, description="Stored with the registered dataset.")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Dataset:
        if (self.datastore_name is None) != (self.path is None):
            given, missing = ("path", "datastore_name") if self.path is not None else ("datastore_name", "path")
            raise MisfitError(given, f"{given} also needs {missing}: both locate the files")
        if self.type == "tabular" and self.mode != "direct":
            raise MisfitError(
                "mode", f"mode: {self.mode} needs type: file; Azure can mount or download files, not tables"
            )
        for key in ("format", "separator", "set_column_types", "support_multi_line"):
            if self.type == "file" and key in self.model_fields_set:
                raise MisfitError(key, f"{key} is for tabular datasets; this one has type: file")
        if self.separator is not None:
            _check_separator(self.separator)
        for key in ("separator", "support_multi_line"):
            if self.format == "parquet" and key in self.model_fields_set:
                raise MisfitError(key, f"{key} is for delimited files; this dataset has format: parquet")
        return self

    @property
    def is_declared(self) -> bool:
        """Whether the file has the location of its data, so that it can be registered."""
        return self.path is not None

    @property
    def paths(self) -> tuple[str, ...]:
        """Its paths in the datastore."""
        if self.path is None:
            return ()
        return (self.path,) if isinstance(self.path, str) else self.path


def _one_line(requirement: str) -> str:
    if len(requirement.strip().splitlines()) > 1:
        raise ValueError("one requirement per item, without line breaks")
    return requirement


Requirement = Annotated[str, AfterValidator(_one_line)]


class Environment(Model):
    """The packages and image of a step's container, besides what every run needs."""

    pip_packages: Sequence[Requirement] = Field((), description="pip requirements, such as `pandas` or `pandas==2.2`.")
    conda_packages: Sequence[Requirement] = Field((), description="conda packages, from conda-forge.")
    conda_file: str | None = Field(None, description="A conda YAML file, relative to this file, instead of packages.")
    python_version: str | None = Field(None, description='The Python version, in quotes: "3.10".')
    base_image: str | None = Field(None, description="The base image; default: the SDK's.")
    dockerfile: str | None = Field(None, description="A Dockerfile, relative to this file, instead of base_image.")
    environment_variables: Mapping[VariableName, str] = Field({}, description="Variables set in the container.")
    azureml: Literal["stand-in", "sdk"] = Field(
        "stand-in", description="What scripts import as azureml on Azure ML v2: the stand-in of azml-tasks, or the SDK."
    )

    @field_validator("python_version", mode="before")
    @classmethod
    def _quoted(cls, value: object) -> object:
        if isinstance(value, float):
            raise ValueError('python_version: write it in quotes, such as "3.10"; without quotes it is the number 3.1')
        return value

    @model_validator(mode="after")
    def _one_source(self) -> Environment:
        if self.conda_file and (self.pip_packages or self.conda_packages or self.python_version):
            raise MisfitError(
                "conda_file", "conda_file lists all packages and the Python version; remove the other keys"
            )
        if self.base_image and self.dockerfile:
            raise MisfitError("dockerfile", "use either base_image or dockerfile, not both")
        return self


class Compute(Model):
    """A cluster of virtual machines that scales between two numbers of nodes."""

    vm_size: str = Field(description="The VM size, such as STANDARD_D4DS_V4.", min_length=1)
    vm_priority: Literal["dedicated", "lowpriority"] = Field(
        "dedicated", description="dedicated; Azure ML retired lowpriority on 2026-03-31."
    )
    min_nodes: Annotated[int, Field(ge=0)] = Field(
        0, description="The minimum number of nodes, which run even when idle."
    )
    max_nodes: Annotated[int, Field(ge=1)] = Field(1, description="The maximum number of nodes.")
    idle_seconds_before_scaledown: Annotated[int, Field(ge=1)] | None = Field(
        None, description="Seconds before an idle node stops."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Compute:
        if self.min_nodes > self.max_nodes:
            raise MisfitError("min_nodes", f"min_nodes ({self.min_nodes}) is more than max_nodes ({self.max_nodes})")
        return self
