"""A dataset: files in a datastore, and what stands for them on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, model_validator

from azml_tasks.model.base import MisfitError, Model, Sequence, is_unresolved
from azml_tasks.model.names import DatastoreName, InputName

ColumnType = Literal["string", "long", "float", "boolean", "datetime"]


def _check_separator(separator: str) -> None:
    """Refuse what the SDK refuses; raises MisfitError."""
    if (len(separator) == 1 and separator.isascii()) or is_unresolved(separator):
        return
    bare = separator.strip(" ")
    tab = separator.lower() in {r"\t", "tab"}
    meant = r'"\t" in double quotes' if tab else f"'{bare}'" if len(bare) == 1 and bare.isascii() else ""
    rule = "a separator is exactly one ASCII character"
    raise MisfitError("separator", f"{rule}, not '{separator}'{f'; did you mean {meant}?' if meant else ''}")


class Dataset(Model):
    """A registered dataset; without `datastore_name` and `path` it is taken to exist in the workspace."""

    datastore_name: DatastoreName | None = Field(None, description="The datastore that holds the files.")
    path: str | Annotated[Sequence[str], Field(min_length=1)] | None = Field(
        None, description="Path in the datastore, or several; `*` and `**` are allowed."
    )
    local_path: str | None = Field(
        None, description="The file or folder that stands for it on this machine, relative to this file."
    )
    type: Literal["tabular", "file"] = Field("tabular", description="Rows of a table, or files as they are.")
    mode: Literal["direct", "mount", "download"] = Field(
        "direct", description="What its argument gives the script: an id (direct) or a path (mount, download)."
    )
    format: Literal["delimited", "parquet"] = Field("delimited", description="What a tabular dataset's files are.")
    separator: str | None = Field(None, description="Between the columns of a delimited file; by default a comma.")
    set_column_types: Mapping[str, ColumnType] = Field({}, description="Column: its type, instead of a guess.")
    support_multi_line: bool = Field(False, description="Whether quoted fields hold line breaks.")
    version: Annotated[int, Field(ge=1)] | Literal["latest"] = Field(
        "latest", description="A registered version, or `latest`."
    )
    name: InputName | None = Field(None, description="Its name in the run; by default the dataset's name.")
    description: str | None = Field(None, description="Stored with the registered dataset.")
    tags: Mapping[str, str] = Field({}, description="Stored with the registered dataset.")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Dataset:
        if (self.datastore_name is None) != (self.path is None):
            given, missing = ("path", "datastore_name") if self.path is not None else ("datastore_name", "path")
            raise MisfitError(given, f"{given} needs {missing} beside it: both say where the files lie")
        if self.type == "tabular" and self.mode != "direct":
            raise MisfitError(
                "mode", f"mode: {self.mode} needs type: file; Azure mounts and downloads files, not tables"
            )
        for key in ("format", "separator", "set_column_types", "support_multi_line"):
            if self.type == "file" and key in self.model_fields_set:
                raise MisfitError(key, f"{key} belongs to a tabular dataset; this one has type: file")
        if self.separator is not None:
            _check_separator(self.separator)
        for key in ("separator", "support_multi_line"):
            if self.format == "parquet" and key in self.model_fields_set:
                raise MisfitError(key, f"{key} belongs to delimited files; this dataset has format: parquet")
        return self

    @property
    def is_declared(self) -> bool:
        """Whether the file says where its data lie, so that it can be registered."""
        return self.path is not None

    @property
    def paths(self) -> tuple[str, ...]:
        """Its paths in the datastore."""
        if self.path is None:
            return ()
        return (self.path,) if isinstance(self.path, str) else self.path
