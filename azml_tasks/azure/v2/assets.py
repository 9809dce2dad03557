"""Assets, which have versions: environments and data.

The client makes a new version of an asset each time. So the newest version is read first, and one is added only if it
differs. What a version was made of stays in a tag, because Azure does not return all of it (a Dockerfile, an MLTable).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from azml_tasks import model
from azml_tasks.azure.errors import MissingError, status_of
from azml_tasks.azure.uploads import counted_files, files_to_upload
from azml_tasks.azure.v2.client.connection import Client, found_or_none
from azml_tasks.azure.v2.documents import Documents
from azml_tasks.backend import Change, Outcome
from azml_tasks.errors import ServiceError
from azml_tasks.export.document import asset_name
from azml_tasks.export.export import data_assets
from azml_tasks.reading import Project
from azml_tasks.reading.environment import conda
from azml_tasks.runs.changes.differences import (
    ABSENT,
    Difference,
    changed_entries,
    changed_packages,
    difference,
    stated_difference,
)
from azml_tasks.runs.results.registered import Asset, version_of
from azml_tasks.text import did_you_mean

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

# The tag of a version with the digest of what it was made of.
CONTENT = "azml_tasks.content"
# How often the next version is looked for when another command takes it.
_TRIES = 5
_STORE = re.compile(r"^azureml://.*?datastores/(.*)$")


def register_environment(client: Client, documents: Documents, name: str, dry: bool = False) -> tuple[str, Change]:
    """Make the newest version of an environment that of the file, and return its version, empty for one to come."""
    from azure.ai.ml import load_environment

    digest = documents.digest("environments", name)

    def wanted() -> Any:
        made = load_environment(documents.file("environments", name))
        made.tags = {**(made.tags or {}), CONTENT: digest}
        return made

    def changed(there: Any) -> list[Difference]:
        return environment_differences(there, wanted(), digest)

    doing = f"registering the environment '{name}'"
    return _next_version(client, ("environment", name), (doing, client.ml.environments), wanted, changed, dry)


def environment_differences(there: Any, wanted: Any, digest: str) -> list[Difference]:
    """Return the differences of a registered environment, among everything that the file can declare."""
    if (there.tags or {}).get(CONTENT) == digest:
        return []
    found: list[Difference] = []
    before, now = (_specification(one.conda_file) for one in (there, wanted))
    python = [conda.python_requirement(one) for one in (before, now)]
    for what, read in (("pip package", conda.pip_packages), ("conda package", conda.conda_packages)):
        old, new = (sorted({*read(one)} - {*python}) for one in (before, now))
        if old != new:
            noun = what.replace(" ", "_")
            found += changed_packages(what, old, new) or [stated_difference(f"{noun}s changed", "environment", noun)]
    values: tuple[tuple[str, Any, Any], ...] = (
        ("python_version", _version(python[0]), _version(python[1])),
        ("channels", list(before.get("channels") or ()), list(now.get("channels") or ())),
        ("base_image", there.image or "", wanted.image or ""),
    )
    for key, was, now_is in values:
        if was != now_is:
            found.append(difference("environment", key, was or ABSENT, now_is or ABSENT))
    if wanted.build or there.build:
        # Azure returns where it keeps a Dockerfile, not what it says.
        found.append(stated_difference("the Dockerfile or its packages changed", "environment", "dockerfile"))
    return found


def _version(python: str) -> str:
    return python.removeprefix("python").lstrip("=")


def _specification(content: Any) -> Mapping[str, Any]:
    parsed = yaml.safe_load(content) if isinstance(content, str) else content
    return parsed if isinstance(parsed, Mapping) else {}


def register_dataset(client: Client, documents: Documents, name: str, upload: bool, dry: bool) -> Change:
    from azure.ai.ml import load_data

    project = documents.project
    dataset = project.pipeline.datasets[name]
    asset = documents.made.assets[name]
    files = files_to_upload(name, dataset, project.directory) if upload and dataset.local_path else []
    digest = documents.digest("data", name)
    doing = f"registering the dataset '{name}'"
    latest = _latest(client, doing, client.ml.data, asset)
    if CONTENT not in ((latest.tags if latest else None) or {}) and _is_of_v1(client, doing, asset):
        raise ServiceError(
            f"the dataset '{name}' is not registered: v1 has a dataset of this name in the workspace, and a v2 data "
            "asset of the same name would break the v1 pipelines that read it, and could not be removed. Runs read "
            f"its files without it; to register it for others, rename the dataset, for example to '{name}-v2'"
        )
    if files and not dry:
        _upload(client, documents, name, files)

    def wanted() -> Any:
        made = load_data(documents.file("data", name))
        made.tags = {**(made.tags or {}), CONTENT: digest}
        return made

    def changed(there: Any) -> list[Difference]:
        return data_differences(there, wanted(), digest, dataset)

    _, change = _next_version(client, ("dataset", asset), (doing, client.ml.data), wanted, changed, dry)
    if not files:
        return change
    uploaded = counted_files(files, "to upload" if dry else "uploaded")
    detail = "; ".join(filter(None, [uploaded, change.detail]))
    return Change("dataset", asset, change.outcome, detail, dry, differences=change.differences)


def data_differences(there: Any, wanted: Any, digest: str, dataset: model.Dataset) -> list[Difference]:
    """Return the differences of a registered data asset; description and tags count if they are in the file."""
    if (there.tags or {}).get(CONTENT) == digest:
        return []
    found = []
    if str(there.type) != str(wanted.type):
        found.append(difference("definition", "type", str(there.type), str(wanted.type)))
    elif str(wanted.type) == "mltable":
        found.append(stated_difference("its MLTable changed", "definition", "MLTable"))
    elif _place(there.path) != _place(wanted.path):
        found.append(difference("definition", "path", _place(there.path), _place(wanted.path)))
    if dataset.description is not None and dataset.description != (there.description or None):
        found.append(difference("description", "description", there.description or ABSENT, dataset.description))
    before = {key: value for key, value in (there.tags or {}).items() if key != CONTENT}
    return [*found, *(changed_entries("tag", before, dict(dataset.tags), "tag ") if dataset.tags else ())]


def _place(address: Any) -> str:
    """Return the datastore and the path of an address, whichever way it names the workspace."""
    match = _STORE.match(str(address))
    return (match[1] if match else str(address)).replace("/paths/", "/").rstrip("/")


def _is_of_v1(client: Client, doing: str, name: str) -> bool:
    return client.call(doing, lambda: client.history.has_v1_dataset(name))


def _upload(client: Client, documents: Documents, name: str, files: list[tuple[Path, str]]) -> None:
    """Write files to the datastore of a dataset, replacing existing ones."""
    store_name = str(documents.project.pipeline.datasets[name].datastore_name)
    doing = f"uploading the dataset '{name}'"
    store = client.call(doing, lambda: client.ml.datastores.get(store_name, include_secrets=True))
    secret = secret_of(store)
    for file, path in files:
        client.call(doing, partial(_put, client, store, secret, file, path), [secret])


def _put(client: Client, store: Any, secret: str, file: Path, path: str) -> None:
    with opened_container(client, store, secret) as container, file.open("rb") as content:
        container.upload_blob(path, content, overwrite=True)


def secret_of(store: Any) -> str:
    """Return the account key or the token of a datastore; empty if it is opened with the login."""
    credentials = store.credentials
    return getattr(credentials, "account_key", None) or getattr(credentials, "sas_token", None) or ""


def opened_container(client: Client, store: Any, secret: str) -> ContainerClient:
    """Return the container of a datastore."""
    from azure.storage.blob import ContainerClient

    host = f"https://{store.account_name}.blob.{store.endpoint or 'core.windows.net'}"
    return ContainerClient(host, store.container_name, credential=secret or client.credential)


def _next_version(
    client: Client,
    subject: tuple[str, str],
    service: tuple[str, Any],
    wanted: Callable[[], Any],
    changed: Callable[[Any], list[Difference]],
    dry: bool,
) -> tuple[str, Change]:
    """Add a version of an asset if the newest one differs; return the version that counts, and the change.

    `subject` is the kind and the name, `service` how an error begins and the client's operations. Raises ServiceError.
    """
    (kind, name), (doing, operations) = subject, service
    made: tuple[str, Outcome, str, list[Difference]] | None = None
    for _ in range(_TRIES):
        latest = _latest(client, doing, operations, name)
        found = [] if latest is None else client.call(doing, partial(changed, latest))
        if latest is not None and not found:
            version = str(latest.version)
            if made and made[0] == version:  # by this command, whose answer was lost
                return version, Change(kind, name, made[1], made[2], differences=tuple(made[3]))
            return version, Change(kind, name, "unchanged", f"version {version}")
        outcome: Outcome = "created" if latest is None else "updated"
        before = "" if latest is None else f"version {latest.version} -> "
        if dry:
            detail = f"{before}a new one" if before else ""
            return "", Change(kind, name, outcome, detail, dry=True, differences=tuple(found))
        version = _following(latest)
        made = version, outcome, f"{before or 'version '}{version}", found
        if _put_version(client, doing, operations, wanted, version):
            return version, Change(kind, name, outcome, made[2], differences=tuple(found))
    raise ServiceError(f"{doing} failed: other commands keep adding versions; try again when they have finished")


def _put_version(client: Client, doing: str, operations: Any, wanted: Callable[[], Any], version: str) -> bool:
    """Add a version, and return False if another command has added another one of its number."""

    def put() -> bool:
        asset = wanted()
        asset.version = version
        try:
            operations.create_or_update(asset)
        except Exception as error:
            if status_of(error) != 409:
                raise
            return False
        return True

    return client.call(doing, put)


def _following(latest: Any) -> str:
    if latest is None:
        return "1"
    version = str(latest.version)
    return str(int(version) + 1) if version.isdecimal() else f"{version}.1"


def _latest(client: Client, doing: str, operations: Any, name: str) -> Any | None:
    return client.call(doing, lambda: found_or_none(lambda: operations.get(name, label="latest")))


def find_environment(client: Client, name: str) -> str:
    """Return the version of an environment that the file does not declare: `name` for its newest, or `name@version`.

    Raises MissingError.
    """
    base, _, version = name.partition("@")
    doing = f"looking up the environment '{name}'"
    if version not in ("", "latest"):
        found = client.call(doing, lambda: found_or_none(lambda: client.ml.environments.get(base, version=version)))
    else:
        found = _latest(client, doing, client.ml.environments, base)
    if found is None:
        there = client.call(doing, lambda: [str(one.name) for one in client.ml.environments.list()])
        raise MissingError(
            f"no environment '{base}' in the file or the workspace '{client.workspace}'{did_you_mean(base, there)}"
        )
    return str(found.version)


def models(client: Client, every_version: bool) -> list[Asset]:
    """Return the models of the workspace, the newest first: the latest version of each, or all."""
    doing = "listing the models"
    names = client.call(doing, lambda: [str(one.name) for one in client.ml.models.list()])
    found = [
        replace(_asset(one), source=one.job_name or "")
        for name in names
        for one in _versions(client, doing, client.ml.models, name, every_version)
    ]
    return sorted(found, key=lambda asset: asset.created or 0, reverse=True)


def datasets(client: Client, project: Project, every_version: bool) -> list[Asset]:
    """Return the data assets of the file in its order: those that it declares, then those that its outputs register.

    One that is not registered has no version.
    """
    doing, assets = "listing the datasets", data_assets(project)
    outputs = [output.register_on_complete for step in project.plan.steps for output in step.outputs]
    names = [
        *(assets.get(name, asset_name(name)) for name in project.pipeline.datasets),
        *map(asset_name, filter(None, outputs)),
    ]
    found: list[Asset] = []
    for name in dict.fromkeys(names):
        versions = _versions(client, doing, client.ml.data, name, every_version)
        found += [replace(_asset(one), kind=str(one.type)) for one in versions] or [Asset(name, None)]
    return found


def _versions(client: Client, doing: str, operations: Any, name: str, every_version: bool) -> list[Any]:
    """Return the newest version of an asset, or all, the newest first."""
    if not every_version:
        latest = _latest(client, doing, operations, name)
        return [] if latest is None else [latest]
    found = client.call(doing, lambda: found_or_none(lambda: [*operations.list(name)])) or []
    return sorted(found, key=lambda one: _created(one) or 0, reverse=True)


def _asset(found: Any) -> Asset:
    tags = {name: value for name, value in (found.tags or {}).items() if name != CONTENT}
    return Asset(str(found.name), version_of(found.version), _created(found), tags=tags)


def _created(found: Any) -> float | None:
    created = getattr(found.creation_context, "created_at", None)
    return created.timestamp() if created else None
