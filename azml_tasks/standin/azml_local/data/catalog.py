"""The datasets of a local run: declared by pipeline.yaml, registered by scripts, and the inputs of the step."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

from .. import records
from ..context import Context, did_you_mean, require_context
from ..errors import UserErrorException, is_in_job
from ..formats import registered
from ..formats.files import local_paths
from ..names import provided
from ..reads import fact, quietly

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, Protocol, TypeVar

    from ..protocols import Json, SomeWorkspace

    class SomeDataset(Protocol):
        """A dataset, which is defined above this."""

        _definition: Json
        _registration: Registration | None

        @property
        def id(self) -> str | None: ...
        @property
        def version(self) -> int | None: ...

    D = TypeVar("D", bound=SomeDataset)


class Datasets(Mapping[str, "Any"]):
    """The datasets by name, as `workspace.datasets`."""

    def __init__(self, workspace: SomeWorkspace) -> None:
        self._workspace = workspace

    def __getitem__(self, name: str) -> Any:
        try:
            return get_by_name(self._workspace, name)
        except UserErrorException as error:
            raise UnknownNameError(str(error)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_names(require_context("workspace.datasets")))

    def __len__(self) -> int:
        return len(_names(require_context("workspace.datasets")))

    def __repr__(self) -> str:
        return f"Datasets({', '.join(self)})"


class UnknownNameError(KeyError):
    """A KeyError whose text is a sentence, not the text's repr."""

    def __str__(self) -> str:
        return str(self.args[0])


def get_by_name(workspace: SomeWorkspace, name: str, version: int | str | None = "latest") -> Any:
    """Return a dataset by its name and version; raises UserErrorException if it does not exist."""
    context = require_context("Dataset.get_by_name")
    versions = _versions(context, workspace, name)
    if not versions and is_in_job():
        raise UserErrorException(
            f"no dataset {name!r}: a job on Azure ML v2 has only those that its step lists in input_datasets; add it "
            f"there{did_you_mean(name, _names(context))}"
        )
    if not versions:
        known = [known for known in _names(context) if known != name]
        raise UserErrorException(
            f"no dataset {name!r}: it is not declared in pipeline.yaml and no step has registered it"
            f"{did_you_mean(name, known)}"
        )
    if version is None or version == "latest":
        return versions[max(versions)]
    try:
        wanted = int(version)
    except (TypeError, ValueError):
        raise UserErrorException(f"{version!r} is not a dataset version; use a number or 'latest'") from None
    if wanted not in versions:
        there = ", ".join(map(str, sorted(versions)))
        raise UserErrorException(f"no version {wanted} of the dataset {name!r} on this machine; available: {there}")
    return versions[wanted]


def get_by_id(workspace: SomeWorkspace, saved_id: str) -> Any:
    """Return a dataset by its id; raises UserErrorException if it does not exist."""
    context = require_context("Dataset.get_by_id")
    for name in _names(context):
        for dataset in _versions(context, workspace, name).values():
            if dataset.id == saved_id:
                return dataset
    for name in context.inputs:
        found = of_input(context, workspace, name)
        if not isinstance(found, str) and found.id == saved_id:
            return found
    raise UserErrorException(f"no dataset with the id {saved_id!r} in this project")


# A file system takes no longer names.
_LONGEST_NAME = 255


@quietly
def register(
    dataset: SomeDataset,
    workspace: SomeWorkspace,
    name: str,
    description: str | None,
    tags: Mapping[str, object] | None,
    create_new_version: bool,
) -> Any:
    """Register a dataset under a name; the same one again makes no new version."""
    context = require_context("dataset.register")
    if is_in_job():
        raise UserErrorException(
            f"the dataset {name!r} cannot be registered in a job on Azure ML v2; write its files to an output folder "
            "with register_on_complete"
        )
    if not name or len(os.path.basename(_folder(context, name))) > _LONGEST_NAME:
        wrong = f"'{name[:60]}...' is too long" if name else "it is empty"
        raise UserErrorException(f"not a valid name of a dataset: {wrong}")
    versions = _versions(context, workspace, name)
    same = next((known for known in versions.values() if known._definition == dataset._definition), None)
    if same is not None:
        return same
    if versions and not create_new_version:
        raise UserErrorException(
            f"the dataset {name!r} already exists; pass create_new_version=True to register a new version"
        )
    described = {
        "id": definition_id({"name": name, "definition": dataset._definition}),
        "name": name,
        "description": description,
        "tags": _texts(tags or {}),
        "definition": _moved(dataset._definition, registered.portable, context),
    }
    folder = _folder(context, name)
    version = registered.add_version(folder, max(versions, default=0) + 1, lambda path: records.write(path, described))
    records.record_read(os.path.join(folder, f"{version}.json"))
    return get_by_name(workspace, name, version)


def update(dataset: D, **more: Any) -> D:
    """Change the description or the tags of a registered version."""
    registration = dataset._registration
    if registration is None or registration.name is None or registration.version is None:
        raise UserErrorException("register the dataset before changing its description or tags")
    path = os.path.join(_folder(require_context("dataset.update"), registration.name), f"{registration.version}.json")
    changed = {key: value for key, value in more.items() if value is not None}
    if "tags" in changed:
        changed["tags"] = _texts(changed["tags"])
    described = records.load(path)
    if described:
        records.write(path, {**described, **changed})
    for key, value in changed.items():
        setattr(registration, key, value)
    return dataset


def unregister(dataset: SomeDataset) -> None:
    """Forget the registered versions of a dataset's name."""
    import shutil

    if dataset._registration is not None and dataset._registration.name is not None:
        shutil.rmtree(
            _folder(require_context("dataset.unregister_all_versions"), dataset._registration.name), ignore_errors=True
        )


def of_input(context: Context, workspace: SomeWorkspace, name: str) -> SomeDataset | str:
    """Return the value of an input in `run.input_datasets`: a dataset, or a path."""
    described = context.inputs[name]
    if described["kind"] == "dataset":
        declared = context.datasets[described["dataset"]]
        if "path" in described:
            return str(described["path"])
        return _declared(workspace, described["dataset"], declared)
    if described["kind"] == "folder":
        return str(described["path"])
    if described["kind"] == "mltable":
        return _registered_by_v1(workspace, described["dataset"], described["path"])
    # A step's output read as delimited gives texts: azureml-core 1.61, TransformationMixin.read_delimited_files.
    reading = {"format": described["format"], "infer": False, "separator": described.get("separator") or ","}
    definition = {"kind": "tabular", "paths": [described["path"]], "reading": reading, "steps": []}
    return _made(definition, Registration(workspace, None))


def _registered_by_v1(workspace: SomeWorkspace, name: str, address: str) -> SomeDataset:
    """Return a table of which a job of Azure ML v2 only has the address of its MLTable."""
    try:
        import mltable
    except ImportError:
        raise UserErrorException(
            f"the dataset {name!r} is one that SDK v1 registered; reading it in a job on Azure ML v2 requires the "
            "package mltable: add it to the environment, or declare the dataset with datastore_name and path"
        ) from None
    from . import sources

    path = os.path.join(sources.for_this_step(), "table.parquet")
    mltable.load(address).to_pandas_dataframe().to_parquet(path, index=False)
    definition = {"kind": "tabular", "paths": [path], "reading": {"format": "parquet"}, "steps": []}
    return _made(definition, Registration(workspace, definition_id({"dataset": name}), name))


def _declared(workspace: SomeWorkspace, name: str, declared: Json) -> SomeDataset:
    paths = declared.get("local_paths") or local_paths(declared["local_path"], declared.get("path") or [])
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


def _made(definition: Json, registration: Registration) -> SomeDataset:
    kind = provided("FileDataset" if definition["kind"] == "file" else "TabularDataset")
    made: SomeDataset = kind._create(definition, registration)
    return made


def _moved(definition: Json, move: Callable[[str, str], str], context: Context) -> Json:
    """Return a definition with its paths as they are recorded, or where the project is now."""
    project = os.path.dirname(context.state_dir)
    return {**definition, "paths": [move(path, project) for path in definition["paths"]]}


def _versions(context: Context, workspace: SomeWorkspace, name: str) -> dict[int, SomeDataset]:
    fact(f"datasets/{name}")
    versions: dict[int, SomeDataset] = {}
    if name in context.datasets:
        declared = _declared(workspace, name, context.datasets[name])
        versions[declared.version or 1] = declared
    folder = _folder(context, name) if _has_any(context) else os.path.join(_root(context), str(name))
    for number, file in registered.versions(folder):
        described = records.load(file)
        if not _is_whole(described):
            records.pass_over(file)
            continue
        registration = Registration(
            workspace, described["id"], name, number, described["description"], described["tags"]
        )
        versions[number] = _made(_moved(described["definition"], registered.of_project, context), registration)
    return versions


@quietly
def _has_any(context: Context) -> bool:
    return os.path.isdir(_root(context))


def _texts(tags: Mapping[str, object]) -> dict[str, str | None]:
    """Return tags as the service keeps them: as texts."""
    return {key: value if value is None else str(value) for key, value in tags.items()}


def _is_whole(described: Json) -> bool:
    """Return whether a record is a valid dataset."""
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
    return sorted({*context.datasets, *registered.names(folder)})


def _root(context: Context) -> str:
    return os.path.join(context.state_dir, "datasets")


def _folder(context: Context, name: str) -> str:
    return registered.folder_of(_root(context), name)


class Named(dict[str, "Any"]):
    """Inputs or outputs by name; a name that is not there gets a sentence."""

    def __init__(self, what: str, values: Json) -> None:
        super().__init__(values)
        self._what = what

    def __missing__(self, name: str) -> NoReturn:
        known = ", ".join(self) or f"no {self._what}"
        raise UnknownNameError(f"this step has no {self._what} {name!r}; it has {known}{did_you_mean(name, self)}")


def input_datasets(context: Context, workspace: SomeWorkspace) -> Named:
    """Return the step's inputs by name: datasets, and the paths of what is mounted, downloaded or a folder."""
    return Named("input", {name: of_input(context, workspace, name) for name in context.inputs})


def output_datasets(context: Context) -> Named:
    """Return the folders that the step writes, by name."""
    return Named("output", dict(context.outputs))


_NAMESPACE = "7d0d7f4c-3c0f-5a8e-9d5a-6a1f0c9be7a1"


class Registration:
    """The name and version of a dataset."""

    def __init__(
        self,
        workspace: SomeWorkspace,
        saved_id: str | None,
        name: str | None = None,
        version: int | None = None,
        description: str | None = None,
        tags: dict[str, Any] | None = None,
    ) -> None:
        self.workspace = workspace
        self.id = saved_id
        self.name = name
        self.version = version
        self.description = description
        self.tags = dict(tags or {})


def definition_id(definition: Json) -> str:
    """Return the id of a dataset's definition: the same for the same files, reading and operations."""
    import uuid

    return str(uuid.uuid5(uuid.UUID(_NAMESPACE), json.dumps(definition, sort_keys=True, default=str)))
