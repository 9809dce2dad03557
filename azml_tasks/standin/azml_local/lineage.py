"""Which datasets a run reads, in the SDK's shape (azureml-core 1.61, data/_dataset_lineage.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from . import catalog, records
from .context import Context, here
from .dataset import AbstractDataset, Registration
from .files import FileDataset

_MECHANISMS = {"mount": "Mount", "download": "Download"}
_referenced: dict[str, AbstractDataset] = {}


def refer_to(dataset: AbstractDataset) -> AbstractDataset:
    """Note that the script has looked up a dataset, and return it."""
    _referenced.setdefault(dataset.id, dataset)
    return dataset


class InputDatasets(Sequence):
    """A run's input datasets: dicts of the dataset and how it is consumed. As text it has ids for the datasets."""

    def __init__(self, run) -> None:
        self._items = list(_consumed(run))

    def __getitem__(self, key):
        return self._items[key]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other):
        return isinstance(other, InputDatasets) and str(self) == str(other)

    __hash__ = None

    def __repr__(self) -> str:
        return str([{**item, "dataset": {"id": item["dataset"].id}} for item in self._items])


def _consumed(run) -> Iterator[dict]:
    own = here("run.get_details")
    is_own = run._folder.path == own.step_dir
    context = own if is_own else _context_of(run)
    workspace = run.experiment.workspace
    for name in context.inputs if context else ():
        yield {"dataset": _dataset(context, workspace, name), "consumptionDetails": _details(context, workspace, name)}
    if is_own:
        for dataset in _referenced.values():
            yield {"dataset": dataset, "consumptionDetails": {"type": "Reference"}}


def _context_of(run) -> Context | None:
    """Return the context of another step's run; None for a run that has none."""
    values = records.load(os.path.join(run._folder.path, "context.json"))
    return Context(values) if values and run._folder.kind == "azureml.StepRun" else None


def _dataset(context: Context, workspace, name: str) -> AbstractDataset:
    described = context.inputs[name]
    if described["kind"] == "dataset":
        return catalog._declared(workspace, described["dataset"], context.datasets[described["dataset"]])
    if described["kind"] == "folder":
        return FileDataset._create(
            {"kind": "file", "paths": [described["path"]], "steps": []}, Registration(workspace, None)
        )
    return catalog.of_input(context, workspace, name)


def _details(context: Context, workspace, name: str) -> dict:
    described = context.inputs[name]
    mode = "mount" if described["kind"] == "folder" else "direct"
    if described["kind"] == "dataset":
        mode = context.datasets[described["dataset"]].get("mode", "direct")
    told = {"type": "RunInput", "inputName": name, "mechanism": _MECHANISMS.get(mode, "Direct")}
    return told if mode == "direct" else {**told, "pathOnCompute": catalog.of_input(context, workspace, name)}
