"""Models: a versioned registry of files in the project."""

from __future__ import annotations

import datetime
import json
import os
import re

from ..context import did_you_mean, require_context
from ..data.abstract import AbstractDataset
from ..errors import (
    ModelNotFoundException,
    ModelPathNotFoundException,
    UserErrorException,
    WebserviceException,
    is_in_job,
    refuses,
)
from ..names import provided
from ..remarks import say_once
from . import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    import builtins
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from ..data.catalog import SomeDataset
    from ..protocols import Json, SomeRun, SomeWorkspace

    # The SDK's tags or properties that a model must have: keys, or pairs of a key and a value.
    Wanted = Sequence[str | Sequence[str | None]]

# The rule of azureml-core (_model_management/_util.py: model_name_validation).
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-._]{0,254}")
_LONGEST_SHOWN = 60


@refuses("deploy", "package", "profile", "print_configuration", "get_sas_urls", "serialize", "deserialize")
class Model:
    """A registered model: the latest version, or the requested one."""

    class Framework:
        """The framework of a model."""

        CUSTOM = "Custom"
        TENSORFLOW = "TensorFlow"
        SCIKITLEARN = "ScikitLearn"
        ONNX = "Onnx"
        TFKERAS = "TfKeras"
        PYTORCH = "PyTorch"
        MULTI = "Multi"

    def __init__(  # noqa: PLR0913, PLR0917 - the SDK's signature
        self,
        workspace: SomeWorkspace,
        name: str | None = None,
        id: str | None = None,  # noqa: A002
        tags: Wanted | None = None,
        properties: Wanted | None = None,
        version: int | str | None = None,
        run_id: str | None = None,
        model_framework: str | None = None,
        expand: bool = True,
        **kwargs: Any,
    ) -> None:
        entry = kwargs.get("_entry")
        if entry is None:
            if not name and not id:
                raise WebserviceException("a model is looked up by its name or its ID")
            entry = _find(name, id, tags, properties, version, run_id, model_framework)
        self._fill(workspace, entry)

    def _fill(self, workspace: SomeWorkspace, entry: registry.Entry) -> None:
        described = entry.described
        self._entry = entry
        self.workspace = workspace
        self.name = entry.name
        self.version = entry.version
        self.id = f"{entry.name}:{entry.version}"
        self.url = f"aml://asset/{self.id}"
        self.created_by = None
        self.created_time = datetime.datetime.fromisoformat(described["created_time"])
        self.description = described.get("description")
        self.tags = described.get("tags") or {}
        self.properties = described.get("properties") or {}
        self.model_framework = described.get("model_framework")
        self.model_framework_version = described.get("model_framework_version")
        self.experiment_name = described.get("experiment_name")
        self.run_id = described.get("run_id")
        self.mime_type = "application/x-python"
        self.unpack = False
        self.parent_id = None
        self.derived_model_ids: builtins.list[str] = []
        self.resource_configuration = None

    @property
    def run(self) -> SomeRun | None:
        """The run that registered the model, or None."""
        if self.run_id is None:
            return None
        try:
            run: SomeRun = provided("Run").get(self.workspace, self.run_id)
        except UserErrorException:  # of a run that was deleted since
            return None
        return run

    @property
    def datasets(self) -> dict[str, list[SomeDataset]]:
        """The datasets that the model was registered with, by scenario."""
        found: dict[str, list[Any]] = {}
        for scenario, saved_id in self._entry.described.get("datasets") or []:
            try:
                found.setdefault(scenario, []).append(AbstractDataset.get_by_id(self.workspace, saved_id))
            except UserErrorException:  # of a dataset that is declared no more
                continue
        return found

    @property
    def sample_input_dataset(self) -> SomeDataset | None:
        """The dataset that shows the model's input, or None."""
        return self._sample("sample_input_dataset")

    @property
    def sample_output_dataset(self) -> SomeDataset | None:
        """The dataset that shows the model's output, or None."""
        return self._sample("sample_output_dataset")

    @staticmethod
    def register(  # noqa: PLR0913, PLR0917 - the SDK's signature
        workspace: SomeWorkspace,
        model_path: str,
        model_name: str,
        tags: Mapping[str, object] | None = None,
        properties: Mapping[str, object] | None = None,
        description: str | None = None,
        datasets: Iterable[tuple[str, AbstractDataset]] | None = None,
        model_framework: str | None = None,
        model_framework_version: str | None = None,
        child_paths: list[str] | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: object = None,
    ) -> Model:
        """Register a file or folder of this machine as the next version of a model."""
        if not os.path.exists(model_path):
            raise WebserviceException(f"cannot register the model {model_name!r}: {model_path!r} does not exist")
        for child in child_paths or ():
            if not os.path.exists(os.path.join(model_path, child)):
                raise WebserviceException(f"cannot register the model {model_name!r}: no {child!r} in {model_path!r}")
        described = _described(
            model_name,
            tags=tags,
            properties=properties,
            description=description,
            datasets=datasets,
            model_framework=model_framework,
            model_framework_version=model_framework_version,
            sample_input_dataset=sample_input_dataset,
            sample_output_dataset=sample_output_dataset,
        )
        print(f"Registering model {model_name}")
        entry = registry.add(
            require_context("Model.register").models_dir, model_name, model_path, described, child_paths
        )
        return Model(workspace, _entry=entry)

    @staticmethod
    def get_model_path(model_name: str, version: int | None = None, _workspace: SomeWorkspace | None = None) -> str:
        """Return the path of a copy of a model's files, under azureml-models/ in the working directory."""
        if version is not None and not isinstance(version, int):
            raise WebserviceException("the version of a model must be a whole number")
        context = require_context("Model.get_model_path")
        if not _exists(model_name, version) and os.path.exists(model_name):
            return model_name  # the SDK too falls back on a path of the working directory
        workspace: SomeWorkspace = _workspace or provided("Workspace")._of(context)
        try:
            model = Model(workspace, model_name, version=version)
        except WebserviceException as error:
            raise ModelNotFoundException(error.message) from None
        return model.download(os.path.join("azureml-models", model.name, str(model.version)), exist_ok=True)

    @staticmethod
    def list(  # noqa: PLR0913, PLR0917 - the SDK's signature
        workspace: SomeWorkspace,
        name: str | None = None,
        tags: Wanted | None = None,
        properties: Wanted | None = None,
        run_id: str | None = None,
        latest: bool = False,
        dataset_id: str | None = None,
        expand: bool = True,
        page_count: int = 255,
        model_framework: str | None = None,
    ) -> builtins.list[Model]:
        """Return the models that fit, the newest first."""
        if tags is not None and not isinstance(tags, list):
            raise UserErrorException(
                f"tags must be a list such as ['key', ['key2', 'value']], not {type(tags).__name__}"
            )
        fitting = [
            entry
            for entry in registry.entries(require_context("Model.list").models_dir, name)
            if _fits(entry, tags, properties, run_id, model_framework, dataset_id)
        ]
        if latest:
            newest = {entry.name: entry for entry in reversed(fitting)}
            fitting = [entry for entry in fitting if newest[entry.name] is entry]
        return [Model(workspace, _entry=entry) for entry in fitting]

    def download(self, target_dir: str = ".", exist_ok: bool = False, exists_ok: bool | None = None) -> str:
        """Copy the model's file or folder to a folder; returns the copy's path."""
        return self._entry.copy_to(target_dir, exist_ok if exists_ok is None else exists_ok)

    def delete(self) -> None:
        """Delete this version; its number is not used again."""
        self._entry.delete()

    def update(
        self,
        tags: Mapping[str, object] | None = None,
        description: str | None = None,
        sample_input_dataset: AbstractDataset | None = None,
        sample_output_dataset: AbstractDataset | None = None,
        resource_configuration: object = None,
    ) -> None:
        """Replace the tags, the description or the samples."""
        changed = {"tags": _texts(tags) if tags else None, "description": description}
        for key, sample in (
            ("sample_input_dataset", sample_input_dataset),
            ("sample_output_dataset", sample_output_dataset),
        ):
            changed[key] = _dataset_id(sample) if sample is not None else None
        self._change(**{key: value for key, value in changed.items() if value})

    def update_tags_properties(
        self,
        add_tags: Mapping[str, object] | None = None,
        remove_tags: str | Iterable[str] | None = None,
        add_properties: Mapping[str, object] | None = None,
    ) -> None:
        """Add and remove tags, add properties; a property keeps its first value."""
        taken = sorted({*self.properties} & {*(add_properties or {})})
        if taken:
            raise WebserviceException(
                f"the model already has the properties {', '.join(taken)}, which cannot be changed"
            )
        removed = [remove_tags] if isinstance(remove_tags, str) else remove_tags or []
        tags = {**self.tags, **_texts(add_tags or {})}
        self._change(
            tags={key: value for key, value in tags.items() if key not in removed},
            properties={**self.properties, **_texts(add_properties or {})},
        )

    def add_tags(self, tags: Mapping[str, object]) -> None:
        """Add tags."""
        self.update_tags_properties(add_tags=tags)

    def remove_tags(self, tags: str | Iterable[str]) -> None:
        """Remove tags by their keys."""
        self.update_tags_properties(remove_tags=tags)

    def add_properties(self, properties: Mapping[str, object]) -> None:
        """Add properties."""
        self.update_tags_properties(add_properties=properties)

    def add_dataset_references(self, datasets: Iterable[tuple[str, AbstractDataset]]) -> None:
        """Describe which datasets the model was used with."""
        known = self._entry.described.get("datasets") or []
        self._change(datasets=[*known, *_references(datasets)])

    def _change(self, **changed: object) -> None:
        self._fill(self.workspace, self._entry.changed(changed))

    def _sample(self, key: str) -> SomeDataset | None:
        saved_id = self._entry.described.get(key)
        return AbstractDataset.get_by_id(self.workspace, saved_id) if saved_id else None

    def __repr__(self) -> str:
        return (
            f"Model(workspace={self.workspace!r}, name={self.name}, id={self.id}, version={self.version}, "
            f"tags={self.tags}, properties={self.properties})"
        )


def register_from_run(run: SomeRun, model_name: str, model_path: str | None, **more: Any) -> Model:
    """Register a file or folder of a run; raises ModelPathNotFoundException if the run does not have it."""
    more.pop("resource_configuration", None)
    described = _described(model_name, **more, run_id=run.id, experiment_name=run.experiment._name)
    artifacts, name = run._folder.artifacts, model_path or model_name
    path = artifacts.find(name)
    if path is not None and not artifacts.is_uploaded(name):
        say_once(
            "register_model",
            f"run.register_model({model_name!r}): {name} is not uploaded yet, and Azure ML only finds uploaded files "
            f"(ModelPathNotFoundException); first call run.{'upload_folder' if os.path.isdir(path) else 'upload_file'}"
            f"({name!r}, {name!r})",
        )
    if path is None:
        names = ", ".join(run.get_file_names()) or "none"
        raise ModelPathNotFoundException(
            f"the run has no file {model_path or model_name!r} to register; it has: {names}"
        )
    entry = registry.add(require_context("run.register_model").models_dir, model_name, path, described)
    return Model(run.experiment.workspace, _entry=entry)


def _described(model_name: str, **more: Any) -> Json:
    if not _NAME.fullmatch(model_name):
        shown = model_name if len(model_name) <= _LONGEST_SHOWN else f"{model_name[:_LONGEST_SHOWN]}..."
        raise WebserviceException(
            f"{shown!r} is not a valid model name: it must have at most 255 letters, digits, dashes, periods "
            "and underscores, and start with a letter or digit"
        )
    if more.get("model_framework_version") is not None and more.get("model_framework") is None:
        raise WebserviceException("model_framework_version needs a model_framework")
    for key in ("tags", "properties"):
        if more.get(key) and not isinstance(more[key], dict):
            raise WebserviceException(f"{key} of a model must be a dict")
        more[key] = _texts(more.get(key) or {})
    more["datasets"] = _references(more.get("datasets") or [])
    for key in ("sample_input_dataset", "sample_output_dataset"):
        more[key] = _dataset_id(more[key]) if more.get(key) is not None else None
    return more


def _references(datasets: Iterable[tuple[str, AbstractDataset]]) -> list[list[Any]]:
    return [[scenario, _dataset_id(dataset)] for scenario, dataset in datasets]


def _dataset_id(dataset: object) -> str:
    if not isinstance(dataset, AbstractDataset):
        raise WebserviceException(f"datasets of a model must be datasets, not {type(dataset).__name__}")
    if dataset.id is None:
        from ..data.catalog import definition_id

        return definition_id(dataset._definition)
    return dataset.id


def _texts(pairs: Mapping[str, object]) -> dict[str, str | None]:
    """Return tags or properties as the service keeps them: as texts."""
    plain = json.loads(json.dumps(pairs))
    return {key: v if isinstance(v, (str, type(None))) else json.dumps(v) for key, v in plain.items()}


def _find(
    name: str | None,
    model_id: str | None,
    tags: Wanted | None,
    properties: Wanted | None,
    version: int | str | None,
    run_id: str | None,
    framework: str | None,
) -> registry.Entry:
    if model_id:
        name, _, number = str(model_id).partition(":")
        version = number or version
    models_dir = require_context("a Model").models_dir
    for entry in registry.entries(models_dir, name):
        # As in the SDK, a version is enough: other arguments are ignored.
        is_version = version is not None and str(entry.version) == str(version)
        is_latest = version is None and _fits(entry, tags, properties, run_id, framework)
        if entry.name == name and (is_version or is_latest):
            return entry
    if is_in_job():
        raise WebserviceException(
            f"ModelNotFound: no model {name!r} among those that this step has registered; others cannot be read in a "
            "job on Azure ML v2: have the step that registers it write it to an output folder too, and read that"
        )
    wanted = f"{name!r}, version {version}," if version is not None else repr(name)
    names = {entry.name for entry in registry.entries(models_dir)}
    hint = "" if name in names else did_you_mean(name, names)
    raise WebserviceException(f"ModelNotFound: no model {wanted} in this project's registry{hint}")


def _exists(name: str, version: int | None) -> bool:
    entries = registry.entries(require_context("a Model").models_dir, name)
    return any(version in (None, entry.version) for entry in entries)


def _fits(
    entry: registry.Entry,
    tags: Wanted | None,
    properties: Wanted | None,
    run_id: str | None,
    framework: str | None,
    dataset_id: str | None = None,
) -> bool:
    described = entry.described
    return (
        _has(described.get("tags") or {}, tags)
        and _has(described.get("properties") or {}, properties)
        and run_id in (None, described.get("run_id"))
        and framework in (None, described.get("model_framework"))
        and (dataset_id is None or dataset_id in [found for _, found in described.get("datasets") or []])
    )


def _has(pairs: Json, wanted: Wanted | None) -> bool:
    """Return whether pairs match the SDK's list: a key, or a key and its value."""
    for item in wanted or ():
        key, *value = [item] if isinstance(item, str) else item
        if key not in pairs or (value and pairs[key] != value[0]):
            return False
    return True
