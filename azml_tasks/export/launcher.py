"""The program that starts a v1 script in a job of Azure ML v2, as one file in the step's code.

The file is a zip that Python runs: `azml_tasks/launcher/`, the stand-in for azureml, and `context.json`. A job's code
is known by its content, so the file has the same bytes for the same content, whatever machine writes it.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from azml_tasks.model import Dataset, Pipeline, Step
from azml_tasks.plan import DatasetInput, Input, StepPlan, TableInput
from azml_tasks.plan.plan import dataset_description, dataset_id

# No ignore file names it: neither hidden, nor with an ending.
PROGRAM = "azml_step"
# The version of context.json, which azml_tasks/launcher/ checks.
VERSION = 2
_PACKAGE = Path(__file__).resolve().parents[1]
_MAIN = "from launcher.step import main\n\nmain()\n"
_TIME = (1980, 1, 1, 0, 0, 0)
_NOTHING: Mapping[str, str] = {}


def is_carried(pipeline: Pipeline, step: Step) -> bool:
    """Return whether the step's scripts import the stand-in, which is the default, not the SDK of their environment."""
    environment = pipeline.environments.get(pipeline.env_of(step) or "")
    return environment is None or environment.azureml == "stand-in"


def files(step: StepPlan, pipeline: Pipeline, registered: Mapping[str, str] = _NOTHING) -> dict[str, bytes]:
    """Return the files to add to a step's code, by their posix path in it."""
    return {PROGRAM: _archive({**_carried(), "context.json": _json(context_of(step, pipeline, registered))})}


def context_of(step: StepPlan, pipeline: Pipeline, registered: Mapping[str, str] = _NOTHING) -> dict[str, Any]:
    """Return what the program must know beside the paths and variables of the job.

    Only what the step itself depends on: a change ends the reuse of its results. `registered` are the addresses of
    the outputs that it registers, by the names of their data assets.
    """
    read = dict.fromkeys(item.dataset for item in step.inputs if isinstance(item, DatasetInput))
    return {
        "version": VERSION,
        "step": step.key,
        "step_name": step.label,
        "environment_name": pipeline.env_of(step.step),
        "inputs": {item.name: _described(item, pipeline) for item in step.inputs},
        "datasets": {name: dataset_description(name, dataset_of(pipeline, name)) for name in read},
        "fill": {
            str(number): token.name
            for number, token in enumerate(step.argv)
            if isinstance(token, DatasetInput) and is_filled(token, pipeline)
        },
        "register": [{"asset": name, "path": path} for name, path in registered.items()],
    }


def dataset_of(pipeline: Pipeline, name: str) -> Dataset:
    """Return a dataset as the file declares it, or one of the workspace."""
    return pipeline.datasets.get(name) or Dataset()


def is_in_v1(dataset: Dataset) -> bool:
    """Return whether the data are those that v1 registered: the file does not say where they are, or which version."""
    return not dataset.is_declared or dataset.version != "latest"


def is_filled(item: DatasetInput, pipeline: Pipeline) -> bool:
    """Return whether the program makes the folder that an argument names, of the files that match its paths."""
    dataset = dataset_of(pipeline, item.dataset)
    return item.mode != "direct" and not is_in_v1(dataset) and (len(dataset.paths) > 1 or "*" in dataset.paths[0])


def fixed_folder(path: str) -> str:
    """Return the part of a path in a datastore that is mounted: the path itself, or the folder above its wildcards."""
    if "*" not in path:
        return path
    return path[: path.index("*")].rpartition("/")[0] + "/"


def value_of(item: Input, pipeline: Pipeline) -> str | None:
    """Return the value of an input's argument if it is not the path of the input.

    It is the id of what is read by its name, as in v1, or a text that the program replaces.
    """
    if isinstance(item, TableInput):
        return dataset_id(f"{item.output.step}/{item.output.name}")
    if isinstance(item, DatasetInput) and item.mode == "direct":
        return dataset_id(item.dataset)
    return item.name if isinstance(item, DatasetInput) and is_filled(item, pipeline) else None


def _described(item: Input, pipeline: Pipeline) -> dict[str, Any]:
    if isinstance(item, TableInput):
        return {"kind": "table", "format": item.format}
    if not isinstance(item, DatasetInput):
        return {"kind": "folder"}
    dataset = dataset_of(pipeline, item.dataset)
    if is_in_v1(dataset):
        return {"kind": "mltable" if dataset.type == "tabular" else "dataset", "dataset": item.dataset, "places": [""]}
    # Where the paths are in what is mounted for each of them.
    return {"kind": "dataset", "dataset": item.dataset, "places": [path.lstrip("/") for path in dataset.paths]}


def provides(module: str, name: str) -> bool:
    """Return whether the stand-in for azureml has a public name, as the SDK has it in that module."""
    place = f"standin/{module.replace('.', '/')}"
    source = _carried().get(f"{place}.py") or _carried().get(f"{place}/__init__.py") or b""
    return f'"{name}"'.encode() in source or f"{place}/{name}.py" in _carried()


@cache
def _carried() -> dict[str, bytes]:
    """Return the program and the stand-in, by their path in the archive."""
    found = {"__main__.py": _MAIN.encode()}
    for folder, place in (("launcher", "launcher"), ("standin", "standin")):
        for file in _sources(_PACKAGE / folder):
            path = f"{place}/{file.relative_to(_PACKAGE / folder).as_posix()}"
            found[path] = file.read_bytes().replace(b"\r\n", b"\n")
    return found


def _sources(folder: Path) -> Iterator[Path]:
    # `sitecustomize` starts what only local runs have: the guard of inputs, and the record of reads.
    return (file for file in folder.rglob("*.py") if file.name != "sitecustomize.py")


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _archive(contents: dict[str, bytes]) -> bytes:
    """Return a zip of the contents; not compressed, since releases of zlib differ in what they write."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, content in sorted(contents.items()):
            information = zipfile.ZipInfo(path, _TIME)
            information.create_system = 3
            information.external_attr = 0o644 << 16
            archive.writestr(information, content)
    return stream.getvalue()
