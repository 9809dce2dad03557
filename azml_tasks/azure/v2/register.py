"""Make the workspace match the file: datastores and compute clusters here, what has versions in `assets.py`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from azml_tasks import model
from azml_tasks.azure.errors import MissingError
from azml_tasks.azure.v2.assets import register_environment
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.data import register_dataset
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.backend import KINDS, Change, Kind
from azml_tasks.errors import ServiceError
from azml_tasks.reading import Project
from azml_tasks.runs.changes.differences import (
    Difference,
    difference,
)
from azml_tasks.text import did_you_mean

Part = Callable[[], Change]


def register(
    client: Client, documents: Documents, kinds: Collection[Kind] = KINDS, upload: bool = False, dry: bool = False
) -> Iterator[Change]:
    """Register what the file declares of these kinds, and yield each change as it is made.

    After a failure the rest is still registered; ServiceError is raised at the end, with all reasons. With `upload`,
    the files of datasets are uploaded first. With `dry` nothing is changed.
    """
    project, pipeline = documents.project, documents.project.pipeline
    secrets = {name: _secrets(project, name) for name in pipeline.datastores if "datastore" in kinds}
    parts: Mapping[Kind, list[Part]] = {
        "environment": [
            partial(lambda name: register_environment(client, documents, name, dry)[1], name)
            for name in pipeline.environments
        ],
        "datastore": [partial(_datastore, client, documents, name, secret, dry) for name, secret in secrets.items()],
        "dataset": [
            partial(register_dataset, client, documents, name, upload, dry)
            for name, dataset in pipeline.datasets.items()
            if dataset.is_declared
        ],
        "compute": [partial(_compute, client, documents, name, dry) for name in pipeline.computes],
    }
    refused = []
    for kind in KINDS:
        for part in parts[kind] if kind in kinds else ():
            try:
                change = part()
            except ServiceError as error:
                refused.append(str(error))
                continue
            yield change
    if refused:
        raise ServiceError("\n".join(dict.fromkeys(refused)))


def _secrets(project: Project, name: str) -> tuple[str, str]:
    """Return the account key and the token of a datastore, empty without. Raises ProjectError for an unset variable."""
    declared = project.pipeline.datastores[name]
    key, token = (
        project.secret(reference, ("datastores", name, which)) if reference else ""
        for which, reference in (("account_key", declared.account_key), ("sas_token", declared.sas_token))
    )
    return key, token


def _datastore(client: Client, documents: Documents, name: str, secret: tuple[str, str], dry: bool) -> Change:
    from azure.ai.ml import load_datastore
    from azure.ai.ml.entities import AccountKeyConfiguration, SasTokenConfiguration

    declared, (key, token) = documents.project.pipeline.datastores[name], secret

    def write() -> None:
        wanted = load_datastore(documents.file("datastores", name))
        if key:
            wanted.credentials = AccountKeyConfiguration(account_key=key)
        elif token:
            wanted.credentials = SasTokenConfiguration(sas_token=token)
        client.ml.datastores.create_or_update(wanted)

    def look() -> _Planned:
        registered = found_or_none(lambda: client.ml.datastores.get(name, include_secrets=True))
        if registered is None:
            where = f"{declared.container_name} in {declared.account_name}"
            return Change("datastore", name, "created", where, dry), write
        changed = _store_differences(name, registered, declared, key, token)
        if not changed:
            return Change("datastore", name, "unchanged"), None
        return Change("datastore", name, "updated", dry=dry, differences=tuple(changed)), write

    return _applied(client, f"registering the datastore '{name}'", look, [key, token])


def _store_differences(name: str, registered: Any, declared: model.Datastore, key: str, token: str) -> list[Difference]:
    if _word(registered.type) != "azureblob":
        raise ServiceError(
            f"the datastore '{name}' is registered as {_word(registered.type)}, not as a blob container: use another "
            "name, or unregister it first"
        )
    pairs = {
        "container_name": (registered.container_name, declared.container_name),
        "account_name": (registered.account_name, declared.account_name),
    }
    credentials = registered.credentials
    secrets = {
        "account_key": (getattr(credentials, "account_key", None) or "", key),
        "sas_token": ((getattr(credentials, "sas_token", None) or "").lstrip("?"), token.lstrip("?")),
    }
    found = [difference("datastore", what, *pair) for what, pair in pairs.items() if pair[0] != pair[1]]
    return [*found, *(Difference("secret", what, label=what) for what, pair in secrets.items() if pair[0] != pair[1])]


def unregister_datastore(client: Client, name: str, dry: bool) -> Change:
    """Take a datastore out of the workspace; its data stay where they are."""

    def look() -> _Planned:
        if found_or_none(lambda: client.ml.datastores.get(name)) is None:
            return Change("datastore", name, "unchanged", "it was not registered"), None
        return Change("datastore", name, "removed", dry=dry), lambda: client.ml.datastores.delete(name)

    return _applied(client, f"unregistering the datastore '{name}'", look)


def _compute(client: Client, documents: Documents, name: str, dry: bool) -> Change:
    from azure.ai.ml import load_compute

    wanted = documents.project.pipeline.computes[name]

    def create() -> None:
        client.ml.compute.begin_create_or_update(load_compute(documents.file("computes", name))).result()

    def scale(registered: Any) -> None:
        registered.min_instances, registered.max_instances = wanted.min_nodes, wanted.max_nodes
        if wanted.idle_seconds_before_scaledown is not None:
            registered.idle_time_before_scale_down = wanted.idle_seconds_before_scaledown
        # Not begin_create_or_update, which fails with a cluster that was read and has no virtual network.
        client.ml.compute.begin_update(registered).result()

    def look() -> _Planned:
        registered = found_or_none(lambda: client.ml.compute.get(name))
        if registered is None:
            nodes = f"{wanted.vm_size}, {wanted.min_nodes} to {wanted.max_nodes} nodes"
            return Change("compute", name, "created", nodes, dry), create
        _refuse_replacement(name, registered, wanted)
        changed = _scale_differences(registered, wanted)
        if not changed:
            return Change("compute", name, "unchanged"), None
        return Change("compute", name, "updated", dry=dry, differences=tuple(changed)), partial(scale, registered)

    return _applied(client, f"registering the compute '{name}'", look)


def _word(value: Any) -> str:
    """Return a value of one of the client's enumerations, or its text, in one spelling."""
    return str(getattr(value, "value", value)).lower().replace("_", "")


def _refuse_replacement(name: str, registered: Any, wanted: model.Compute) -> None:
    if _word(registered.type) != "amlcompute":
        raise ServiceError(f"the compute '{name}' is of type {_word(registered.type)}, not a cluster; use another name")
    tier = _word(registered.tier or "dedicated")
    for what, before, after in (
        ("size", str(registered.size), wanted.vm_size),
        ("priority", tier, wanted.vm_priority),
    ):
        if before.lower() != after.lower():
            raise ServiceError(
                f"the compute '{name}' has the {what} {before}, which Azure cannot change to {after}: use another "
                "name, or delete the compute first"
            )


def _scale_differences(registered: Any, wanted: model.Compute) -> list[Difference]:
    pairs = [
        ("min_nodes", registered.min_instances, wanted.min_nodes),
        ("max_nodes", registered.max_instances, wanted.max_nodes),
    ]
    idle = wanted.idle_seconds_before_scaledown
    if idle is not None:
        before = registered.idle_time_before_scale_down
        pairs.append(("idle_seconds_before_scaledown", None if before is None else int(float(before)), idle))
    return [difference("compute", key, before, after) for key, before, after in pairs if before != after]


# A change, and what makes it; nothing makes one that leaves everything as it was.
_Planned = tuple[Change, Callable[[], object] | None]


def _applied(client: Client, doing: str, look: Callable[[], _Planned], secrets: Iterable[str] = ()) -> Change:
    """Make the change that a look plans, unless it is dry.

    When that is repeated because an answer was lost, nothing may be left to do; then the first change counts.
    """
    planned: list[Change] = []

    def part() -> Change:
        change, make = look()
        if make is not None:
            planned.append(change)
            if not change.dry:
                make()
        return planned[0] if planned else change

    return client.call(doing, part, [secret for secret in secrets if secret])


def check_compute(client: Client, name: str, *, is_declared: bool = False) -> None:
    """Raise MissingError if the workspace has no compute of this name."""
    doing = f"looking up the compute '{name}'"
    if client.call(doing, lambda: found_or_none(lambda: client.ml.compute.get(name))) is None:
        there = client.call(doing, lambda: [str(one.name) for one in client.ml.compute.list()])
        hint = "; create it with `invoke register-compute`" if is_declared else did_you_mean(name, there)
        raise MissingError(f"the workspace '{client.workspace}' has no compute '{name}'{hint}")


def has_identity(client: Client, name: str) -> bool:
    """Return whether a compute has a managed identity; one that does not exist is another finding."""
    doing = f"looking up the compute '{name}'"
    found = client.call(doing, lambda: found_or_none(lambda: client.ml.compute.get(name)))
    return found is None or getattr(found, "identity", None) is not None


def check_datastore(client: Client, name: str) -> None:
    """Raise MissingError if the workspace has no datastore of this name."""
    doing = f"looking up the datastore '{name}'"
    if client.call(doing, lambda: found_or_none(lambda: client.ml.datastores.get(name))) is None:
        there = client.call(doing, lambda: [str(one.name) for one in client.ml.datastores.list()])
        raise MissingError(f"the workspace '{client.workspace}' has no datastore '{name}'{did_you_mean(name, there)}")
