"""Find in the workspace what the steps of a plan need, all at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from azureml.data.dataset_consumption_config import DatasetConsumptionConfig
from azureml.exceptions import UserErrorException

from azml_tasks.azure.computes import find_compute
from azml_tasks.azure.datasets import find_dataset
from azml_tasks.azure.datastores import find_datastore
from azml_tasks.azure.environments import pinned_environment
from azml_tasks.azure.failures import is_missing
from azml_tasks.azure.steps import Resources
from azml_tasks.model import Pipeline
from azml_tasks.wiring import DatasetInput, Plan

_AT_ONCE = 8

Found = TypeVar("Found")


def find_resources(ws: Any, plan: Plan, directory: Path) -> Resources:
    """Return what the plan's steps need of the workspace, environments with their versions.

    Raises MissingError, which names what there is instead: a compute that is not there would else show when the first
    step is to start.
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
    declared = pipeline.datasets.get(name)
    if declared and declared.version != "latest":
        return find_dataset(ws, name, declared.version)
    try:
        # A name in place of a dataset is how the SDK is told to follow; Dataset.get_by_name fixes today's version.
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
