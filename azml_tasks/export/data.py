"""Data assets ("CLI (v2) data YAML schema", "CLI (v2) mltable YAML schema"), and how a pipeline reads them.

A table of v1 is an `mltable`, files are `uri_file` or `uri_folder` ("Upgrade data management to SDK v2"). What v1 has
registered can be read in v2 as an `mltable`: `direct` for a table, `eval_mount` for files ("Read and write data in a
job", Read V1 data assets).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from azml_tasks.export.document import document
from azml_tasks.model import Dataset
from azml_tasks.model.base import is_unresolved
from azml_tasks.reading import Project

AssetType = Literal["uri_file", "uri_folder", "mltable"]
_PATTERN = re.compile(r"[*?\[]")
_COLUMN_TYPES = {"string": "string", "long": "int", "float": "float", "boolean": "boolean"}
# How many rows SDK v1 looks at to find the types of columns.
_SAMPLE = 200


@dataclass(frozen=True)
class DataInput:
    """How a pipeline reads a dataset; without a mode it is mounted, read-only."""

    type: AssetType
    path: str
    mode: str | None = None

    @property
    def keys(self) -> dict[str, str | None]:
        """The keys of the pipeline's input."""
        return {"type": self.type, "path": self.path, "mode": self.mode}


def is_table(project: Project, name: str) -> bool:
    """Say whether a dataset is a table, which one that the file does not declare is taken for."""
    return (project.pipeline.datasets.get(name) or Dataset()).type == "tabular"


def data_input(project: Project, name: str, asset: str) -> DataInput:
    """Return how the pipeline reads the dataset; `asset` is what v2 calls it."""
    dataset = project.pipeline.datasets.get(name) or Dataset()
    if not dataset.is_declared or dataset.version != "latest":
        version = "@latest" if dataset.version == "latest" else f":{dataset.version}"
        return DataInput("mltable", f"azureml:{name}{version}", _mode(dataset, "mltable") or "direct")
    asset_type = asset_type_of(dataset, project.directory)
    return DataInput(asset_type, f"azureml:{asset}@latest", _mode(dataset, asset_type))


def _mode(dataset: Dataset, asset_type: AssetType) -> str | None:
    """Return the mode that gives the script the files, None for the usual one."""
    if dataset.type == "tabular":
        return None
    if asset_type == "mltable":
        return "eval_download" if dataset.mode == "download" else "eval_mount"
    return "download" if dataset.mode == "download" else None


def asset_type_of(dataset: Dataset, directory: Path) -> AssetType:
    """Return the type of a declared dataset's asset."""
    if dataset.type == "tabular" or len(dataset.paths) > 1 or _PATTERN.search(dataset.paths[0]):
        return "mltable"
    path = dataset.paths[0]
    if path.endswith("/"):
        return "uri_folder"
    if PurePosixPath(path).suffix:
        return "uri_file"
    local = dataset.local_path
    return "uri_file" if local and (directory / local).is_file() else "uri_folder"


def data_files(project: Project, name: str, asset: str) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a declared dataset by their path under `data/`."""
    dataset = project.pipeline.datasets[name]
    asset_type = asset_type_of(dataset, project.directory)
    path = asset
    if asset_type == "mltable":
        yield f"{asset}/MLTable", document("MLTable", _table(project, dataset))
    else:
        path = f"azureml://datastores/{dataset.datastore_name}/paths/{dataset.paths[0].lstrip('/')}"
    keys = {
        "name": asset,
        "type": asset_type,
        "path": path,
        "description": dataset.description,
        "tags": dict(dataset.tags) or None,
    }
    yield f"{asset}.yml", document("data", keys)


def is_workspace_known(project: Project) -> bool:
    """Say whether the file names the workspace in full, and the variables by which it does are set."""
    return all(name is not None and not is_unresolved(name) for name in _workspace(project))


def _workspace(project: Project) -> tuple[str | None, str | None, str | None]:
    pipeline = project.pipeline
    return pipeline.subscription_id, pipeline.resource_group, pipeline.ws_name


def untyped_columns(dataset: Dataset) -> list[str]:
    """Return the columns whose stated type an MLTable cannot state: dates, without their format."""
    return [column for column, kind in dataset.set_column_types.items() if kind not in _COLUMN_TYPES]


def _table(project: Project, dataset: Dataset) -> dict[str, Any]:
    # An MLTable is documented to take addresses with the workspace.
    workspace = ""
    if is_workspace_known(project):
        workspace = "subscriptions/{}/resourcegroups/{}/workspaces/{}/".format(*_workspace(project))
    address = f"azureml://{workspace}datastores/{dataset.datastore_name}/paths/"
    places = [{_kind(path, project, dataset): f"{address}{path.lstrip('/')}"} for path in dataset.paths]
    return {"type": "mltable", "paths": places, "transformations": _transformations(dataset) or None}


def _kind(path: str, project: Project, dataset: Dataset) -> str:
    if _PATTERN.search(path):
        return "pattern"
    one = dataset.model_copy(update={"path": path, "type": "file"})
    return "folder" if asset_type_of(one, project.directory) == "uri_folder" else "file"


def _transformations(dataset: Dataset) -> list[dict[str, Any]]:
    if dataset.type == "file":
        return []
    types = [
        {"columns": [column], "column_type": _COLUMN_TYPES[kind]}
        for column, kind in dataset.set_column_types.items()
        if kind in _COLUMN_TYPES
    ]
    if dataset.format == "parquet":
        read: dict[str, Any] = {"read_parquet": {"include_path_column": False}}
        return [read, {"convert_column_types": types}] if types else [read]
    # Types that are stated take the place of a guess: a text such as 007 is not read as a number first.
    guess = {"sample_size": _SAMPLE, "column_type_overrides": types} if types else True
    keys = {
        "delimiter": dataset.separator or ",",
        "encoding": "utf8",
        "header": "all_files_same_headers",
        "infer_column_types": guess,
        "support_multi_line": dataset.support_multi_line,
    }
    return [{"read_delimited": keys}]
