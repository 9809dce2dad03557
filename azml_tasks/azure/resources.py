"""Find in the workspace what the steps of a plan need, all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from azureml.core import Dataset, Datastore, Environment
from azureml.core.compute import ComputeTarget
from azureml.data.dataset_consumption_config import DatasetConsumptionConfig

from azml_tasks.azure.failures import is_foreign, is_missing
from azml_tasks.azure.steps import Resources
from azml_tasks.errors import ServiceError, did_you_mean, listed
from azml_tasks.model import Pipeline
from azml_tasks.wiring import DatasetInput, Plan

_AT_ONCE = 8

Found = TypeVar("Found")


class MissingResourceError(ServiceError):
    """The workspace lacks something that the pipeline names; `noun` and `name` say what."""

    def __init__(self, noun: str, name: str, text: str) -> None:
        self.noun = noun
        self.name = name
        super().__init__(text)


def find_resources(ws: Any, plan: Plan) -> Resources:
    """Return what the plan's steps need of the workspace.

    Raises MissingResourceError, which names what there is instead: a compute that is not there would else show when
    the first step is to start.
    """
    pipeline = plan.pipeline
    with ThreadPoolExecutor(_AT_ONCE) as pool:

        def each(names: Iterable[str | None], find: Callable[[str], Found]) -> Callable[[], dict[str, Found]]:
            wanted = list(dict.fromkeys(filter(None, names)))
            futures = [pool.submit(find, name) for name in wanted]
            return lambda: {name: future.result() for name, future in zip(wanted, futures, strict=True)}

        steps = [step.step for step in plan.steps]
        environments = each(map(pipeline.env_of, steps), lambda name: _environment(ws, name))
        computes = each(map(pipeline.compute_of, steps), lambda name: find_compute(ws, name))
        datasets = each(_datasets(plan), lambda name: find_dataset(ws, name, _version(pipeline, name)))
        datastores = each(_datastores(plan), lambda name: find_datastore(ws, name))
        return Resources(environments(), computes(), datasets(), datastores())


def find_dataset(ws: Any, name: str, version: int | str = "latest") -> Any:
    """Return a registered dataset; `latest` is followed by whoever runs the pipeline later.

    Raises MissingResourceError.
    """
    try:
        if version == "latest":
            # This is how the SDK is told to follow: a published pipeline then takes the version that is the latest
            # when it runs, where a Dataset object would fix the one of today.
            return DatasetConsumptionConfig("any", (ws, name)).dataset
        return Dataset.get_by_name(ws, name, version)
    except Exception as error:
        if not (is_foreign(error) and is_missing(error)):
            raise
    of_version = "" if version == "latest" else f" in version {version}"
    raise _missing(ws, "dataset", name, Dataset.get_all(ws), "invoke register-csv", of_version)


def find_datastore(ws: Any, name: str) -> Any:
    """Return a registered datastore.

    Raises MissingResourceError.
    """
    try:
        return Datastore.get(ws, name)
    except Exception as error:
        if not (is_foreign(error) and is_missing(error)):
            raise
    raise _missing(ws, "datastore", name, ws.datastores, "invoke register-datastore")


def find_compute(ws: Any, name: str) -> Any:
    """Return a compute of the workspace.

    Raises MissingResourceError.
    """
    try:
        return ComputeTarget(ws, name)
    except Exception as error:
        if not (is_foreign(error) and is_missing(error)):
            raise
    raise _missing(ws, "compute", name, ws.compute_targets, "invoke register-compute")


def _environment(ws: Any, name: str) -> Environment:
    return Environment.get(ws, name)


def _missing(ws: Any, noun: str, name: str, there: Iterable[str], task: str, detail: str = "") -> MissingResourceError:
    names = list(there)
    has = f"it has {listed(names)}" if names else "it has none"
    meant = did_you_mean(name, names)
    advice = meant or f"; `{task}` makes it from pipeline.yaml"
    return MissingResourceError(noun, name, f"the workspace '{ws.name}' has no {noun} '{name}'{detail}: {has}{advice}")


def _datasets(plan: Plan) -> Iterable[str]:
    return (item.dataset for step in plan.steps for item in step.inputs if isinstance(item, DatasetInput))


def _datastores(plan: Plan) -> Iterable[str]:
    written = (output.destination for step in plan.steps for output in step.outputs)
    return (destination.datastore_name for destination in written if destination)


def _version(pipeline: Pipeline, name: str) -> int | str:
    declared = pipeline.datasets.get(name)
    return declared.version if declared else "latest"
