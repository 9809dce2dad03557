"""Make the workspace match the file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from azml_tasks.azure.v1.resources.computes import register_compute
from azml_tasks.azure.v1.resources.datasets import register_dataset
from azml_tasks.azure.v1.resources.datastores import register_datastore
from azml_tasks.azure.v1.resources.environments import environment_definition, register_environment
from azml_tasks.backend import KINDS, Change, Kind
from azml_tasks.errors import ServiceError
from azml_tasks.reading.project import Project

if TYPE_CHECKING:
    from azureml.core import Workspace

Part = Callable[[], Change]


def register(
    ws: Workspace, project: Project, kinds: Collection[Kind] = KINDS, upload: bool = False, dry: bool = False
) -> Iterator[Change]:
    """Register what the file declares of these kinds, and yield each change as it is made.

    After a failure the rest is still registered; ServiceError is raised at the end, with all reasons. With `upload`,
    the files of datasets are uploaded first. With `dry` nothing is changed. Raises ProjectError, LoginError.
    """
    project.require(*(f"{kind}s" for kind in kinds))
    parts = {
        "environment": _environments(ws, project, dry),
        "datastore": _datastores(ws, project, dry),
        "dataset": _datasets(ws, project, upload, dry),
        "compute": _computes(ws, project, dry),
    }
    yield from _each([part for kind in KINDS if kind in kinds for part in parts[kind]])


def _each(parts: Iterable[Part]) -> Iterator[Change]:
    refused = []
    for part in parts:
        try:
            change = part()
        except ServiceError as error:
            refused.append(str(error))
            continue
        yield change
    if refused:
        raise ServiceError("\n".join(refused))


def _environments(ws: Workspace, project: Project, dry: bool) -> Iterator[Part]:
    def part(name: str) -> Change:
        wanted = environment_definition(project.plan, name, project.directory)
        return register_environment(ws, wanted, dry)[1]

    for name in project.pipeline.environments:
        yield partial(part, name)


def _datastores(ws: Workspace, project: Project, dry: bool) -> Iterator[Part]:
    for name, store in project.pipeline.datastores.items():
        # All secrets are looked up before anything is registered.
        key, token = (
            project.secret(reference, ("datastores", name, which)) if reference else None
            for which, reference in (("account_key", store.account_key), ("sas_token", store.sas_token))
        )
        yield partial(register_datastore, ws, name, store.container_name, store.account_name, key, token, dry)


def _datasets(ws: Workspace, project: Project, upload: bool, dry: bool) -> Iterator[Part]:
    for name, dataset in project.pipeline.datasets.items():
        if dataset.is_declared:
            upload_first = upload and dataset.local_path is not None
            yield partial(register_dataset, ws, name, dataset, project.directory, upload_first, dry)


def _computes(ws: Workspace, project: Project, dry: bool) -> Iterator[Part]:
    for name, compute in project.pipeline.computes.items():
        yield partial(register_compute, ws, name, compute, dry)
