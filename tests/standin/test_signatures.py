"""The public methods take what the SDK's take."""

from __future__ import annotations

import importlib
import inspect

import pytest

pytest.importorskip("azureml.core", reason="the SDK is not installed, so there is nothing to compare with")

STAND_IN = "azml_tasks.standin.azml_local"
CLASSES = {
    "data.abstract.AbstractDataset": "azureml.data.abstract_dataset.AbstractDataset",
    "data.dataset.Dataset": "azureml.core.Dataset",
    "data.datastore.AzureBlobDatastore": "azureml.data.azure_storage_datastore.AzureBlobDatastore",
    "data.datastore.DataPath": "azureml.data.datapath.DataPath",
    "data.datastore.DataReference": "azureml.data.data_reference.DataReference",
    "data.datastore.Datastore": "azureml.core.Datastore",
    "workspace.experiment.Experiment": "azureml.core.Experiment",
    "data.dataset.DataType": "azureml.data.DataType",
    "data.dataset.FileDatasetFactory": "azureml.data.dataset_factory.FileDatasetFactory",
    "data.dataset.TabularDatasetFactory": "azureml.data.dataset_factory.TabularDatasetFactory",
    "data.file_dataset.FileDataset": "azureml.data.FileDataset",
    "workspace.model.Model": "azureml.core.Model",
    "run.offline._OfflineRun": "azureml.core.run._OfflineRun",
    "run.pipeline_run.PipelineRun": "azureml.pipeline.core.PipelineRun",
    "run.pipeline_run.PortDataReference": "azureml.pipeline.core.PortDataReference",
    "run.pipeline_run.StepRun": "azureml.pipeline.core.StepRun",
    "run.pipeline_run.StepRunOutput": "azureml.pipeline.core.StepRunOutput",
    "run.run.Run": "azureml.core.Run",
    "run.run._SubmittedRun": "azureml.core.run._SubmittedRun",
    "secrets.Keyvault": "azureml.core.Keyvault",
    "data.tabular_dataset.TabularDataset": "azureml.data.TabularDataset",
    "workspace.workspace.Workspace": "azureml.core.Workspace",
}
# What the SDK sets in its constructors, where the stand-in computes it.
ATTRIBUTES = {"Model": {"datasets", "run", "sample_input_dataset", "sample_output_dataset"}}
# Ours alone: scripts get a datastore by its name and never make one.
OWN = {
    "AzureBlobDatastore": {"__init__", "local_path"},
    "PortDataReference": {"__init__"},
    "StepRunOutput": {"__init__"},
}


def found(path: str) -> type:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def signature(owner: type, name: str) -> list[tuple[str, str, object]]:
    """Return the parameters of a method as (name, kind, default)."""
    parameters = inspect.signature(getattr(owner, name)).parameters.values()
    return [(p.name, p.kind.name, p.default) for p in parameters]


@pytest.mark.parametrize(("ours", "theirs"), CLASSES.items())
def test_a_class_has_the_sdks_methods_with_the_sdks_parameters(ours: str, theirs: str) -> None:
    own, real = found(f"{STAND_IN}.{ours}"), found(theirs)
    names = {name for name in dir(own) if not name.startswith("_")} | {"__init__"}
    names -= OWN.get(real.__name__, set()) | ATTRIBUTES.get(real.__name__, set())
    missing = sorted(name for name in names if not hasattr(real, name))
    methods = {name for name in names - set(missing) if inspect.isroutine(getattr(own, name))}
    given = {name: signature(own, name) for name in methods if getattr(own, name) is not object.__init__}
    expected = {name: signature(real, name) for name in given}
    kinds = {name: isinstance(inspect.getattr_static(own, name), property) for name in names - set(missing)}
    real_kinds = {name: isinstance(inspect.getattr_static(real, name), property) for name in kinds}

    assert missing == []
    assert given == expected
    assert kinds == real_kinds
