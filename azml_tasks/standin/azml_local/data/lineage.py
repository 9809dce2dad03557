"""Which datasets a run reads, in the SDK's shape (azureml-core 1.61, data/_dataset_lineage.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from .. import records
from ..context import Context, require_context
from . import catalog
from .catalog import Registration

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar, TypeVar

    from ..protocols import Json, SomeRun, SomeWorkspace

    D = TypeVar("D", bound=catalog.SomeDataset)

_MECHANISMS = {"mount": "Mount", "download": "Download"}
_referenced: dict[str | None, object] = {}


def refer_to(dataset: D) -> D:
    """Note that the script has looked up a dataset, and return it."""
    _referenced.setdefault(dataset.id, dataset)
    return dataset


class InputDatasets(Sequence["Json"]):
    """A run's input datasets: dicts of the dataset and how it is consumed. As text it has ids for the datasets."""

    __hash__: ClassVar[None] = None  # type: ignore[assignment]

    def __init__(self, run: SomeRun) -> None:
        self._items = list(_consumed(run))

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputDatasets) and str(self) == str(other)

    def __repr__(self) -> str:
        return str([{**item, "dataset": {"id": item["dataset"].id}} for item in self._items])


def _consumed(run: SomeRun) -> Iterator[Json]:
    own = require_context("run.get_details")
    is_own = run._folder.path == own.step_dir
    context = own if is_own else _context_of(run)
    workspace = run.experiment.workspace
    if context is not None:
        for name in context.inputs:
            details = _details(context, workspace, name)
            yield {"dataset": _dataset(context, workspace, name), "consumptionDetails": details}
    if is_own:
        for dataset in _referenced.values():
            yield {"dataset": dataset, "consumptionDetails": {"type": "Reference"}}


def _context_of(run: SomeRun) -> Context | None:
    """Return the context of another step's run, or None."""
    values = records.load(os.path.join(run._folder.path, "context.json"))
    return Context(values) if values and run._folder.kind == "azureml.StepRun" else None


def _dataset(context: Context, workspace: SomeWorkspace, name: str) -> catalog.SomeDataset | str:
    described = context.inputs[name]
    if described["kind"] == "dataset":
        return catalog._declared(workspace, described["dataset"], context.datasets[described["dataset"]])
    if described["kind"] == "folder":
        definition = {"kind": "file", "paths": [described["path"]], "steps": []}
        return catalog._made(definition, Registration(workspace, None))
    return catalog.of_input(context, workspace, name)


def _details(context: Context, workspace: SomeWorkspace, name: str) -> Json:
    described = context.inputs[name]
    mode = "mount" if described["kind"] == "folder" else "direct"
    if described["kind"] == "dataset":
        mode = context.datasets[described["dataset"]].get("mode", "direct")
    details: Json = {"type": "RunInput", "inputName": name, "mechanism": _MECHANISMS.get(mode, "Direct")}
    return details if mode == "direct" else {**details, "pathOnCompute": catalog.of_input(context, workspace, name)}
