"""The assets of a workspace: data, environments, datastores and compute clusters, as v2 has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from azml_tasks.export import launcher
from azml_tasks.export.document import asset_name, document, plain_document
from azml_tasks.lock.lockfile import current_lock
from azml_tasks.model import Compute, Dataset, Datastore, Environment
from azml_tasks.model.base import is_unresolved
from azml_tasks.reading import Project
from azml_tasks.reading.environment import conda
from azml_tasks.reading.environment.conda import environment_text

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
    """Return whether a dataset is a table; undeclared ones are."""
    return (project.pipeline.datasets.get(name) or Dataset()).type == "tabular"


def data_input(project: Project, name: str, asset: str) -> DataInput:
    """Return how the pipeline reads the dataset; `asset` is what v2 calls it."""
    dataset = project.pipeline.datasets.get(name) or Dataset()
    if not dataset.is_declared or dataset.version != "latest":
        version = "@latest" if dataset.version == "latest" else f":{dataset.version}"
        return DataInput("mltable", f"azureml:{name}{version}", _mode(dataset, "mltable") or "direct")
    asset_type = asset_type_of(dataset, project.directory)
    return DataInput(asset_type, f"azureml:{asset}@latest", _mode(dataset, asset_type))


def carried_inputs(project: Project, name: str) -> tuple[DataInput, ...]:
    """Return how the pipeline reads the dataset for the stand-in for azureml: a file or a folder for each path.

    What only v1 has registered is read as by other scripts.
    """
    dataset = launcher.dataset_of(project.pipeline, name)
    if launcher.is_in_v1(dataset):
        return (data_input(project, name, name),)
    return tuple(_place(project, dataset, path) for path in dataset.paths)


def _place(project: Project, dataset: Dataset, path: str) -> DataInput:
    fixed = launcher.fixed_folder(path)
    place = f"azureml://datastores/{dataset.datastore_name}/paths/{fixed.lstrip('/')}"
    kind: AssetType = "uri_folder" if fixed != path else _plain_type(dataset, path, project.directory)
    return DataInput(kind, place, "download" if dataset.mode == "download" else None)


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
    return _plain_type(dataset, dataset.paths[0], directory)


def _plain_type(dataset: Dataset, path: str, directory: Path) -> Literal["uri_file", "uri_folder"]:
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
    """Return whether the file names the workspace in full, and the variables by which it does are set."""
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
    # Declared types replace detection: a text such as 007 is not first read as a number.
    guess = {"sample_size": _SAMPLE, "column_type_overrides": types} if types else True
    keys = {
        "delimiter": dataset.separator or ",",
        "encoding": "utf8",
        "header": "all_files_same_headers",
        "infer_column_types": guess,
        "support_multi_line": dataset.support_multi_line,
    }
    return [{"read_delimited": keys}]


# The image that SDK v1 uses by default (azureml-core, DEFAULT_CPU_IMAGE), in its newest build.
DEFAULT_IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest"
# Where an environment's packages are in the image, and on PATH, as the Dockerfiles of curated environments have it.
_CONDA_FOLDER = "/azureml-envs/packages"
_CURATED = "azureml-"


def is_curated(name: str) -> bool:
    """Return whether a name is one of Microsoft's environments."""
    return name.lower().startswith(_CURATED)


def environment_reference(declared: Mapping[str, Environment], name: str) -> str:
    """Return how a component names an environment; curated ones live in Microsoft's registry ("CLI (v2) core YAML
    syntax", and "Azure Machine Learning Curated Environments").
    """
    if name in declared:
        return f"azureml:{name}@latest"
    base, _, version = name.partition("@")
    newest = version in ("", "latest")
    if is_curated(base):
        return f"azureml://registries/azureml/environments/{base}/" + (
            "labels/latest" if newest else f"versions/{version}"
        )
    return f"azureml:{base}@latest" if newest else f"azureml:{base}:{version}"


def environment_files(
    project: Project, name: str, environment: Environment, needed: Iterable[str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the files of an environment by their path under `environments/`.

    `needed` are pip packages that its scripts cannot do without. Raises ProjectError for a file that cannot be read.
    """
    stated: dict[str, object] = {"name": name}
    place = asset_name(name)
    packages = None
    if not conda.has_own_python(environment):
        lock = current_lock(project.plan, name, project.directory, in_a_job=True)
        # What only the scripts show to be needed may be missing in the lock; a remark says so.
        pins = [*lock.pins, *lock.lacks(needed)] if lock else ()
        packages = plain_document(conda.conda_specification(environment, project.directory, needed, pins))
        yield f"{place}/conda.yml", packages
    if environment.dockerfile:
        dockerfile = environment_text(project.directory, environment.dockerfile)
        if packages is not None:
            dockerfile = f"{dockerfile.rstrip()}\n\n{_ADDED}"
        yield f"{place}/Dockerfile", dockerfile.encode()
        stated["build"] = {"path": place, "dockerfile_path": "Dockerfile"}
    else:
        stated["image"] = environment.base_image or DEFAULT_IMAGE
        stated["conda_file"] = f"{place}/conda.yml" if packages is not None else None
    yield f"{place}.yml", document("environment", stated)


# v2 builds packages on an image, and none on a Dockerfile.
_ADDED = f"""\
# The packages of the environment, which v1 added automatically.
COPY conda.yml /tmp/conda.yml
RUN conda env create --prefix {_CONDA_FOLDER} --file /tmp/conda.yml && conda clean --all --yes
ENV PATH={_CONDA_FOLDER}/bin:$PATH
"""


def datastore_file(name: str, datastore: Datastore) -> bytes:
    """Return the file of a datastore; no secret is ever in it."""
    return document(
        "azureBlob",
        {
            "name": name,
            "type": "azure_blob",
            "account_name": datastore.account_name,
            "container_name": datastore.container_name,
        },
    )


def datastore_remark(name: str, datastore: Datastore, file: str) -> str | None:
    """Describe how to set the secret of the datastore, if pipeline.yaml has one."""
    for key, variable in datastore.secret_variables.items():
        return (
            f"datastore '{name}': its secret is not exported; set it when you create the datastore: "
            f'az ml datastore create --file {file} --set credentials.{key}="${variable}"'
        )
    return None


_TIERS = {"dedicated": "dedicated", "lowpriority": "low_priority"}


def compute_file(name: str, compute: Compute) -> bytes:
    """Return the file of a cluster."""
    return document(
        "amlCompute",
        {
            "name": name,
            "type": "amlcompute",
            "size": compute.vm_size,
            "tier": _TIERS.get(compute.vm_priority, compute.vm_priority),
            "min_instances": compute.min_nodes,
            "max_instances": compute.max_nodes,
            "idle_time_before_scale_down": compute.idle_seconds_before_scaledown,
        },
    )
