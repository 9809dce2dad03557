"""The models of a workspace, and what it has of the datasets that the file names."""

from __future__ import annotations

from typing import Any

from azml_tasks.azure.v1.client.connection import service_calls
from azml_tasks.azure.v1.resources.datasets import registered_dataset
from azml_tasks.plan import Plan
from azml_tasks.runs.results.registered import Asset, version_of


def models(ws: Any, every_version: bool) -> list[Asset]:
    """Return the models, the newest first: the latest version of each, or all."""
    with service_calls("listing the models"):
        from azureml.core import Model

        found = [
            Asset(
                model.name,
                version_of(model.version),
                model.created_time.timestamp() if model.created_time else None,
                source=" ".join(filter(None, (model.experiment_name, model.run_id))),
                tags=model.tags or {},
            )
            for model in Model.list(ws, latest=not every_version)
        ]
    return sorted(found, key=lambda asset: (asset.created or 0, asset.number), reverse=True)


def datasets(ws: Any, plan: Plan, every_version: bool) -> list[Asset]:
    """Return the datasets of the file in its order: those that it declares, then those that its outputs register.

    One that is not registered has no version.
    """
    outputs = [output.register_on_complete for step in plan.steps for output in step.outputs]
    found: list[Asset] = []
    with service_calls("listing the datasets"):
        for name in dict.fromkeys((*plan.pipeline.datasets, *filter(None, outputs))):
            newest = registered_dataset(ws, name)
            found.append(_asset(name, newest))
            for version in range(newest.version - 1 if newest is not None and every_version else 0, 0, -1):
                older = registered_dataset(ws, name, version)
                found += [_asset(name, older)] if older is not None else []
    return found


def _asset(name: str, dataset: Any) -> Asset:
    if dataset is None:
        return Asset(name, None)
    kind = type(dataset).__name__.removesuffix("Dataset").lower()
    return Asset(name, int(dataset.version), kind=kind, tags=dataset.tags or {})
