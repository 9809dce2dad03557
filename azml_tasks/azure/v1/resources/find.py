"""Look up the workspace resources of a plan's steps in parallel."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from azml_tasks.azure.errors import is_missing
from azml_tasks.azure.v1.resources.computes import find_compute
from azml_tasks.azure.v1.resources.datasets import find_dataset
from azml_tasks.azure.v1.resources.datastores import find_datastore
from azml_tasks.azure.v1.resources.environments import pinned_environment
from azml_tasks.model import Pipeline
from azml_tasks.plan import DatasetInput, Plan

if TYPE_CHECKING:
    from azureml.core import Environment


@dataclass(frozen=True)
class Resources:
    """The workspace resources of the steps, by their names in the file.

    A compute is a ComputeTarget, or its name and type, so that the SDK does not look it up. Datastores are those of the
    outputs' destinations.
    """

    environments: Mapping[str, Environment]
    computes: Mapping[str, Any]
    datasets: Mapping[str, Any]
    datastores: Mapping[str, Any]


_AT_ONCE = 8

Found = TypeVar("Found")


def find_resources(ws: Any, plan: Plan, directory: Path) -> Resources:
    """Return the workspace resources of the plan's steps, environments with their versions.

    Raises MissingError with existing names: otherwise a missing compute would only be noticed when the first step
    starts.
    """
    pipeline = plan.pipeline
    steps = [step.step for step in plan.steps]
    with ThreadPoolExecutor(_AT_ONCE) as pool, _ended_early(pool):

        def each(names: Iterable[str | None], find: Callable[[str], Found]) -> Callable[[], dict[str, Found]]:
            wanted = list(dict.fromkeys(filter(None, names)))
            futures = [pool.submit(find, name) for name in wanted]
            return lambda: {name: future.result() for name, future in zip(wanted, futures, strict=True)}

        environments = each(map(pipeline.env_of, steps), lambda name: pinned_environment(ws, plan, name, directory))
        computes = each(map(pipeline.compute_of, steps), lambda name: find_compute(ws, name))
        datasets = each(_datasets(plan), lambda name: dataset_to_read(ws, pipeline, name))
        datastores = each(_datastores(plan), lambda name: find_datastore(ws, name))
        return Resources(environments(), computes(), datasets(), datastores())


@contextlib.contextmanager
def _ended_early(pool: ThreadPoolExecutor) -> Iterator[None]:
    """Start nothing more when the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def dataset_to_read(ws: Any, pipeline: Pipeline, name: str) -> Any:
    """Return a registered dataset, in the version that the file states or following the latest.

    A published pipeline that follows takes the version that is the latest when it runs. Raises MissingError.
    """
    from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
    from azureml.exceptions import UserErrorException

    declared = pipeline.datasets.get(name)
    if declared and declared.version != "latest":
        return find_dataset(ws, name, declared.version)
    try:
        # With a name instead of a dataset, the SDK follows the latest version; Dataset.get_by_name fixes the current
        # one.
        return DatasetConsumptionConfig(None, (ws, name)).dataset
    except UserErrorException as error:
        if not is_missing(error):
            raise
    return find_dataset(ws, name)


def _datasets(plan: Plan) -> Iterable[str]:
    return (item.dataset for step in plan.steps for item in step.inputs if isinstance(item, DatasetInput))


def _datastores(plan: Plan) -> Iterable[str]:
    written = (output.destination for step in plan.steps for output in step.outputs)
    return (destination.datastore_name for destination in written if destination)
