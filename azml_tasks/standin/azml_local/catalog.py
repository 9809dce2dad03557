"""The datasets of a local run: those that pipeline.yaml declares, and those that scripts have registered.

A registered version is a file, `<state>/datasets/<name>/<version>.json`, that is written whole or not at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from . import records
from .context import Context, did_you_mean, here
from .dataset import AbstractDataset, Registration, definition_id
from .errors import UserErrorException
from .files import FileDataset
from .formats.files import local_paths
from .reads import fact, quietly
from .tabular import TabularDataset

# Stands for the project's folder in what is written, so that the project can be moved.
_PROJECT = "${project}"


class Datasets(Mapping):
    """The datasets by name, as `workspace.datasets`."""

    def __init__(self, workspace) -> None:
        self._workspace = workspace

    def __getitem__(self, name):
        try:
            return get_by_name(self._workspace, name)
        except UserErrorException as error:
            raise UnknownNameError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_names(here("workspace.datasets")))

    def __len__(self) -> int:
        return len(_names(here("workspace.datasets")))

    def __repr__(self) -> str:
        return f"Datasets({', '.join(self)})"


class UnknownNameError(KeyError):
    """A KeyError whose text is a sentence, not the text's repr."""

    def __str__(self) -> str:
        return str(self.args[0])


def get_by_name(workspace, name: str, version="latest") -> AbstractDataset:
    """Return a dataset by its name and version; raises UserErrorException when there is none."""
    context = here("Dataset.get_by_name")
    versions = _versions(context, workspace, name)
    if not versions:
        known = _names(context)
        raise UserErrorException(
            f"there is no dataset {name!r}: pipeline.yaml does not declare it and no step has registered it"
            f"{did_you_mean(name, known)}"
        )
    if version in (None, "latest"):
        return versions[max(versions)]
    try:
        wanted = int(version)
    except (TypeError, ValueError):
        raise UserErrorException(f"{version!r} is no version of a dataset; give a number or 'latest'") from None
    if wanted not in versions:
        there = ", ".join(map(str, sorted(versions)))
        raise UserErrorException(
            f"there is no version {wanted} of the dataset {name!r} on this machine; there is {there}"
        )
    return versions[wanted]


def get_by_id(workspace, saved_id: str) -> AbstractDataset:
    """Return a dataset by its id; raises UserErrorException when there is none."""
    context = here("Dataset.get_by_id")
    for name in _names(context):
        for dataset in _versions(context, workspace, name).values():
            if dataset.id == saved_id:
                return dataset
    for name in context.inputs:
        dataset = of_input(context, workspace, name)
        if isinstance(dataset, AbstractDataset) and dataset.id == saved_id:
            return dataset
    raise UserErrorException(f"there is no dataset with the id {saved_id!r} in this project")


@quietly
def register(dataset, workspace, name, description, tags, create_new_version) -> AbstractDataset:
    """Register a dataset under a name; the same one again makes no new version."""
    context = here("dataset.register")
    versions = _versions(context, workspace, name)
    same = next((known for known in versions.values() if known._definition == dataset._definition), None)
    if same is not None:
        return same
    if versions and not create_new_version:
        raise UserErrorException(
            f"there is a dataset {name!r} already; pass create_new_version=True to register another version"
        )
    described = {
        "id": definition_id({"name": name, "definition": dataset._definition}),
        "name": name,
        "description": description,
        "tags": _texts(tags or {}),
        "definition": _portable(context, dataset._definition),
    }
    folder = _folder(context, name)
    version = _write_new(folder, max(versions, default=0) + 1, described)
    records.note(os.path.join(folder, f"{version}.json"))
    return get_by_name(workspace, name, version)


def update(dataset, **more) -> AbstractDataset:
    """Change the description or the tags of a registered version."""
    registration = dataset._registration
    if registration is None or registration.version is None:
        raise UserErrorException("a dataset is registered before its description or tags are changed")
    path = os.path.join(_folder(here("dataset.update"), registration.name), f"{registration.version}.json")
    changed = {key: value for key, value in more.items() if value is not None}
    if "tags" in changed:
        changed["tags"] = _texts(changed["tags"])
    described = records.load(path)
    if described:
        records.write(path, {**described, **changed})
    for key, value in changed.items():
        setattr(registration, key, value)
    return dataset


def unregister(dataset) -> None:
    """Forget the registered versions of a dataset's name."""
    import shutil

    if dataset._registration is not None and dataset._registration.name is not None:
        shutil.rmtree(_folder(here("dataset.unregister_all_versions"), dataset._registration.name), ignore_errors=True)


def of_input(context: Context, workspace, name: str):
    """Return what `run.input_datasets` gives for an input: a dataset, or a path."""
    described = context.inputs[name]
    if described["kind"] == "dataset":
        declared = context.datasets[described["dataset"]]
        if "path" in described:
            return described["path"]
        return _declared(workspace, described["dataset"], declared)
    if described["kind"] == "folder":
        return described["path"]
    # A step's output read as delimited gives texts: azureml-core 1.61, TransformationMixin.read_delimited_files.
    reading = {"format": described["format"], "infer": False, "separator": described.get("separator") or ","}
    definition = {"kind": "tabular", "paths": [described["path"]], "reading": reading, "steps": []}
    return TabularDataset._create(definition, Registration(workspace, None))


def _declared(workspace, name: str, declared: dict) -> AbstractDataset:
    paths = local_paths(declared["local_path"], declared.get("path") or [])
    definition = {"kind": declared.get("type", "tabular"), "paths": paths, "steps": []}
    if definition["kind"] == "tabular":
        types = declared.get("set_column_types") or {}
        definition["reading"] = {
            "format": declared.get("format") or "delimited",
            "separator": "," if declared.get("separator") is None else declared["separator"],
            "types": {column: {"name": kind} for column, kind in types.items()},
            "multi_line": bool(declared.get("support_multi_line")),
        }
    version = declared.get("version")
    registration = Registration(
        workspace,
        declared["id"],
        name,
        version if isinstance(version, int) else 1,
        declared.get("description"),
        declared.get("tags"),
    )
    return _made(definition, registration)


def _made(definition: dict, registration: Registration) -> AbstractDataset:
    kind = FileDataset if definition["kind"] == "file" else TabularDataset
    return kind._create(definition, registration)


def _portable(context: Context, definition: dict) -> dict:
    """Return a definition whose paths are those of the project wherever that lies, as far as they are in it."""
    project = os.path.dirname(context.state_dir)
    return {
        **definition,
        "paths": [
            _PROJECT + path[len(project) :] if path.startswith(os.path.join(project, "")) else path
            for path in definition["paths"]
        ],
    }


def _of_here(context: Context, definition: dict) -> dict:
    project = os.path.dirname(context.state_dir)
    paths = [project + path[len(_PROJECT) :] if path.startswith(_PROJECT) else path for path in definition["paths"]]
    return {**definition, "paths": paths}


def _versions(context: Context, workspace, name: str) -> dict[int, AbstractDataset]:
    fact(f"datasets/{name}")
    versions: dict[int, AbstractDataset] = {}
    if name in context.datasets:
        declared = _declared(workspace, name, context.datasets[name])
        versions[declared.version] = declared
    folder = _folder(context, name) if _has_any(context) else os.path.join(_root(context), str(name))
    for file in os.listdir(folder) if os.path.isdir(folder) else []:
        stem, extension = os.path.splitext(file)
        if extension == ".json" and stem.isdigit():
            described = records.load(os.path.join(folder, file))
            if not _is_whole(described):
                records.pass_over(os.path.join(folder, file))
                continue
            registration = Registration(
                workspace, described["id"], name, int(stem), described["description"], described["tags"]
            )
            versions[int(stem)] = _made(_of_here(context, described["definition"]), registration)
    return versions


@quietly
def _has_any(context: Context) -> bool:
    return os.path.isdir(_root(context))


def _texts(tags: dict) -> dict[str, str | None]:
    """Return tags as the service keeps them: as texts."""
    return {key: value if value is None else str(value) for key, value in tags.items()}


def _is_whole(described: dict) -> bool:
    """Say whether a record has what a dataset is made of."""
    definition, tags, text = (described.get(key) for key in ("definition", "tags", "description"))
    if not isinstance(described.get("id"), str) or not isinstance(definition, dict) or not isinstance(tags, dict):
        return False
    paths, reading = definition.get("paths"), definition.get("reading", {})
    are_texts = isinstance(paths, list) and all(isinstance(path, str) for path in paths)
    kinds = isinstance(definition.get("kind"), str) and isinstance(definition.get("steps"), list)
    return are_texts and kinds and isinstance(reading, dict) and (text is None or isinstance(text, str))


def _names(context: Context) -> list[str]:
    fact("datasets")
    folder = _root(context)
    if not os.path.isdir(folder):
        return sorted(context.datasets)
    from urllib.parse import unquote

    return sorted({*context.datasets, *map(unquote, os.listdir(folder))})


def _root(context: Context) -> str:
    return os.path.join(context.state_dir, "datasets")


def _folder(context: Context, name: str) -> str:
    from urllib.parse import quote

    return os.path.join(_root(context), quote(str(name), safe=" ").replace(".", "%2E"))


def _write_new(folder: str, version: int, described: dict) -> int:
    """Write a version's file under the first number that is free from `version` on; returns the number."""
    import time

    written = os.path.join(folder, f".{os.getpid()}.{time.monotonic_ns()}")
    records.write(written, described)
    try:
        while True:
            try:
                os.link(written, os.path.join(folder, f"{version}.json"))
            except FileExistsError:
                version += 1
            else:
                return version
    finally:
        os.unlink(written)
